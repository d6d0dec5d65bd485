package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/explain"
	"towpath/pkg/metrics"
	"towpath/pkg/outbound"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/refdata"
	"towpath/pkg/syncrun"
)

type explainCommand struct {
	database
	printed
	Binding string `placeholder:"BINDING" help:"The binding whose policy and wire are asked, by its id or its shop's name."`
	File    string `placeholder:"FILE" help:"A canonical document of the shop's, JSON."`
	Event   string `default:"invoice.created" placeholder:"EVENT" help:"What the file is about: invoice.created, invoice.paid (a payment), creditmemo.created, customer.upserted, product.upserted."`
	RunID   string `name:"run" placeholder:"RUN" help:"A stored run by its id or number, in place of binding and file: its document, under the version of the policy that is pinned to it."`
}

// Help is shown below the flags by --help.
func (explainCommand) Help() string {
	return `Examples:
  towpath explain --run 0198c1de-5b4f-7000-8000-000000000002
  towpath explain --binding 0198c1de-5b4f-7000-8000-000000000001 --event invoice.paid --file payment.json`
}

// explanation is what explain prints. Of document, payment and item the one that the
// event writes is set; none where nothing would be written.
type explanation struct {
	Event         string                `json:"event"`
	PolicyVersion int32                 `json:"policy_version"`
	Decision      policy.Decision       `json:"decision"`
	Buyer         *buyerView            `json:"buyer"` // null for payments and products
	Document      *provider.Document    `json:"document"`
	Payment       *provider.Payment     `json:"payment"`
	Item          *provider.CatalogItem `json:"item"`
	// Refund is the money of a credit memo; null where its invoice is not known.
	Refund      *policy.PaymentDecision `json:"refund"`
	Held        *heldView               `json:"held"`
	ReferenceAt *time.Time              `json:"reference_at"` // null: what the provider has is not known
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

// Run asks the policy and builds what would be written as a run would, with the
// reference data that is stored, and calls nobody.
func (c explainCommand) Run(ctx context.Context, io console) error {
	if c.RunID != "" {
		if c.File != "" || c.Binding != "" {
			return wrongUse("give --run, or --binding and --file")
		}
		return c.stored(ctx, io)
	}
	if c.Binding == "" || c.File == "" {
		return wrongUse("give --run, or --binding and --file")
	}
	if !syncrun.KnownEvent(c.Event) {
		return wrongUse("--event is %q; use %s", c.Event, strings.Join(metrics.Events(), ", "))
	}
	raw, err := io.readFile(c.File)
	if err != nil {
		return wrongUse("--file: %w", err)
	}
	// Whether the ledger has a customer's contact is known of runs only.
	q := explain.Question{Event: c.Event, Canonical: raw, Known: func(string) (bool, error) { return false, nil }}
	if err := q.Check(); err != nil {
		return wrongUse("--file: %w", err)
	}
	return withBinding(ctx, io, c.database, c.Binding, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
		if err != nil {
			return fmt.Errorf("read policy: %w", err)
		}
		return c.explain(ctx, io, pool, q, binding, binding.PolicyVersion, row.Policy)
	})
}

// stored explains a run by what is stored of it.
func (c explainCommand) stored(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	id, err := findRun(ctx, pool, c.RunID)
	if err != nil {
		return err
	}
	row, err := dbsqlc.New().SyncRunWork(ctx, pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("there is no run %s (see: towpath runs list)", id)
	}
	if err != nil {
		return fmt.Errorf("read run %s: %w", id, err)
	}
	run := row.SyncRun
	if run.BlankedAt != nil {
		return fmt.Errorf("the document of run %s is not here any more: %s", id, blankedWords(run))
	}
	if run.Canonical == nil {
		return fmt.Errorf("the document of run %s was not read from the shop yet; it is %s (see: towpath runs show %s)", id, run.Status, id)
	}
	sale, err := explain.SaleOf(run.Decision)
	if err != nil {
		return fmt.Errorf("read decision of run %s: %w", id, err)
	}
	return c.explain(ctx, io, pool, explain.Question{
		Event: run.Event, Canonical: run.Canonical, OccurredAt: run.OccurredAt, StoreID: run.StoreID, Sale: sale,
		Known: func(key string) (bool, error) { return hasContact(ctx, pool, run.BindingID, key) },
	}, row.Binding, run.PolicyVersion, row.Policy)
}

// hasContact reports whether the ledger of a binding has a buyer's contact.
func hasContact(ctx context.Context, pool *pgxpool.Pool, binding uuid.UUID, key string) (bool, error) {
	rows, err := dbsqlc.New().EntityXrefList(ctx, pool, dbsqlc.EntityXrefListParams{BindingID: binding, EntityTypes: []string{"contact"}, ShopIds: []string{key}})
	if err != nil {
		return false, fmt.Errorf("look up contact %q: %w", key, err)
	}
	return len(rows) > 0, nil
}

