package policy

import (
	"bytes"
	"encoding/json"
	"strconv"

	"towpath/pkg/canon"
)

// BaseCurrency is the currency that the shop's base_to_order_rate counts from: one
// for the shop, or by website, as Magento's price scope has it. The zero value is
// not known.
type BaseCurrency struct {
	Code      string            // of every website
	ByWebsite map[string]string // website id -> code; read where Code is empty
}

// Of is the base currency of inv's website; empty where it is not known.
func (b BaseCurrency) Of(inv canon.Invoice) string {
	if b.Code != "" {
		return b.Code
	}
	return b.ByWebsite[strconv.FormatInt(int64(inv.WebsiteID), 10)]
}

// MarshalJSON writes null, a code, or an object by website id.
func (b BaseCurrency) MarshalJSON() ([]byte, error) {
	switch {
	case b.Code != "":
		return json.Marshal(b.Code)
	case b.ByWebsite != nil:
		return json.Marshal(b.ByWebsite)
	}
	return []byte("null"), nil
}

func readBaseCurrency(o object, name string, to *BaseCurrency) {
	const advice = "write the ISO 4217 code of a currency, such as GBP"
	raw, given := o.fields[name]
	if given && bytes.HasPrefix(raw, []byte("{")) {
		nested, _ := o.object(name)
		to.ByWebsite = map[string]string{}
		for website := range nested.fields {
			if !isID(website) {
				nested.take(website)
				nested.fail(shown(website), InvalidFormat, "write the id of a website, such as 1")
				continue
			}
			code, ok := nested.string(website)
			switch {
			case !ok: // null is as good as absent
			case !isCurrency(code):
				nested.fail(website, InvalidFormat, advice)
			default:
				to.ByWebsite[website] = code
			}
		}
		return
	}
	code, ok := o.string(name)
	if ok && code != "" && !isCurrency(code) {
		o.fail(name, InvalidFormat, advice+`, or by website id {"1": "GBP", "2": "EUR"}`)
		return
	}
	to.Code = code
}

// RateUnusable says why inv's base_to_order_rate cannot be given to a ledger whose
// base currency is ledger; empty where it can. A rate from another currency would
// book every amount wrong by their ratio, in silence.
func RateUnusable(inv canon.Invoice, p Policy, ledger string) string {
	base := p.ShopBaseCurrency.Of(inv)
	switch {
	case base == "":
		return "shop_base_currency is not set for website " + strconv.FormatInt(int64(inv.WebsiteID), 10) + ", so it is not known what the shop's rate counts from"
	case ledger == "":
		return "the ledger's base currency is not known"
	case base != ledger:
		return "the shop's rate counts from " + base + " (shop_base_currency), the ledger's base currency is " + ledger
	}
	return ""
}
