package xero

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/policy"
	"towpath/pkg/pricing"
)

// rates are the merchant's tax types for what is delivered where this invoice is.
// No tax is ever posted as "none" in silence: what these do not explain is held.
func (b *builder) rates() pricing.Rates {
	country := policy.DeliveryCountry(b.inv)
	rates := pricing.Rates{Known: b.mapped(country), Ledger: b.ofLedger()}
	fallback, told := b.fallback()
	switch {
	case b.pol.TaxType == "":
	case !told && len(rates.Known) == 0:
		rates.Only = &fallback
	case told && !hasPercent(rates.Known, fallback.Percent.Decimal):
		rates.Known = append(rates.Known, fallback)
		sortRates(rates.Known)
	}
	rates.Zero = b.zero(rates.Known, fallback)
	return rates
}

// mapped are those of tax_rate_map, a key with the country before one without.
// The ledger's own figure goes before the key's, which may be rounded.
func (b *builder) mapped(country string) []pricing.Rate {
	var list []pricing.Rate
	for _, ofCountry := range []bool{true, false} {
		var these []pricing.Rate
		for _, written := range slices.Sorted(maps.Keys(b.pol.TaxRateMap)) {
			key, ok := policy.ParseTaxKey(written)
			if !ok || b.pol.TaxRateMap[written] == "" || key.Country != "" && key.Country != country || (key.Country != "") != ofCountry {
				continue
			}
			rate := pricing.Rate{Percent: decimal.NewNullDecimal(key.Percent), Type: b.pol.TaxRateMap[written]}
			if told, ok := b.percentOf(rate.Type); ok && key.Means(told) {
				rate.Percent = decimal.NewNullDecimal(told)
			}
			if !hasPercent(list, rate.Percent.Decimal) {
				these = append(these, rate)
			}
		}
		list = append(list, these...)
	}
	sortRates(list)
	return list
}

// fallback is default_xero_tax_type; told is whether Xero told its rate.
func (b *builder) fallback() (rate pricing.Rate, told bool) {
	rate = pricing.Rate{Type: b.pol.TaxType}
	percent, told := b.percentOf(b.pol.TaxType)
	if told {
		rate.Percent = decimal.NewNullDecimal(percent)
	}
	return rate, told
}

// zero is the type for what bears no tax: the map's "0.00", else the default type
// unless its rate is known and would have given tax.
func (b *builder) zero(known []pricing.Rate, fallback pricing.Rate) *pricing.Rate {
	for i := range known {
		if known[i].Percent.Decimal.IsZero() {
			return &known[i]
		}
	}
	if b.pol.TaxType != "" && !fallback.Percent.Valid {
		return &fallback
	}
	return nil
}

func (b *builder) percentOf(taxType string) (decimal.Decimal, bool) {
	for _, rate := range b.ref.TaxRates {
		if rate.TaxType == taxType {
			return rate.EffectiveRate, true
		}
	}
	return decimal.Zero, false
}

// ofLedger are the rates that sales may bear; nil where Xero did not tell.
func (b *builder) ofLedger() []pricing.Rate {
	if b.ref.TaxRates == nil {
		return nil
	}
	list := []pricing.Rate{}
	for _, rate := range b.ref.TaxRates {
		if rate.Status == "ACTIVE" && rate.CanApplyToRevenue {
			list = append(list, pricing.Rate{Percent: decimal.NewNullDecimal(rate.EffectiveRate), Type: rate.TaxType})
		}
	}
	return list
}

// remarkCountry says where a delivery abroad bears a type that the settings do
// not give for that country: the rate may be alike, the return is not.
func (b *builder) remarkCountry(lines []pricing.Line) {
	country, home := policy.DeliveryCountry(b.inv), b.ref.Organisation.CountryCode
	if country == "" || home == "" || strings.EqualFold(country, home) {
		return
	}
	seen := map[string]bool{}
	for _, l := range lines {
		if l.Rate.Type == "" || seen[l.Rate.Type] || !l.Rate.Percent.Valid {
			continue
		}
		seen[l.Rate.Type] = true
		key := country + ":" + policy.PercentText(l.Rate.Percent.Decimal)
		if _, ofCountry := b.pol.TaxRateMap[key]; !ofCountry {
			b.remarks = append(b.remarks, "delivered to "+country+" and taxed as "+l.Rate.String()+
				", which the settings give for any country: where the tax is due there, give its tax type as \""+key+"\" in tax_rate_map")
		}
	}
}

func sortRates(list []pricing.Rate) {
	slices.SortStableFunc(list, func(a, b pricing.Rate) int {
		return cmp.Or(a.Percent.Decimal.Cmp(b.Percent.Decimal), cmp.Compare(a.Type, b.Type))
	})
}

func hasPercent(list []pricing.Rate, percent decimal.Decimal) bool {
	return slices.ContainsFunc(list, func(r pricing.Rate) bool { return r.Percent.Decimal.Equal(percent) })
}
