package policy

import (
	"fmt"
	"slices"
	"time"

	"towpath/pkg/canon"
	"towpath/pkg/provider"
)

// DecideCreditMemo asks the filters of invoices, as far as they concern a memo. A memo of an invoice is as old as
// that invoice; whether the invoice itself was synced is for the caller to know.
func DecideCreditMemo(memo canon.CreditMemo, p Policy) Decision {
	return ask([]question{
		{"sync_zero_value_invoices", SkipZeroValue, func() (bool, string) { return zeroMemo(memo, p) }},
		{"sync_since", SkipOutsideSince, func() (bool, string) {
			if memo.InvoiceCreatedAt != nil {
				return createdBefore("its invoice was created", *memo.InvoiceCreatedAt, p)
			}
			return createdBefore("created", memo.CreatedAt, p)
		}},
		{"website_filter", SkipWebsite, func() (bool, string) { return outside("website", int64(memo.WebsiteID), p.WebsiteFilter) }},
		{"store_filter", SkipStore, func() (bool, string) { return outside("store", int64(memo.StoreID), p.StoreFilter) }},
	})
}

// DecideCustomer asks whether a customer's contact is written. One that the ledger
// has already is kept up to date; known says so.
func DecideCustomer(who canon.Customer, known bool, p Policy) Decision {
	if known {
		return outcome(Post, "", Rule{"sync_customers", false, "the customer has a contact in the ledger, which is kept up to date"})
	}
	return ask([]question{
		{"website_filter", SkipWebsite, func() (bool, string) { return outside("website", int64(who.WebsiteID), p.WebsiteFilter) }},
		{"sync_customers", SkipCustomersOff, func() (bool, string) {
			if p.SyncCustomers {
				return false, "customers who have not bought yet are synced"
			}
			return true, "the customer has no contact in the ledger; customers who have not bought yet are not synced"
		}},
		{"b2c_consolidation", SkipCustomersOff, func() (bool, string) {
			b := p.B2CConsolidation
			if b.Enabled && !(b.AlwaysIndividualForB2B && CleanName(who.CompanyName()) != "") {
				return true, "consumers are booked on a shared contact; an order that gets its own makes it"
			}
			return false, "the customer gets a contact of its own"
		}},
	})
}

// DecideProduct asks whether a product is written to the ledger's price list. Wire
// v2 has none.
func DecideProduct(product canon.Product, p Policy, wire string) Decision {
	return ask([]question{
		{"wire", SkipProductTypeOther, func() (bool, string) {
			return wire == provider.WireV2, "the binding speaks wire " + wire
		}},
		{"website_filter", SkipWebsite, func() (bool, string) { return onNone(product.WebsiteIDs, p.WebsiteFilter) }},
		{"sync_products", SkipProductsOff, func() (bool, string) {
			if p.SyncProducts {
				return false, "products are synced"
			}
			return true, "products are not synced"
		}},
	})
}

// question is one that is put to a document.
type question struct {
	setting, reason string
	put             func() (hit bool, text string)
}

// ask stops at the first question that hits.
func ask(questions []question) Decision {
	d := Decision{Action: Post, Rules: []Rule{}}
	for _, q := range questions {
		hit, text := q.put()
		d.Rules = append(d.Rules, Rule{Name: q.setting, Hit: hit, Text: text})
		if hit {
			d.Action, d.Reason = Skip, q.reason
			break
		}
	}
	return d
}

// zeroMemo judges what was given back, not how: a gift card that takes all back
// leaves a grand total of nothing, and revenue and tax that are to be taken back.
func zeroMemo(memo canon.CreditMemo, p Policy) (bool, string) {
	total := "the grand total is " + memo.GrandTotal.StringFixed(2) + " " + memo.Currency
	worth := !memo.GrandTotal.IsZero() || !memo.ShippingAmount.IsZero() || !memo.AdjustmentPositive.IsZero() || !memo.AdjustmentNegative.IsZero() ||
		slices.ContainsFunc(memo.Lines, func(l canon.Line) bool { return !l.LineSubtotal.IsZero() || !l.LineTax.IsZero() })
	switch {
	case worth:
		return false, total
	case p.SyncZeroValueInvoices:
		return false, "nothing was given back, documents of zero value are synced"
	}
	return true, "nothing was given back, documents of zero value are not synced"
}

func createdBefore(what string, at time.Time, p Policy) (bool, string) {
	if p.SyncSince == nil {
		return false, "no start date is set"
	}
	created, since := at.UTC().Format(time.RFC3339), p.SyncSince.UTC().Format(time.RFC3339)
	if at.Before(*p.SyncSince) {
		return true, fmt.Sprintf("%s %s, before %s", what, created, since)
	}
	return false, fmt.Sprintf("%s %s, not before %s", what, created, since)
}

// onNone is outside for what is on several websites.
func onNone(websites []canon.Int, allowed []int64) (bool, string) {
	if len(allowed) == 0 {
		return false, "every website is synced"
	}
	for _, id := range websites {
		if slices.Contains(allowed, int64(id)) {
			return false, fmt.Sprintf("website %d is among %d", id, allowed)
		}
	}
	return true, fmt.Sprintf("none of the websites %d is among %d", websites, allowed)
}