// explain prints what a binding would write under one version of its settings.
func (c explainCommand) explain(ctx context.Context, io console, pool *pgxpool.Pool, q explain.Question, binding dbsqlc.Binding, version int32, settings []byte) error {
	var err error
	if q.Policy, _, err = policy.Parse(settings); err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	q.Wire, q.Items = binding.Wire, explain.ItemsOf(ctx, pool, binding)
	// No key is needed to open a token that is not used.
	ledger, err := clients.New(nil, outbound.Private{All: true}, nil).Ledger(binding, provider.Unlimited)
	if err != nil {
		return err
	}
	ref, _ := refdata.Stored(binding)
	a, err := q.Ask(ledger, ref)
	if err != nil {
		return err
	}
	e := explanation{
		Event: a.Event, PolicyVersion: version, Decision: a.Decision, Buyer: (*buyerView)(a.Buyer),
		Document: a.Document, Payment: a.Payment, Item: a.Item, Refund: a.Refund, ReferenceAt: binding.ReferenceAt,
	}
	if a.Held != nil {
		e.Held = &heldView{Reason: a.Held.Reason, Message: a.Held.Message}
	}
	if c.JSON {
		return printJSON(io.out, e)
	}
	return printExplanation(io, e, a)
}

func printExplanation(io console, e explanation, a explain.Answer) error {
	fmt.Fprintf(io.out, "%s: %s\n\npolicy version %d\n", a.Title(), a.Outcome(), e.PolicyVersion)
	for _, rule := range e.Decision.Rules {
		mark := "passes"
		if rule.Hit {
			mark = "keeps it out"
		}
		fmt.Fprintf(io.out, "  %-12s  %-26s %s\n", mark, rule.Name, rule.Text)
	}
	if e.Buyer != nil {
		fmt.Fprintf(io.out, "\nbuyer\n  %s (%s)\n", e.Buyer.Name, e.Buyer.Key)
	}
	switch {
	case e.Held != nil:
		fmt.Fprintf(io.out, "\nheld: %s\n  %s\n", e.Held.Reason, e.Held.Message)
		return nil
	case e.Decision.Action != policy.Post:
		fmt.Fprintln(io.out, "\nnothing would be posted")
		return nil
	case a.Event == "customer.upserted":
		fmt.Fprintln(io.out, "\ncontact, as the shop has it; what the ledger has besides stays")
		return printJSON(io.out, e.Buyer)
	}
	if e.ReferenceAt == nil {
		fmt.Fprintln(io.out, "\nThe provider's accounts and tax rates are not known yet: nothing was checked against them.")
	}
	return printWritten(io, e, a)
}

// printWritten prints how the body came to be, its sums, and the body itself.
func printWritten(io console, e explanation, a explain.Answer) error {
	switch {
	case e.Payment != nil:
		printNotes(io, "payment", e.Payment.Notes)
		fmt.Fprintf(io.out, "  %s %s on %s, to account %s, at most what is open on %s\n",
			shopsAmount(e.Payment.Amount), e.Payment.Currency, e.Payment.Date, e.Payment.AccountID, e.Payment.Number)
		return printBody(io, e.Payment.Body)
	case e.Item != nil:
		printNotes(io, "item "+e.Item.Code, e.Item.Notes)
		return printBody(io, e.Item.Body)
	}
	printNotes(io, "document", e.Document.Notes)
	if e.Event == "creditmemo.created" {
		printRefund(io, e.Refund)
	}
	fmt.Fprintf(io.out, "\ntotals\n  sub total %s, tax %s, total %s; the shop's grand total %s\n  rounding line %s\n",
		e.Document.SubTotal.StringFixed(2), e.Document.TotalTax.StringFixed(2), e.Document.Total.StringFixed(2),
		shopsAmount(*a.Total), e.Document.Rounding.StringFixed(2))
	return printBody(io, e.Document.Body)
}

// printBody prints a body as it would be sent, but for what the ledger has yet to say.
func printBody(io console, body json.RawMessage) error {
	heading := "body"
	if bytes.Contains(body, []byte(explain.StandIn)) {
		heading += " (zeros stand for an id that the ledger gives)"
	}
	fmt.Fprintf(io.out, "\n%s\n", heading)
	return printJSON(io.out, body)
}

// printRefund says where the credit goes.
func printRefund(io console, refund *policy.PaymentDecision) {
	lines := []string{"against its invoice, as far as that is open; of one that is paid what is left goes back from the account of its payment method"}
	if refund != nil {
		for _, rule := range refund.Rules {
			lines = append(lines, rule.Text)
		}
	}
	printNotes(io, "credit", lines)
}

func printNotes(io console, what string, notes []string) {
	fmt.Fprintf(io.out, "\n%s\n", what)
	for _, note := range notes {
		fmt.Fprintln(io.out, "  "+note)
	}
}

// shopsAmount is an amount with the decimals that the shop gave it, two at least.
func shopsAmount(d decimal.Decimal) string {
	if d.Equal(d.Round(2)) {
		return d.StringFixed(2)
	}
	return d.String()
}
