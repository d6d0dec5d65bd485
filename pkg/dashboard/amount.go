package dashboard

import (
	"strings"

	"github.com/shopspring/decimal"
)

// amount is a sum of money as it is stored, a number or a string of one.
type amount string

// UnmarshalJSON takes a number or a string of one.
func (a *amount) UnmarshalJSON(raw []byte) error {
	*a = amount(strings.Trim(string(raw), `"`))
	return nil
}

// IsZero reports whether there is nothing to show: no amount, or one of zero.
func (a amount) IsZero() bool { return strings.Trim(string(a), "-0.") == "" }

// String writes the amount with at least two decimals, and with every digit
// that is stored. Empty for none; what is no amount stays as it is.
func (a amount) String() string {
	if a == "" || a == "null" {
		return ""
	}
	if len(a) > 40 || strings.ContainsAny(string(a), "eE") {
		return string(a)
	}
	d, err := decimal.NewFromString(string(a))
	if err != nil {
		return string(a)
	}
	return d.StringFixed(max(2, -d.Exponent()))
}
