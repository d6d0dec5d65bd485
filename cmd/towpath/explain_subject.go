package main

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/riverjobs"
)

// asked is what explain is asked about, and under which settings.
type asked struct {
	event      string
	canonical  []byte
	occurredAt time.Time // zero: nobody knows
	storeID    int64     // of a credit memo, whose form has none
	// sale is the invoice that a credit memo is about, as its run has read it; nil
	// where that is not known.
	sale *canon.Invoice
	wire string
	pol  policy.Policy
	// known reports whether the ledger has a buyer's contact.
	known func(key string) (bool, error)
}

// subject is a document of the shop's: what the policy says of it, and what would be
// written.
type subject struct {
	title    string
	total    *decimal.Decimal // the shop's grand total; nil where it has none
	decision policy.Decision
	buyer    *policy.Buyer
	refund   *policy.PaymentDecision // of a credit memo whose invoice is known
	// write is asked only where the decision is to post; nil: the buyer is all.
	write func(riverjobs.Ledger, provider.Reference) (written, error)
}

// written is what would be sent; one of them.
type written struct {
	document *provider.Document
	payment  *provider.Payment
	item     *provider.CatalogItem
}

// subject reads the canonical form of the event.
func (a asked) subject() (subject, error) {
	switch a.event {
	case "invoice.created":
		return a.invoice()
	case "invoice.paid":
		return a.payment()
	case "creditmemo.created":
		return a.creditMemo()
	case "customer.upserted":
		return a.customer()
	case "product.upserted":
		return a.product()
	}
	return subject{}, fmt.Errorf("explain does not know the event %q", a.event)
}

func (a asked) invoice() (subject, error) {
	inv, err := canon.DecodeInvoice(a.canonical)
	buyer := policy.BuyerOf(inv, a.pol)
	return subject{
		title: "invoice " + inv.IncrementID, total: &inv.GrandTotal, decision: policy.Decide(inv, a.pol), buyer: &buyer,
		write: func(l riverjobs.Ledger, ref provider.Reference) (written, error) {
			doc, err := l.Document(inv, a.pol, ref, contactStandIn, "")
			return written{document: &doc}, err
		},
	}, err
}

func (a asked) creditMemo() (subject, error) {
	memo, err := canon.DecodeCreditMemo(a.canonical)
	memo.StoreID = canon.Int(a.storeID)
	of := memo.AsInvoice()
	var refund *policy.PaymentDecision
	if a.sale != nil {
		of.GrandTotal = a.sale.GrandTotal // who is booked on a shared contact hangs on the sale, not on what went back
		method := ""
		if a.sale.PaymentMethod != nil {
			method = *a.sale.PaymentMethod
		}
		decided := policy.DecideRefund(memo, method, a.pol)
		refund = &decided
	}
	buyer := policy.BuyerOf(of, a.pol)
	return subject{
		title: "credit memo " + memo.IncrementID, total: &memo.GrandTotal, decision: policy.DecideCreditMemo(memo, a.pol), buyer: &buyer, refund: refund,
		write: func(l riverjobs.Ledger, ref provider.Reference) (written, error) {
			doc, err := l.CreditNote(memo, a.pol, ref, contactStandIn, "")
			return written{document: &doc}, err
		},
	}, err
}

func (a asked) payment() (subject, error) {
	paid, err := canon.DecodePayment(a.canonical)
	decided := policy.DecidePayment(paid, a.occurredAt, a.pol)
	return subject{
		title: "payment of invoice " + paid.InvoiceIncrementID, decision: decided.Decision,
		write: func(l riverjobs.Ledger, ref provider.Reference) (written, error) {
			on := provider.Posted{ID: documentStandIn, Number: policy.NumberOf(paid.InvoiceIncrementID, canon.Int(a.storeID), a.pol)}
			p, err := l.Payment(decided.Payment(on, paid.Currency, l.Day(decided.At, ref), a.pol), ref)
			return written{payment: &p}, err
		},
	}, err
}

func (a asked) customer() (subject, error) {
	who, err := canon.DecodeCustomer(a.canonical)
	if err != nil {
		return subject{}, err
	}
	buyer := policy.BuyerOfCustomer(who, a.pol)
	known, err := a.known(buyer.Key)
	return subject{title: fmt.Sprintf("customer %d", who.MagentoID), decision: policy.DecideCustomer(who, known, a.pol), buyer: &buyer}, err
}

func (a asked) product() (subject, error) {
	product, err := canon.DecodeProduct(a.canonical)
	return subject{
		title: "product " + product.SKU, decision: policy.DecideProduct(product, a.pol, a.wire),
		write: func(l riverjobs.Ledger, ref provider.Reference) (written, error) {
			item, err := l.Item(product, a.pol, ref)
			return written{item: &item}, err
		},
	}, err
}
