package xero

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// Xero's arithmetic, written once. A line's amount is quantity x unit amount
// less the discount, rounded to two decimals; a given TaxAmount is taken as it
// is; the sums are those of the lines. Whether Xero rounds an exact half up or
// to even is not known for certain, so no line is built that depends on it
// (multipliesOut).

type totals struct {
	sub decimal.Decimal
	tax decimal.Decimal
}

func (t totals) total() decimal.Decimal { return t.sub.Add(t.tax) }

func sum(lines []line) totals {
	var t totals
	for _, l := range lines {
		t.sub = t.sub.Add(l.amount())
		t.tax = t.tax.Add(l.tax)
	}
	return t
}

// money rounds to pence, an exact half away from zero as the shop does.
func money(d decimal.Decimal) decimal.Decimal { return d.Round(2) }

const (
	maxDecimals       = 4  // of Quantity, and of UnitAmount with unitdp=4
	maxQuantityDigits = 13 // of Quantity as text
)

// multipliesOut reports whether Xero comes to net from quantity x unit less
// discount, whichever way it rounds an exact half, and may be sent like that.
func multipliesOut(quantity, unit, discount, net decimal.Decimal) bool {
	if !quantity.IsPositive() || places(quantity) > maxDecimals || len(quantity.String()) > maxQuantityDigits || places(unit) > maxDecimals {
		return false
	}
	gross := quantity.Mul(unit)
	if discount.GreaterThan(gross) && !discount.IsZero() {
		return false // "Discount must not be greater than the line total"
	}
	off := gross.Sub(discount).Sub(net).Abs()
	return off.LessThan(decimal.New(5, -3))
}

// places is how many decimals d needs.
func places(d decimal.Decimal) int {
	n := int(-d.Exponent())
	for n > 0 && d.Equal(d.Truncate(int32(n-1))) {
		n--
	}
	return max(n, 0)
}

// number is d as a JSON number with at least min decimals.
func number(d decimal.Decimal, min int) json.Number {
	if places(d) < min {
		return json.Number(d.StringFixed(int32(min)))
	}
	return json.Number(d.String())
}
