package policy

import (
	"fmt"
	"slices"

	"towpath/pkg/canon"
)

// Action is what becomes of a document.
type Action string

// The actions. Decide itself never holds: what an invoice waits for (a mapping,
// a lock date, an account) shows only against the ledger, and the document's
// builder says it there.
const (
	Post Action = "post"
	Skip Action = "skip"
	Hold Action = "hold"
)

// The skip reasons, as the shop is told them.
const (
	SkipUnpaid           = "unpaid_invoice"
	SkipZeroValue        = "zero_value_invoice"
	SkipOutsideSince     = "outside_sync_since"
	SkipWebsite          = "website_filtered"
	SkipStore            = "store_filtered"
	SkipPaymentMethod    = "payment_method_not_mapped"
	SkipZeroPayment      = "zero_value_payment"
	SkipCustomersOff     = "customers_not_synced"
	SkipProductsOff      = "products_not_synced"
	SkipProductTypeOther = "PRODUCT_TYPE_NOT_SUPPORTED"
)

// Decision is what becomes of a document, and why.
type Decision struct {
	Action Action `json:"action"`
	Reason string `json:"reason"` // a skip or hold reason; empty for Post
	Rules  []Rule `json:"rules"`  // those asked, in order; the last one is the Hit, if any
}

// Rule is one question that was put to the document.
type Rule struct {
	Name string `json:"name"` // of the setting
	Hit  bool   `json:"hit"`  // it keeps the document out
	Text string `json:"text"` // one sentence with the values that were compared
}

// Decide asks the filters in their order and stops at the first that hits.
//
// A cancelled invoice is skipped as unpaid whatever sync_unpaid_invoices says:
// the shop lets only unpaid invoices be cancelled and never revives one, so it
// will not be paid, there is nothing to book, and holding it would keep it
// pending for ever.
func Decide(inv canon.Invoice, p Policy) Decision {
	return ask([]question{
		{"sync_unpaid_invoices", SkipUnpaid, func() (bool, string) { return unpaid(inv, p) }},
		{"sync_zero_value_invoices", SkipZeroValue, func() (bool, string) { return zeroValue(inv, p) }},
		{"sync_since", SkipOutsideSince, func() (bool, string) { return createdBefore("created", inv.CreatedAt, p) }},
		{"website_filter", SkipWebsite, func() (bool, string) { return outside("website", int64(inv.WebsiteID), p.WebsiteFilter) }},
		{"store_filter", SkipStore, func() (bool, string) { return outside("store", int64(inv.StoreID), p.StoreFilter) }},
	})
}

func unpaid(inv canon.Invoice, p Policy) (bool, string) {
	switch {
	case inv.State == canon.StatePaid:
		return false, "the invoice is paid"
	case inv.State == canon.StateCancelled:
		return true, "the invoice is cancelled and will never be paid"
	case p.SyncUnpaidInvoices:
		return false, fmt.Sprintf("the invoice is %s, unpaid invoices are synced", inv.State)
	}
	return true, fmt.Sprintf("the invoice is %s, unpaid invoices are not synced", inv.State)
}

// zeroValue judges the sale, not what is left to pay: a gift card that pays all
// leaves a grand total of nothing, and revenue and tax that are due.
func zeroValue(inv canon.Invoice, p Policy) (bool, string) {
	total := inv.GrandTotal.StringFixed(2) + " " + inv.Currency
	switch {
	case !inv.GrandTotal.IsZero():
		return false, "the grand total is " + total
	case !inv.Subtotal.IsZero(), !inv.TaxAmount.IsZero(), !inv.ShippingAmount.IsZero():
		return false, "the grand total is " + total + ", of a sale of " + inv.Subtotal.StringFixed(2) + " and a tax of " + inv.TaxAmount.StringFixed(2)
	case p.SyncZeroValueInvoices:
		return false, "nothing was sold, zero value invoices are synced"
	}
	return true, "nothing was sold, zero value invoices are not synced"
}

func outside(what string, id int64, allowed []int64) (bool, string) {
	switch {
	case len(allowed) == 0:
		return false, fmt.Sprintf("every %s is synced", what)
	case slices.Contains(allowed, id):
		return false, fmt.Sprintf("%s %d is among %d", what, id, allowed)
	}
	return true, fmt.Sprintf("%s %d is not among %d", what, id, allowed)
}
