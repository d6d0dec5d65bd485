package xero

import (
	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// ChosenTaxTypes are the types chosen for the rows of inv, in order.
func ChosenTaxTypes(inv canon.Invoice, pol policy.Policy, ref provider.Reference) ([]string, error) {
	b := builder{inv: inv, pol: pol, ref: ref}
	rates, err := taxTableOf(pol, ref).chooseAll(b.sales())
	var types []string
	for _, r := range rates {
		types = append(types, r.taxType)
	}
	return types, err
}
