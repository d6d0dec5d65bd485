package policy_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// setting is the default policy with a change.
func setting(change func(*policy.Policy)) policy.Policy {
	p := policy.Default()
	change(&p)
	return p
}

func Test_Credit_memo_is_filtered_as_its_invoice_is(t *testing.T) {
	t.Parallel()
	invoiced := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	memo := canon.CreditMemo{WebsiteID: 1, StoreID: 3, GrandTotal: decimal.NewFromInt(5), InvoiceCreatedAt: &invoiced, CreatedAt: invoiced.AddDate(0, 2, 0)}
	ofOrder := memo
	ofOrder.InvoiceCreatedAt = nil
	nothing, card := memo, memo
	nothing.GrandTotal = decimal.Zero
	card.GrandTotal, card.Lines = decimal.Zero, []canon.Line{{LineSubtotal: decimal.NewFromInt(5)}}
	may := invoiced.AddDate(0, 1, 0)
	noZero := setting(func(p *policy.Policy) { p.SyncZeroValueInvoices = false })
	since := setting(func(p *policy.Policy) { p.SyncSince = &may })
	for name, c := range map[string]struct {
		memo   canon.CreditMemo
		pol    policy.Policy
		reason string
	}{
		"posted":                             {memo, policy.Default(), ""},
		"of an invoice before the start":     {memo, since, "outside_sync_since"},
		"of an order, itself after it":       {ofOrder, since, ""},
		"other website":                      {memo, setting(func(p *policy.Policy) { p.WebsiteFilter = []int64{2} }), "website_filtered"},
		"other store, as the event says":     {memo, setting(func(p *policy.Policy) { p.StoreFilter = []int64{2} }), "store_filtered"},
		"own store, as the event says":       {memo, setting(func(p *policy.Policy) { p.StoreFilter = []int64{3} }), ""},
		"nothing given back":                 {nothing, noZero, "zero_value_invoice"},
		"nothing given back, posted so":      {nothing, policy.Default(), ""},
		"all given back on a gift card":      {card, noZero, ""},
		"zero before since, website, store":  {nothing, setting(func(p *policy.Policy) { p.SyncZeroValueInvoices, p.SyncSince, p.StoreFilter = false, &may, []int64{2} }), "zero_value_invoice"},
		"since before website and the store": {memo, setting(func(p *policy.Policy) { p.SyncSince, p.WebsiteFilter, p.StoreFilter = &may, []int64{2}, []int64{2} }), "outside_sync_since"},
	} {
		d := policy.DecideCreditMemo(c.memo, c.pol)
		require.Equal(t, c.reason, d.Reason, name)
		require.Equal(t, c.reason != "", d.Action == policy.Skip, name)
	}
}

func Test_Only_known_customers_are_written_by_default(t *testing.T) {
	t.Parallel()
	who := canon.Customer{Contact: canon.Contact{MagentoID: 7, WebsiteID: 1}}
	b2b := who
	b2b.Company = pointer("ACME")
	on := func(change func(*policy.Policy)) policy.Policy {
		return setting(func(p *policy.Policy) {
			p.SyncCustomers = true
			change(p)
		})
	}
	shared := on(func(p *policy.Policy) {
		p.B2CConsolidation.Enabled, p.B2CConsolidation.AlwaysIndividualForB2B = true, true
	})
	for name, c := range map[string]struct {
		who    canon.Customer
		known  bool
		pol    policy.Policy
		reason string
	}{
		"known":                                {who, true, policy.Default(), ""},
		"known, of another website meanwhile":  {who, true, setting(func(p *policy.Policy) { p.WebsiteFilter = []int64{2} }), ""},
		"never bought":                         {who, false, policy.Default(), "customers_not_synced"},
		"never bought, wanted":                 {who, false, on(func(*policy.Policy) {}), ""},
		"never bought, wanted, other website":  {who, false, on(func(p *policy.Policy) { p.WebsiteFilter = []int64{2} }), "website_filtered"},
		"a consumer among many on one contact": {who, false, shared, "customers_not_synced"},
		"a company beside them":                {b2b, false, shared, ""},
	} {
		require.Equal(t, c.reason, policy.DecideCustomer(c.who, c.known, c.pol).Reason, name)
	}
}

func Test_Products_are_written_only_where_it_is_wanted_and_possible(t *testing.T) {
	t.Parallel()
	product := canon.Product{MagentoID: 1, SKU: "A", WebsiteIDs: []canon.Int{1, 2}}
	on := setting(func(p *policy.Policy) { p.SyncProducts = true })
	elsewhere := setting(func(p *policy.Policy) { p.SyncProducts, p.WebsiteFilter = true, []int64{3} })
	second := setting(func(p *policy.Policy) { p.SyncProducts, p.WebsiteFilter = true, []int64{2} })
	require.Equal(t, "products_not_synced", policy.DecideProduct(product, policy.Default(), provider.WireAccounting).Reason)
	require.Equal(t, policy.Post, policy.DecideProduct(product, on, provider.WireAccounting).Action)
	require.Equal(t, policy.Post, policy.DecideProduct(product, second, provider.WireAccounting).Action)
	require.Equal(t, "website_filtered", policy.DecideProduct(product, elsewhere, provider.WireAccounting).Reason)
	require.Equal(t, "PRODUCT_TYPE_NOT_SUPPORTED", policy.DecideProduct(product, on, provider.WireV2).Reason)
}

func Test_Customers_own_contact_has_his_profile_as_it_is(t *testing.T) {
	t.Parallel()
	who := canon.Customer{Contact: canon.Contact{
		MagentoID: 7, Email: "ann@example.com", FirstName: pointer("Ann"), LastName: pointer("Lee"),
		Addresses: []canon.Address{{Kind: "billing", City: "Ghent", CountryID: "BE"}},
	}}
	shared := setting(func(p *policy.Policy) { p.B2CConsolidation.Enabled = true })
	buyer := policy.BuyerOfCustomer(who, shared)
	require.Equal(t, "7", buyer.Key, "never the shared contact")
	require.Equal(t, "Ann Lee", buyer.Name)
	require.Len(t, buyer.Addresses, 1)
	update := policy.ContactUpdate{ContactID: "c", Buyer: buyer}
	require.Equal(t, "c", update.Key())
	hash := update.Hash()
	require.Len(t, hash, 64)
	update.Buyer.Phone = "1"
	require.NotEqual(t, hash, update.Hash())
}
