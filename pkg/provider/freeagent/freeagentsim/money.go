package freeagentsim

import (
	"encoding/json"
	"math/big"
	"strings"

	"github.com/shopspring/decimal"
)

// Money is computed with fractions of integers here, on purpose not with the
// library and the functions of the client: the two must come to the same.

// number reads a decimal that came as a string or a number.
func number(raw json.RawMessage) (*big.Rat, bool) {
	s := strings.Trim(string(raw), `"`)
	if s == "" || len(s) > 40 || strings.ContainsAny(s, "eE/_xXpP") {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// round rounds half away from zero to places decimals.
func round(r *big.Rat, places int) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	doubled := new(big.Int).Mul(r.Num(), scale)
	doubled.Mul(doubled, big.NewInt(2))
	sign := big.NewInt(int64(doubled.Sign()))
	doubled.Add(doubled, new(big.Int).Mul(sign, r.Denom()))
	whole := new(big.Int).Quo(doubled, new(big.Int).Mul(big.NewInt(2), r.Denom()))
	return new(big.Rat).SetFrac(whole, scale)
}

// show writes a decimal as the wire does: a string with one decimal at least
// and no needless zeros.
func show(r *big.Rat) string {
	s := strings.TrimRight(r.FloatString(10), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

func outside(r *big.Rat) decimal.Decimal {
	return decimal.RequireFromString(r.FloatString(10))
}
