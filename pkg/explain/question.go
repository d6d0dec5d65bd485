package explain

import (
	"encoding/json"
	"fmt"
	"time"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// Question is a document of the shop's, and the settings that are asked of it.
type Question struct {
	Event      string
	Canonical  []byte
	OccurredAt time.Time // zero: nobody knows
	StoreID    int64     // of payments and credit memos, whose forms have none
	// Sale is the invoice that a credit memo is about, as its run has read it; nil
	// where that is not known.
	Sale   *canon.Invoice
	Wire   string
	Policy policy.Policy
	// Known reports whether the ledger has a buyer's contact.
	Known func(key string) (bool, error)
	// Items answers which of the codes are on the ledger's price list; nil: none are.
	Items func(codes []string) ([]string, error)
}

// StandIn stands in a body where an id of the ledger's would be.
const StandIn = "00000000-0000-0000-0000-000000000000"

// SaleOf is the invoice that was read with a run's document, among its decision; nil
// where there is none.
func SaleOf(decision []byte) (*canon.Invoice, error) {
	var kept struct{ Invoice json.RawMessage }
	if len(decision) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(decision, &kept); err != nil || len(kept.Invoice) == 0 {
		return nil, err
	}
	inv, err := canon.DecodeInvoice(kept.Invoice)
	return &inv, err
}

// listed is ref with the lines' items that are on the ledger's price list, as a run
// looks for them.
func (q Question) listed(l Ledger, ref provider.Reference, lines []canon.Line) (provider.Reference, error) {
	if !q.Policy.SyncProducts || q.Items == nil {
		return ref, nil
	}
	var codes []string
	for _, line := range lines {
		if item, _ := l.Item(canon.Product{SKU: line.SKU}, q.Policy, ref); item.Code != "" { // what else it lacks is no matter
			codes = append(codes, item.Code)
		}
	}
	there, err := q.Items(codes)
	ref.ItemCodes = map[string]bool{}
	for _, code := range there {
		ref.ItemCodes[code] = true
	}
	return ref, err
}

// writing builds what would be sent; it is asked only where the decision is to post.
// Nil: the buyer is all.
type writing func(Ledger, provider.Reference) error

// Check reads the document, and says what is wrong with it.
func (q Question) Check() error {
	_, err := q.read(&Answer{})
	return err
}

// read reads the canonical form and asks the settings.
func (q Question) read(a *Answer) (writing, error) {
	switch q.Event {
	case "invoice.created":
		return q.invoice(a)
	case "invoice.paid":
		return q.payment(a)
	case "creditmemo.created":
		return q.creditMemo(a)
	case "customer.upserted":
		return nil, q.customer(a)
	case "product.upserted":
		return q.product(a)
	}
	return nil, fmt.Errorf("explain does not know the event %q", q.Event)
}

func (q Question) invoice(a *Answer) (writing, error) {
	inv, err := canon.DecodeInvoice(q.Canonical)
	buyer := policy.BuyerOf(inv, q.Policy)
	a.Number, a.Total, a.Decision, a.Buyer = inv.IncrementID, &inv.GrandTotal, policy.Decide(inv, q.Policy), &buyer
	return func(l Ledger, ref provider.Reference) error {
		ref, err := q.listed(l, ref, inv.Lines)
		if err != nil {
			return err
		}
		doc, err := l.Document(inv, q.Policy, ref, StandIn, "")
		a.Document = &doc
		return err
	}, err
}

func (q Question) creditMemo(a *Answer) (writing, error) {
	memo, err := canon.DecodeCreditMemo(q.Canonical)
	memo.StoreID = canon.Int(q.StoreID)
	of := memo.AsInvoice()
	if q.Sale != nil {
		of.GrandTotal = q.Sale.GrandTotal // who is booked on a shared contact hangs on the sale, not on what went back
		method := ""
		if q.Sale.PaymentMethod != nil {
			method = *q.Sale.PaymentMethod
		}
		refund := policy.DecideRefund(memo, method, q.Policy)
		a.Refund = &refund
	}
	buyer := policy.BuyerOf(of, q.Policy)
	a.Number, a.Total, a.Decision, a.Buyer = memo.IncrementID, &memo.GrandTotal, policy.DecideCreditMemo(memo, q.Policy), &buyer
	return func(l Ledger, ref provider.Reference) error {
		ref, err := q.listed(l, ref, memo.Lines)
		if err != nil {
			return err
		}
		doc, err := l.CreditNote(memo, q.Policy, ref, StandIn, "")
		a.Document = &doc
		return err
	}, err
}

func (q Question) payment(a *Answer) (writing, error) {
	paid, err := canon.DecodePayment(q.Canonical)
	decided := policy.DecidePayment(paid, q.OccurredAt, q.Policy)
	a.Number, a.Decision = paid.InvoiceIncrementID, decided.Decision
	return func(l Ledger, ref provider.Reference) error {
		on := provider.Posted{ID: StandIn, Number: policy.NumberOf(paid.InvoiceIncrementID, canon.Int(q.StoreID), q.Policy)}
		p, err := l.Payment(decided.Payment(on, paid.Currency, l.Day(decided.At, ref), q.Policy), ref)
		a.Payment = &p
		return err
	}, err
}

func (q Question) customer(a *Answer) error {
	who, err := canon.DecodeCustomer(q.Canonical)
	if err != nil {
		return err
	}
	buyer := policy.BuyerOfCustomer(who, q.Policy)
	known, err := q.Known(buyer.Key)
	a.Number, a.Decision, a.Buyer = fmt.Sprint(who.MagentoID), policy.DecideCustomer(who, known, q.Policy), &buyer
	return err
}

func (q Question) product(a *Answer) (writing, error) {
	product, err := canon.DecodeProduct(q.Canonical)
	a.Number, a.Decision = product.SKU, policy.DecideProduct(product, q.Policy, q.Wire)
	return func(l Ledger, ref provider.Reference) error {
		item, err := l.Item(product, q.Policy, ref)
		a.Item = &item
		return err
	}, err
}
