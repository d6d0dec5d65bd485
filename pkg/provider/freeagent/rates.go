package freeagent

import (
	"slices"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// ratesFor are the percentages that may be chosen, by who knows best: the
// merchant's tax_rate_map (its keys for where the invoice is delivered, and those
// for any country), the company's own rates, and where neither tells, Britain's.
// The wire has no tax types; no tax is a rate of 0, whatever is known.
func ratesFor(inv canon.Invoice, pol policy.Policy, ref provider.Reference) pricing.Rates {
	zero := percentRate(decimal.Zero)
	rates := pricing.Rates{Zero: &zero, Ledger: ofCompany(ref)}
	country := policy.DeliveryCountry(inv)
	add := func(percent decimal.Decimal) {
		if !slices.ContainsFunc(rates.Known, func(r pricing.Rate) bool { return r.Percent.Decimal.Equal(percent) }) {
			rates.Known = append(rates.Known, percentRate(percent))
		}
	}
	for written := range pol.TaxRateMap {
		if key, ok := policy.ParseTaxKey(written); ok && (key.Country == "" || key.Country == country) {
			add(companysOwn(key, ref))
		}
	}
	if len(rates.Known) == 0 {
		for _, t := range ref.TaxRates {
			add(t.EffectiveRate)
		}
	}
	if len(rates.Known) == 0 && ref.TaxRates == nil {
		for _, percent := range []int64{0, 5, 20} {
			add(decimal.NewFromInt(percent))
		}
	}
	// A map has no order, a document must.
	slices.SortFunc(rates.Known, func(a, b pricing.Rate) int { return a.Percent.Decimal.Cmp(b.Percent.Decimal) })
	return rates
}

// companysOwn is the company's rate that the key means, which may have more
// decimals; else the key's.
func companysOwn(key policy.TaxKey, ref provider.Reference) decimal.Decimal {
	for _, t := range ref.TaxRates {
		if key.Means(t.EffectiveRate) {
			return t.EffectiveRate
		}
	}
	return key.Percent
}

func percentRate(percent decimal.Decimal) pricing.Rate {
	return pricing.Rate{Percent: decimal.NewNullDecimal(percent)}
}

// ofCompany are the company's rates; nil where it did not tell.
func ofCompany(ref provider.Reference) []pricing.Rate {
	if ref.TaxRates == nil {
		return nil
	}
	list := []pricing.Rate{}
	for _, t := range ref.TaxRates {
		list = append(list, percentRate(t.EffectiveRate))
	}
	return list
}

// allowedBy holds a document with a rate that the ledger's company does not
// have: the ledger would refuse it, or, not being registered, charge nothing.
func allowedBy(ref provider.Reference, rate decimal.Decimal) error {
	if rate.IsZero() || ref.TaxRates == nil {
		return nil
	}
	for _, t := range ref.TaxRates {
		if t.EffectiveRate.Equal(rate) {
			return nil
		}
	}
	return held(provider.HeldTaxRateNotMapped, "the ledger's company has no sales tax rate of "+rateText(rate)+
		" %: give it that rate in the ledger, or register it for sales tax there")
}

// rateText is a percentage as the wire has it: two decimals, more where it has more.
func rateText(percent decimal.Decimal) string { return policy.PercentText(percent) }
