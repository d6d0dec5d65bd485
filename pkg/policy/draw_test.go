package policy_test

import (
	"strconv"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"towpath/pkg/policy"
)

// drawPolicy is any policy that Parse accepts.
func drawPolicy(t *rapid.T) policy.Policy {
	p := policy.Default()
	p.SyncUnpaidInvoices = rapid.Bool().Draw(t, "unpaid")
	p.SyncZeroValueInvoices = rapid.Bool().Draw(t, "zero")
	p.SyncProducts = rapid.Bool().Draw(t, "products")
	if rapid.Bool().Draw(t, "since set") {
		since := time.Unix(rapid.Int64Range(1_735_689_600, 1_800_000_000).Draw(t, "since"), 0).UTC()
		p.SyncSince = &since
	}
	ids := rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 3)
	p.WebsiteFilter = append([]int64{}, ids.Draw(t, "websites")...)
	p.StoreFilter = append([]int64{}, ids.Draw(t, "stores")...)
	p.RevenueAccountCode = word(10).Draw(t, "revenue")
	p.ShippingAccountCode = word(10).Draw(t, "shipping")
	p.TaxType = word(50).Draw(t, "tax type")
	percent := rapid.Custom(func(t *rapid.T) string {
		country := rapid.SampledFrom([]string{"", "AT:", "DE:"}).Draw(t, "country")
		return country + policy.PercentText(decimal.New(rapid.Int64Range(0, 1_000_000).Draw(t, "percent"), -4))
	})
	p.TaxRateMap = rapid.MapOfN(percent, nonEmpty(), 0, 4).Draw(t, "rates")
	p.SyncCustomers = rapid.Bool().Draw(t, "customers")
	p.PaidOtherwiseAccount = word(255).Draw(t, "paid otherwise")
	p.ChargesAccount = word(255).Draw(t, "charges")
	currency := rapid.SampledFrom([]string{"GBP", "EUR", "JPY", "KWD", "VES"})
	id := rapid.Map(rapid.Int64Range(0, 4), func(n int64) string { return strconv.FormatInt(n, 10) })
	switch rapid.IntRange(0, 2).Draw(t, "base currency") {
	case 1:
		p.ShopBaseCurrency.Code = currency.Draw(t, "code")
	case 2:
		p.ShopBaseCurrency.ByWebsite = rapid.MapOfN(id, currency, 0, 3).Draw(t, "by website")
	}
	p.NumberPrefixByStore = rapid.MapOfN(id, rapid.StringMatching(`[!-~]{0,32}`), 0, 3).Draw(t, "store prefixes")
	p.InvoiceStatus = rapid.SampledFrom([]string{"DRAFT", "SUBMITTED", "AUTHORISED"}).Draw(t, "status")
	p.PaymentTermsDays = rapid.IntRange(0, 365).Draw(t, "terms")
	group := rapid.Map(rapid.IntRange(0, 4), strconv.Itoa)
	p.PaymentTermsByGroup = rapid.MapOfN(group, rapid.IntRange(0, 365), 0, 3).Draw(t, "groups")
	p.InvoiceNumberPrefix = maybe(t, "prefix", rapid.StringMatching(`[!-~]{1,32}`))
	p.CustomerNamePriority = rapid.SampledFrom([]string{"company", "person"}).Draw(t, "priority")
	p.RoundingTolerance = decimal.New(rapid.Int64Range(0, 100).Draw(t, "tolerance"), -2)
	p.BrandingThemeID = maybe(t, "theme", rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`))
	for i := range rapid.IntRange(0, 2).Draw(t, "tracking") {
		p.Tracking = append(p.Tracking, policy.TrackingOption{Name: strconv.Itoa(i), Option: nonEmpty().Draw(t, "option")})
	}
	p.B2CConsolidation = drawConsolidation(t)
	p.PaymentMethodMap = rapid.MapOfN(nonEmpty(), rapid.Ptr(nonEmpty(), true), 0, 3).Draw(t, "methods")
	p.DefaultBankAccountID = maybe(t, "bank", nonEmpty())
	p.V2IncomeCategoryURL = maybe(t, "category", rapid.StringMatching(`https://[a-z]{1,9}\.example\.com/v2/categories/[0-9]{3}`))
	p.V2PaymentTermsDays = rapid.IntRange(0, 365).Draw(t, "v2 terms")
	p.V2InvoiceStatus = rapid.SampledFrom([]string{"Draft", "Sent"}).Draw(t, "v2 status")
	p.V2ItemTypeMap = rapid.MapOfN(nonEmpty(), rapid.SampledFrom([]string{"Products", "Services"}), 0, 3).Draw(t, "item types")
	return p
}

func drawConsolidation(t *rapid.T) policy.B2CConsolidation {
	b := policy.B2CConsolidation{
		Enabled:                rapid.Bool().Draw(t, "b2c"),
		FallbackContactName:    word(255).Draw(t, "fallback name"),
		FallbackContactEmail:   rapid.SampledFrom([]string{"", "shop@example.com"}).Draw(t, "fallback email"),
		AlwaysIndividualForB2B: rapid.Bool().Draw(t, "b2b individual"),
	}
	if rapid.Bool().Draw(t, "minimum set") {
		minimum := decimal.New(rapid.Int64Range(0, 1_000_000).Draw(t, "minimum"), -2)
		b.MinTotalForIndividual = &minimum
	}
	return b
}

func word(max int) *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.Map(rapid.StringMatching(`[0-9A-Za-zé&"\\№]{1,10}`), func(s string) string {
		return string([]rune(s)[:min(max, len([]rune(s)))])
	}))
}

func nonEmpty() *rapid.Generator[string] { return rapid.StringMatching(`[0-9A-Za-z&"\\№]{1,12}`) }

func maybe(t *rapid.T, label string, g *rapid.Generator[string]) *string {
	return rapid.Ptr(g, true).Draw(t, label)
}
