package whatif

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/explain"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// side is what becomes of a document under one of the settings.
type side struct {
	explain.Answer
	refused *provider.Failure // the ledger would refuse it, whatever it has
}

func ask(q explain.Question, ledger explain.Ledger, ref provider.Reference) (side, error) {
	a, err := q.Ask(ledger, ref)
	var f *provider.Failure
	if errors.As(err, &f) && f.Kind == provider.Refused {
		return side{Answer: a, refused: f}, nil
	}
	return side{Answer: a}, err
}

// outcome is what becomes of it, in a few words.
func (s side) outcome() string {
	if s.refused != nil {
		return "fail " + s.refused.Code
	}
	return s.Outcome()
}

func (s side) writes() bool {
	return s.Decision.Action == policy.Post && s.Held == nil && s.refused == nil
}

// held is why, with what to do; empty where it is not.
func (s side) held() string {
	switch {
	case s.Held != nil:
		return s.Held.Message
	case s.Decision.Action == policy.Hold && len(s.Decision.Rules) > 0:
		return s.Decision.Rules[len(s.Decision.Rules)-1].Text
	}
	return ""
}

// compare is what differs between two answers to one document.
func compare(a, b side) ([]Change, error) {
	switch {
	case a.outcome() != b.outcome():
		kind := Decision
		if a.held() != "" && b.held() != "" {
			kind = HoldReason
		}
		return []Change{{Kind: kind, Before: a.outcome(), After: b.outcome()}}, nil
	case a.held() != b.held():
		return []Change{{Kind: HoldReason, Field: "message", Before: a.held(), After: b.held()}}, nil
	case !a.writes():
		return nil, nil
	}
	all, err := contacts(a.Buyer, b.Buyer)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		kind          Kind
		before, after json.RawMessage
	}{
		{Header, bodyOf(a.Document), bodyOf(b.Document)},
		{Money, moneyOf(a.Payment), moneyOf(b.Payment)},
		{Item, itemOf(a.Item), itemOf(b.Item)},
	} {
		if part.before == nil || part.after == nil {
			continue
		}
		found, err := bodies(part.kind, part.before, part.after)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return append(append(all, totals(a.Document, b.Document)...), refunds(a.Refund, b.Refund)...), nil
}

func bodyOf(d *provider.Document) json.RawMessage {
	if d == nil {
		return nil
	}
	return d.Body
}

func moneyOf(p *provider.Payment) json.RawMessage {
	if p == nil {
		return nil
	}
	return p.Body
}

func itemOf(i *provider.CatalogItem) json.RawMessage {
	if i == nil {
		return nil
	}
	return i.Body
}

// contacts compares whom a document is booked on.
func contacts(a, b *policy.Buyer) ([]Change, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	before, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode buyer: %w", err)
	}
	after, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode buyer: %w", err)
	}
	all, err := bodies(Contact, before, after)
	for i := range all {
		if all[i].Line > 0 { // addresses are no lines
			all[i].Field, all[i].Line = strings.TrimSuffix("Addresses."+all[i].Field, "."), 0
		}
		all[i].Kind = Contact
	}
	return all, err
}

func totals(a, b *provider.Document) []Change {
	if a == nil || b == nil {
		return nil
	}
	var all []Change
	for _, t := range []struct {
		field         string
		before, after decimal.Decimal
	}{
		{"sub_total", a.SubTotal, b.SubTotal}, {"total_tax", a.TotalTax, b.TotalTax}, {"total", a.Total, b.Total}, {"rounding", a.Rounding, b.Rounding},
	} {
		if !t.before.Equal(t.after) {
			all = append(all, Change{Kind: Totals, Field: t.field, Before: t.before.StringFixed(2), After: t.after.StringFixed(2)})
		}
	}
	return all
}

// refunds compares where the money of a credit memo goes.
func refunds(a, b *policy.PaymentDecision) []Change {
	if a == nil || b == nil {
		return nil
	}
	var all []Change
	for _, f := range []struct{ field, before, after string }{
		{"refund", said(a.Decision), said(b.Decision)}, {"refund_account_id", a.AccountID, b.AccountID},
	} {
		if f.before != f.after {
			all = append(all, Change{Kind: Money, Field: f.field, Before: f.before, After: f.after})
		}
	}
	return all
}

func said(d policy.Decision) string {
	if d.Reason == "" {
		return string(d.Action)
	}
	return string(d.Action) + " " + d.Reason
}
