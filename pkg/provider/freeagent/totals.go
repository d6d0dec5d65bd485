package freeagent

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// item is one invoice item and what the ledger will make of it.
type item struct {
	itemType    string
	description string
	quantity    decimal.Decimal
	price       decimal.Decimal // net, at most 2 decimals
	rate        decimal.Decimal // percent
	shopTax     decimal.Decimal // the tax that the shop charged for it
	category    string          // its URL
}

var one = decimal.NewFromInt(1)

// net and tax are the wire's arithmetic, written once: an item's net is
// quantity x price and its tax net x rate, each rounded half up to 2 decimals;
// the invoice is the sum of its items.
func (i item) net() decimal.Decimal { return i.quantity.Mul(i.price).Round(2) }

func (i item) tax() decimal.Decimal { return taxOn(i.net(), i.rate) }

func taxOn(net, percent decimal.Decimal) decimal.Decimal {
	return net.Mul(percent).Shift(-2).Round(2)
}

// lines is a document's items while they are being made.
type lines struct {
	items    []item
	notes    []string
	rounding decimal.Decimal
}

func (l *lines) add(i item, note string) {
	l.items = append(l.items, i)
	l.notes = append(l.notes, note)
}

func (l *lines) totals() (net, tax decimal.Decimal) {
	for _, i := range l.items {
		net = net.Add(i.net())
		tax = tax.Add(i.tax())
	}
	return net, tax
}

// settle makes the items come to the shop's total and its tax, or fails Held with
// total_mismatch: the tax at each rate is put right to the shop's (correctTax);
// what rounding leaves then, within the tolerance, one item without tax takes up.
func (l *lines) settle(total, tolerance decimal.Decimal, category string) error {
	l.correctTax(category)
	left := l.missing(total)
	if left.Abs().GreaterThan(tolerance) {
		text := fmt.Sprintf("the shop's grand total is %s, the ledger would compute %s; the difference %s is above the rounding_tolerance %s",
			total.StringFixed(2), total.Sub(left).StringFixed(2), left.StringFixed(2), tolerance.StringFixed(2))
		if left.Abs().LessThanOrEqual(one) {
			text += "; set rounding_tolerance to " + left.Abs().StringFixed(2)
		}
		return held(provider.HeldTotalMismatch, text)
	}
	l.round(left, category)
	return nil
}

// round adds the item that takes up what is left.
func (l *lines) round(left decimal.Decimal, category string) {
	if left.IsZero() {
		return
	}
	l.rounding = left
	l.add(item{description: "Rounding", quantity: one, price: left, category: category},
		fmt.Sprintf("rounding of %s without tax: the shop rounds otherwise than the ledger", left.StringFixed(2)))
}

func (l *lines) missing(total decimal.Decimal) decimal.Decimal {
	net, tax := l.totals()
	return total.Sub(net).Sub(tax)
}

// correctTax makes the tax at each rate the sum of what the shop charged: since
// the wire takes no tax amounts, one item at the rate carries the difference as
// its tax and a second one without tax takes its net away again. Net sales stay
// as they were, and the tax is what the buyer was charged.
func (l *lines) correctTax(category string) {
	for _, group := range l.byRate() {
		var difference decimal.Decimal
		for _, i := range group {
			difference = difference.Add(i.shopTax).Sub(i.tax())
		}
		rate := group[0].rate
		net := netFor(difference, rate)
		if net.IsZero() {
			continue
		}
		label := fmt.Sprintf("Tax at %s %% as charged by the shop", rate)
		note := fmt.Sprintf("tax at %s %% corrected by %s to the shop's", rate, difference.StringFixed(2))
		l.add(item{description: label, quantity: one, price: net, rate: rate, category: category}, note)
		l.add(item{description: label + ", net", quantity: one, price: net.Neg(), category: category}, note+": its net taken away")
	}
}

// byRate groups the items, in the order in which the rates come first.
func (l *lines) byRate() [][]item {
	var groups [][]item
	for _, i := range l.items {
		at := slices.IndexFunc(groups, func(group []item) bool { return group[0].rate.Equal(i.rate) })
		if at < 0 {
			at, groups = len(groups), append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

// netFor is the net amount whose tax at rate is tax; zero where there is none.
func netFor(tax, rate decimal.Decimal) decimal.Decimal {
	if !rate.IsPositive() {
		return decimal.Zero
	}
	net := tax.Shift(2).DivRound(rate, 2)
	if !taxOn(net, rate).Equal(tax) {
		return decimal.Zero
	}
	return net
}
