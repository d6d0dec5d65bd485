package xero

import (
	"context"

	"towpath/pkg/provider"
)

// InvoicesByID are the sales invoices with these ids as Xero shows them now, by the
// ids as they were asked for; what is missing is not there. It is one call for some
// forty of them.
func (c *Client) InvoicesByID(ctx context.Context, ids []string) (map[string]provider.Standing, error) {
	return c.standings(ctx, invoices().byID(), ids)
}

// InvoicesByNumber is InvoicesByID by InvoiceNumber. Who asks has to prove that what
// bears the number is the shop's: by Source, contact, total, date and Reference.
func (c *Client) InvoicesByNumber(ctx context.Context, numbers []string) (map[string]provider.Standing, error) {
	return c.standings(ctx, invoices().byNumber(), numbers)
}

// CreditNotesByID is InvoicesByID for credit notes.
func (c *Client) CreditNotesByID(ctx context.Context, ids []string) (map[string]provider.Standing, error) {
	return c.standings(ctx, creditNotes().byID(), ids)
}

func (c *Client) standings(ctx context.Context, how lookUp, keys []string) (map[string]provider.Standing, error) {
	var parts []part
	asked := map[string]bool{}
	for _, key := range keys {
		if key != "" && !asked[key] {
			asked[key] = true
			parts = append(parts, part{at: len(parts), number: key})
		}
	}
	b := &batch[struct{}]{client: c, outcomes: make([]provider.Outcome[struct{}], len(parts))}
	shown := map[string]provider.Standing{}
	for _, seen := range b.lookUp(ctx, how, parts) {
		if seen.found != nil {
			shown[seen.number] = how.kind.standing(*seen.found)
		}
	}
	for _, o := range b.outcomes {
		if o.Err != nil {
			return nil, o.Err
		}
	}
	return shown, nil
}

func (k kind) standing(a documentAnswer) provider.Standing {
	s := provider.Standing{
		ID: string(a.id()), Number: a.number(), URL: k.link(string(a.id())), State: provider.StateOpen, Status: string(a.Status),
		Total: a.Total.NullDecimal, Open: a.open(), Currency: string(a.CurrencyCode), ContactID: string(a.Contact.Value.ContactID),
		Date: a.date(), Reference: string(a.Reference), Source: string(a.Url),
	}
	switch {
	case a.dead():
		s.State = provider.StateVoid
	case a.Status == draft || a.Status == "SUBMITTED":
		s.State = provider.StateDraft
	case a.Status == "PAID", s.Open.Valid && !s.Open.Decimal.IsPositive():
		s.State = provider.StateSettled
	}
	return s
}
