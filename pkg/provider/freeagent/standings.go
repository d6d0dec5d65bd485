package freeagent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// InvoicesByID are the invoices with these ids as the ledger shows them now, by the
// ids as they were asked for; what is missing is not there. It is a call for each.
func (c *Client) InvoicesByID(ctx context.Context, ids []string) (map[string]provider.Standing, error) {
	return c.standings(ctx, invoices(), ids)
}

// CreditNotesByID is InvoicesByID for credit notes.
func (c *Client) CreditNotesByID(ctx context.Context, ids []string) (map[string]provider.Standing, error) {
	return c.standings(ctx, creditNotes(), ids)
}

func (c *Client) standings(ctx context.Context, k kind, ids []string) (map[string]provider.Standing, error) {
	shown := map[string]provider.Standing{}
	for _, id := range ids {
		if _, known := shown[id]; known || id == "" {
			continue
		}
		found, err := c.standing(ctx, k, id)
		switch {
		case isHeld(err, provider.HeldDocumentVoid):
		case err != nil:
			return nil, err
		default:
			shown[id] = found.Standing
		}
	}
	return shown, nil
}

func isHeld(err error, reason string) bool {
	return err != nil && provider.AsFailure(err).Reason == reason
}

// mostByNumber is how far back InvoicesByNumber reads.
const mostByNumber = 2000

// InvoicesByNumber are the invoices with these numbers among the newest 2,000: the
// wire has no look-up by number, so its list is read, once for all. Who asks has to
// prove that what bears a number is the shop's: by contact, total, date and
// currency. Of several with one number the newest is shown.
func (c *Client) InvoicesByNumber(ctx context.Context, numbers []string) (map[string]provider.Standing, error) {
	shown := map[string]provider.Standing{}
	query := url.Values{"view": {"all"}, "sort": {"-created_at"}, "nested_invoice_items": {"false"}}
	read := 0
	var broken error
	err := list(ctx, c, opInvoiceList, "invoices", query, func(inv documentAnswer) bool {
		read++
		if _, known := shown[inv.Reference]; !known && slices.Contains(numbers, inv.Reference) && idOf(inv.URL) != "" {
			found, err := standingOf(invoices(), inv)
			if broken = err; err != nil {
				return false
			}
			shown[inv.Reference] = found.Standing
		}
		return len(shown) < len(numbers) && read < mostByNumber
	})
	if err == nil {
		err = broken
	}
	if err != nil {
		return nil, err
	}
	return shown, nil
}

// standing is a document as the ledger shows it.
type standing struct {
	provider.Standing
	words   string
	touched bool // something was paid, refunded or set against it
}

// standing reads a document of k. One that is gone is Held: a person removed it.
func (c *Client) standing(ctx context.Context, k kind, document string) (standing, error) {
	a, err := c.must(ctx, call{operation: k.read, method: http.MethodGet, path: "/" + k.plural + "/" + idOf(document)})
	if missing(err) {
		return standing{}, held(provider.HeldDocumentVoid, "the ledger has no "+k.words+" "+document+" any more: restore it, or cancel this run")
	}
	if err != nil {
		return standing{}, err
	}
	doc := documentIn(k, a)
	doc.URL = document
	return standingOf(k, doc)
}

func standingOf(k kind, doc documentAnswer) (standing, error) {
	if doc.Status == "" || !doc.Due.Valid {
		return standing{}, unreadable(k.words, errors.New("it has no status or due_value"))
	}
	settled := doc.Paid.Decimal.Add(doc.Refunded.Decimal)
	return standing{words: k.words, touched: !settled.IsZero(), Standing: provider.Standing{
		ID: doc.URL, Number: doc.Reference, URL: doc.URL, State: stateOf(doc), Status: doc.Status, Total: doc.Total.NullDecimal,
		Open: decimal.NewNullDecimal(decimal.Max(doc.Due.Decimal, decimal.Zero)), Currency: doc.Currency, ContactID: doc.Contact, Date: doc.DatedOn, Reference: doc.Reference,
	}}, nil
}

// stateOf puts the wire's statuses into the words that all ledgers share. One that
// it does not know counts by what is open.
func stateOf(doc documentAnswer) provider.State {
	switch doc.Status {
	case "Draft", "Scheduled To Email":
		return provider.StateDraft
	case "Written-off", "Part written-off", "Cancelled":
		return provider.StateVoid
	}
	if doc.Due.Decimal.IsPositive() {
		return provider.StateOpen
	}
	return provider.StateSettled
}

// takes is nil where the document may be paid or credited, or needs not be.
func (s standing) takes(what string) error {
	switch s.State {
	case provider.StateDraft:
		return held(provider.HeldDocumentNotApproved, fmt.Sprintf("%s %s is a draft in the ledger, which takes no %s: mark it as sent there; with invoice_status_default Sent later ones are", s.words, s.Number, what))
	case provider.StateVoid:
		return held(provider.HeldDocumentVoid, fmt.Sprintf("%s %s is %s in the ledger and takes no %s: reopen it there, or cancel this run", s.words, s.Number, strings.ToLower(s.Status), what))
	}
	return nil
}

// settled is the knowledge that nothing needs to be written.
func (s standing) settled() provider.Posted {
	return provider.Posted{Settled: true, Number: s.Number, URL: s.URL, Status: s.Status}
}
