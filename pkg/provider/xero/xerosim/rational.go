package xerosim

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// rational reads a JSON number or a numeric string; absent is nil.
func rational(raw any) (*big.Rat, error) {
	var text string
	switch v := raw.(type) {
	case nil:
		return nil, nil
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	default:
		return nil, fmt.Errorf("%v is not a number", raw)
	}
	if len(text) > 40 {
		return nil, fmt.Errorf("%q has too many digits", text)
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 4 {
		return nil, fmt.Errorf("%q is out of range", text)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || strings.Contains(text, "/") {
		return nil, fmt.Errorf("%q is not a number", text)
	}
	return r, nil
}

// rounded is r to the given decimals, an exact half away from zero.
func rounded(r *big.Rat, decimals int) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	n := new(big.Int).Mul(r.Num(), scale)
	n.Mul(n.Abs(n), big.NewInt(2)).Add(n, r.Denom())
	n.Quo(n, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	if r.Sign() < 0 {
		n.Neg(n)
	}
	return new(big.Rat).SetFrac(n, scale)
}

func sumOf(values ...*big.Rat) *big.Rat {
	total := new(big.Rat)
	for _, v := range values {
		total.Add(total, v)
	}
	return total
}
