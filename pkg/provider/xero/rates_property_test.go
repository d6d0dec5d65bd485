package xero_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero"
)

// The tax type of a line is the one of the rate that the shop had, wherever the
// amounts let anybody tell: seven rates, two of them a point apart, over
// thousands of drawn lines. On pennies several rates give the same tax.
func Test_Tax_types_are_those_of_the_shops_rates(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	draw := rapid.Custom(canontest.DrawCart)
	right, wrong, wrongOnPounds := 0, 0, 0
	for i := range 1000 {
		cart := draw.Example(i)
		inv := cart.Invoice(int64(i+1), time.Unix(1_777_000_000, 0))
		rates, err := xero.ChosenTaxTypes(inv, l.pol, l.ref)
		if err != nil {
			requireHeld(t, err)
			continue
		}
		for n, item := range cart.Items {
			if rates[n] == l.taxType(cart, item) {
				right++
				continue
			}
			if !inv.Lines[rowOf(cart, n)].LineTax.IsZero() {
				wrong++
				if inv.Lines[rowOf(cart, n)].LineTax.GreaterThan(dec("5")) {
					wrongOnPounds++
				}
			}
		}
	}
	t.Logf("lines with the shop's rate %d, with another %d, of these with a tax above 5.00: %d", right, wrong, wrongOnPounds)
	require.Less(t, wrongOnPounds*100, right)
}

// rowOf is the canonical line of the n-th item: a configurable has a child row.
func rowOf(cart magentosim.Cart, n int) int {
	row := n
	for _, item := range cart.Items[:n] {
		if item.Configurable {
			row++
		}
	}
	return row
}
