package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/outbound"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/riverjobs"
)

type explainCommand struct {
	database
	printed
	Binding string `required:"" placeholder:"UUID" help:"The binding whose policy and wire are asked."`
	File    string `required:"" placeholder:"FILE" help:"A canonical invoice, JSON."`
}

// explanation is what explain prints.
type explanation struct {
	Decision    policy.Decision    `json:"decision"`
	Buyer       buyerView          `json:"buyer"`
	Document    *provider.Document `json:"document"` // null where nothing would be posted
	Held        *heldView          `json:"held"`
	ReferenceAt *time.Time         `json:"reference_at"` // null: what the provider has is not known
}

// buyerView is a policy.Buyer with its fields as they are named elsewhere.
type buyerView struct {
	Key       string          `json:"key"`
	Shared    bool            `json:"shared"`
	Name      string          `json:"name"`
	Company   string          `json:"company"`
	FirstName string          `json:"first_name"`
	LastName  string          `json:"last_name"`
	Email     string          `json:"email"`
	Phone     string          `json:"phone"`
	Addresses []canon.Address `json:"addresses"`
}

type heldView struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// contactStandIn stands where the contact's id would be: explain looks nobody up.
const contactStandIn = "00000000-0000-0000-0000-000000000000"

// Run asks the policy and builds the document as a run would, with the reference
// data that is stored, and calls nobody.
func (c explainCommand) Run(ctx context.Context, io console) error {
	raw, err := io.readFile(c.File)
	if err != nil {
		return wrongUse("--file: %w", err)
	}
	inv, err := canon.DecodeInvoice(raw)
	if err != nil {
		return wrongUse("--file: %w", err)
	}
	return withBinding(ctx, io, c.database, c.Binding, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
		if err != nil {
			return fmt.Errorf("read policy: %w", err)
		}
		pol, _, err := policy.Parse(row.Policy)
		if err != nil {
			return fmt.Errorf("read policy: %w", err)
		}
		// No key is needed to open a token that is not used.
		ledger, err := newConnections(nil, outbound.Private{All: true}, nil).ledger(binding, provider.Unlimited)
		if err != nil {
			return err
		}
		e, err := explain(ledger, binding, pol, inv)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(io.out, e)
		}
		return printExplanation(io, e, inv)
	})
}

func explain(ledger riverjobs.Ledger, binding dbsqlc.Binding, pol policy.Policy, inv canon.Invoice) (explanation, error) {
	var ref provider.Reference
	if binding.Reference != nil {
		if err := json.Unmarshal(binding.Reference, &ref); err != nil {
			return explanation{}, fmt.Errorf("read reference data: %w", err)
		}
	}
	e := explanation{Decision: policy.Decide(inv, pol), Buyer: buyerView(policy.BuyerOf(inv, pol)), ReferenceAt: binding.ReferenceAt}
	if e.Decision.Action != policy.Post {
		return e, nil
	}
	doc, err := ledger.Document(inv, pol, ref, contactStandIn, "")
	var f *provider.Failure
	switch {
	case errors.As(err, &f) && f.Kind == provider.Held:
		e.Held = &heldView{Reason: f.Reason, Message: f.Message}
	case err != nil:
		return e, err
	default:
		e.Document = &doc
	}
	return e, nil
}

// outcome is what would become of the invoice: what the policy says, unless the
// document that it would post is held.
func (e explanation) outcome() string {
	if e.Held != nil {
		return fmt.Sprint(policy.Hold, " ", e.Held.Reason)
	}
	return strings.TrimSpace(fmt.Sprint(e.Decision.Action, " ", e.Decision.Reason))
}

func printExplanation(io console, e explanation, inv canon.Invoice) error {
	fmt.Fprintf(io.out, "invoice %s: %s\n\npolicy: a rule that hits keeps the invoice out\n", inv.IncrementID, e.outcome())
	for _, rule := range e.Decision.Rules {
		mark := "miss"
		if rule.Hit {
			mark = "HIT "
		}
		fmt.Fprintf(io.out, "  %s  %-26s %s\n", mark, rule.Name, rule.Text)
	}
	fmt.Fprintf(io.out, "\nbuyer\n  %s (%s)\n", e.Buyer.Name, e.Buyer.Key)
	if e.Held != nil {
		fmt.Fprintf(io.out, "\nheld: %s\n  %s\n", e.Held.Reason, e.Held.Message)
		return nil
	}
	if e.Document == nil {
		fmt.Fprintln(io.out, "\nnothing would be posted")
		return nil
	}
	if e.ReferenceAt == nil {
		fmt.Fprintln(io.out, "\nThe provider's accounts and tax rates are not known yet: nothing was checked against them.")
	}
	fmt.Fprintln(io.out, "\ndocument")
	for _, note := range e.Document.Notes {
		fmt.Fprintln(io.out, "  "+note)
	}
	fmt.Fprintf(io.out, "\ntotals\n  sub total %s, tax %s, total %s; the shop's grand total %s\n  rounding line %s\n\nbody\n",
		e.Document.SubTotal.StringFixed(2), e.Document.TotalTax.StringFixed(2), e.Document.Total.StringFixed(2),
		shopsAmount(inv.GrandTotal), e.Document.Rounding.StringFixed(2))
	return printJSON(io.out, e.Document.Body)
}

// shopsAmount is an amount with the decimals that the shop gave it, two at least.
func shopsAmount(d decimal.Decimal) string {
	if d.Equal(d.Round(2)) {
		return d.StringFixed(2)
	}
	return d.String()
}
