package policy

import (
	"encoding/json"
	"strings"

	"towpath/pkg/provider"
)

// Offer is a value that a setting may have, with what people know it by.
type Offer struct{ Value, Text string }

// Offers are what the ledger has for a setting, by the rules of Check; false where the
// ledger did not tell, or the setting refers to nothing of it.
func (f Field) Offers(ref provider.Reference, wire string) ([]Offer, bool) {
	switch f.Kind {
	case Account:
		if wire == provider.WireV2 && f.Wire == "" {
			return categories(ref)
		}
		return accounts(ref, f.Carries)
	case Category:
		return categories(ref)
	case TaxType, TaxTypeByRate:
		return taxTypes(ref)
	case Bank, BankByKey:
		return banks(ref)
	case Theme:
		return themes(ref)
	case Tracking:
		return trackingOptions(ref)
	}
	return nil, false
}

func accounts(ref provider.Reference, types []string) ([]Offer, bool) {
	var offers []Offer
	for _, a := range ref.Accounts {
		if carries(a, types) && a.Code != "" {
			offers = append(offers, Offer{a.Code, a.Code + " " + a.Name})
		}
	}
	return offers, ref.Accounts != nil
}

func banks(ref provider.Reference) ([]Offer, bool) {
	var offers []Offer
	for _, a := range ref.Accounts {
		if takesPayments(a) {
			offers = append(offers, Offer{a.ID, strings.TrimSpace(a.Code + " " + a.Name + " " + a.Currency)})
		}
	}
	return offers, ref.Accounts != nil
}

func taxTypes(ref provider.Reference) ([]Offer, bool) {
	var offers []Offer
	for _, r := range ref.TaxRates {
		if sellable(r) {
			offers = append(offers, Offer{r.TaxType, r.Name + ", " + r.EffectiveRate.String() + " % (" + r.TaxType + ")"})
		}
	}
	return offers, ref.TaxRates != nil
}

func themes(ref provider.Reference) ([]Offer, bool) {
	var offers []Offer
	for _, t := range ref.Themes {
		offers = append(offers, Offer{t.ID, t.Name})
	}
	return offers, ref.Themes != nil
}

func categories(ref provider.Reference) ([]Offer, bool) {
	var offers []Offer
	for _, c := range ref.Categories {
		offers = append(offers, Offer{c.URL, strings.TrimSpace(c.NominalCode + " " + c.Description)})
	}
	return offers, ref.Categories != nil
}

// encoded is an option as the settings have it.
func encoded(t TrackingOption) []byte {
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err) // unreachable: it is two texts
	}
	return raw
}

func trackingOptions(ref provider.Reference) ([]Offer, bool) {
	var offers []Offer
	for _, c := range ref.Tracking {
		for _, option := range c.Options {
			t := TrackingOption{Name: c.Name, Option: option}
			offers = append(offers, Offer{string(encoded(t)), c.Name + ": " + option})
		}
	}
	return offers, ref.Tracking != nil
}
