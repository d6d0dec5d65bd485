package xero

import (
	"time"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// ChosenTaxTypes are the types chosen for the rows of inv, in order.
func ChosenTaxTypes(inv canon.Invoice, pol policy.Policy, ref provider.Reference) ([]string, error) {
	b := builder{inv: inv, sale: pricing.Invoice(inv), pol: pol, ref: ref}
	priced, err := b.price()
	var types []string
	for _, l := range priced.Lines {
		types = append(types, l.Rate.Type)
	}
	return types, err
}

// ContactJSON is the body that creates buyer under his first name.
func ContactJSON(buyer policy.Buyer) ([]byte, error) {
	return newWanted(buyer, "").body()
}

// Zones are the locations of all of Xero's time zones; nil where one is missing.
func Zones() map[string]*time.Location {
	found := map[string]*time.Location{}
	for name := range zones {
		found[name] = nil
		if l := location(name); l.String() == zones[name] {
			found[name] = l
		}
	}
	return found
}

// UnderRace: the race detector makes the published specification's validator, in which
// it has nothing to find, seven times slower; .ci/run asks it in a step of its own.
const UnderRace = underRace
