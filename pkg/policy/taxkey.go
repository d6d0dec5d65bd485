package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// TaxKey is a key of tax_rate_map: a percentage of two to four decimals, with
// the country of the delivery before it where the rate is meant for that only:
// "20.00", "8.875", "AT:20.00".
type TaxKey struct {
	Country string // ISO 3166-1 alpha-2; empty: any
	Percent decimal.Decimal
	// Decimals are those that were written. A ledger's rate with more of them is
	// meant by a key that is it, rounded.
	Decimals int32
}

var taxKey = regexp.MustCompile(`^(?:([A-Z]{2}):)?(0|[1-9][0-9]{0,2})\.([0-9]{2,4})$`)

// ParseTaxKey reads a key; ok is false where it is none.
func ParseTaxKey(s string) (key TaxKey, ok bool) {
	parts := taxKey.FindStringSubmatch(s)
	if parts == nil {
		return TaxKey{}, false
	}
	percent, err := decimal.NewFromString(parts[2] + "." + parts[3])
	if err != nil || percent.GreaterThan(decimal.NewFromInt(100)) {
		return TaxKey{}, false
	}
	return TaxKey{Country: parts[1], Percent: percent, Decimals: int32(len(parts[3]))}, true
}

// Means reports whether the key stands for the ledger's rate of percent.
func (k TaxKey) Means(percent decimal.Decimal) bool {
	return percent.Round(k.Decimals).Equal(k.Percent)
}

// PercentText is percent as a key has it: without needless zeros, but with two
// decimals at least and four at most.
func PercentText(percent decimal.Decimal) string {
	text := percent.StringFixed(4)
	return strings.TrimSuffix(strings.TrimSuffix(text, "0"), "0")
}

// DeliveryCountry is where inv is delivered to, which is where its tax is due;
// empty where the shop told no country.
func DeliveryCountry(inv canon.Invoice) string {
	for _, address := range []*canon.Address{inv.ShippingAddress, inv.BillingAddress} {
		if address != nil && address.CountryID != "" {
			return strings.ToUpper(strings.TrimSpace(address.CountryID))
		}
	}
	return ""
}

func readTaxRateMap(o object, name string, to map[string]string) {
	nested, ok := o.object(name)
	if !ok {
		return
	}
	var seen []TaxKey
	for rate := range nested.fields {
		key, ok := ParseTaxKey(rate)
		if !ok {
			nested.take(rate)
			nested.fail(shown(rate), InvalidFormat, "write the rate as a percentage with two to four decimals, such as 20.00 or 8.875; before it may stand the country of the delivery, such as AT:20.00")
			continue
		}
		if slices.ContainsFunc(seen, func(other TaxKey) bool { return other.Country == key.Country && other.Percent.Equal(key.Percent) }) {
			nested.fail(rate, InvalidFormat, "is given twice, with more and with fewer decimals; keep one")
		}
		seen = append(seen, key)
		var taxType string
		nested.required(rate, &taxType, maxTaxType)
		to[rate] = taxType
	}
}
