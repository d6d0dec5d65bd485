package xero

import (
	"net/http"
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

// Rules are the names of the rows of the table of answers, and of what remains.
func Rules() []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	for _, status := range []int{http.StatusNoContent, http.StatusNotModified, http.StatusConflict, http.StatusInternalServerError} {
		names = append(names, otherwise(status).name)
	}
	return names
}

// RuleFor is the name of the row that decides on an operation's answer.
func RuleFor(operation string, status int, header http.Header, body string) string {
	return ruleFor(reply{operation: operation, status: status, header: header, body: body}).name
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
