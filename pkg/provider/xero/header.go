package xero

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/policy"
)

// rateDecimals is Xero's precision of CurrencyRate.
const rateDecimals = 6

func (b *builder) header(number, contactID, runURL string, lines []line) invoiceBody {
	date := b.date()
	body := invoiceBody{
		Type: "ACCREC", Contact: contactRef{ContactID: contactID},
		Date:            date.Format(time.DateOnly),
		DueDate:         date.AddDate(0, 0, policy.PaymentTerms(b.inv, b.pol)).Format(time.DateOnly),
		LineAmountTypes: "Exclusive", InvoiceNumber: number,
		Reference: cut(clean(policy.Reference(b.inv)), maxReference), Url: sourceURL(runURL),
		CurrencyCode: b.inv.Currency, CurrencyRate: b.currencyRate(), Status: b.status(),
		BrandingThemeID: value(b.pol.BrandingThemeID),
	}
	tracking := b.tracking()
	for _, l := range lines {
		body.LineItems = append(body.LineItems, l.body(tracking))
	}
	return body
}

// currencyRate is how many units of the invoice's currency one unit of the
// organisation's base currency buys: Xero divides by it to reach the base, and
// the shop's base_to_order_rate runs the same way, from the shop's base currency.
// That the shop does not tell: the settings do, and only where it is the
// organisation's is the rate sent. Else Xero takes the day's.
func (b *builder) currencyRate() json.Number {
	base := b.ref.Organisation.BaseCurrency
	rate := b.inv.BaseToOrderRate
	if base == b.inv.Currency || rate == nil {
		return ""
	}
	rounded := rate.Round(rateDecimals)
	if !rounded.IsPositive() || rounded.Equal(decimal.NewFromInt(1)) {
		return ""
	}
	if why := policy.RateUnusable(b.inv, b.pol, base); why != "" {
		b.remarks = append(b.remarks, "no currency rate is sent, Xero takes the day's: "+why)
		return ""
	}
	b.remarks = append(b.remarks, "currency rate: 1 "+base+" = "+rounded.String()+" "+b.inv.Currency+", the shop's")
	return json.Number(rounded.String())
}

// sourceURL is the link "Go to Towpath" in Xero; omitted where Xero would refuse
// the invoice for it: it takes no address that holds its own name.
func sourceURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	if strings.Contains(strings.ToLower(raw), "xero") {
		return ""
	}
	return u.String()
}

func (b *builder) tracking() []trackingBody {
	var options []trackingBody
	for _, t := range b.pol.Tracking {
		options = append(options, trackingBody{Name: t.Name, Option: t.Option})
	}
	return options
}
