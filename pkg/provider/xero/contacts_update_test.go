package xero_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// ann is a person with all that the shop may know.
func ann() policy.Buyer {
	return policy.Buyer{
		Key: "17", Name: "Ann Lee", FirstName: "Ann", LastName: "Lee", Email: "ann@example.com", Phone: "020 7946 0123",
		Addresses: []canon.Address{{Kind: "billing", Street: []string{"1 High St", "Flat 2"}, City: "Leeds", Postcode: ptr("LS1"), CountryID: "GB"}},
	}
}

// known is ann's contact in Xero.
func (b bundle) known(t *testing.T, buyer policy.Buyer) string {
	t.Helper()
	id, err := ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k"})
	require.NoError(t, err)
	b.wire.forget()
	return id
}

func (b bundle) update1(t *testing.T, id string, buyer policy.Buyer) provider.Outcome[provider.Posted] {
	t.Helper()
	return b.client.UpdateContacts(b.ctx, []provider.Item[policy.ContactUpdate]{{Value: policy.ContactUpdate{ContactID: id, Buyer: buyer}, Try: provider.Try{Key: "u"}}})[0]
}

func (b bundle) contact(t *testing.T, id string) xerosim.Contact {
	t.Helper()
	for _, k := range b.sim.Contacts() {
		if k.ID == id {
			return k
		}
	}
	require.Fail(t, "no contact", id)
	return xerosim.Contact{}
}

func Test_Contact_update_body_is_the_golden_one_and_the_published_spec_has_nothing_against_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.known(t, ann())
	moved := ann()
	moved.LastName, moved.Name, moved.Phone = "Smith", "Ann Smith", "020 7946 9999"
	moved.Addresses = []canon.Address{{Kind: "billing", Street: []string{"9 Low Rd"}, City: "York", CountryID: "GB"}}
	require.NoError(t, b.update1(t, id, moved).Err)
	body := b.wire.of("POST /Contacts")[0].body
	golden(t, "contact_update", []byte(strings.ReplaceAll(string(body), id, "c0ffee00-0000-4000-8000-000000000001")))
	publishedSpec(t).accepts(t, "POST", "/Contacts?summarizeErrors=false", body)
	for _, call := range b.wire.of("GET /Contacts") {
		publishedSpec(t).accepts(t, "GET", strings.TrimPrefix(call.uri, "/api.xro/2.0"), nil)
	}
	require.Equal(t, xerosim.Contact{
		ID: id, Number: "17", Name: "Ann Smith", Email: "ann@example.com", Status: "ACTIVE", FirstName: "Ann", LastName: "Smith", Phone: "020 7946 9999", City: "York",
	}, b.contact(t, id))
}

func Test_What_the_shop_does_not_have_is_left_alone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.known(t, ann())
	before := b.contact(t, id)
	o := b.update1(t, id, policy.Buyer{Key: "17", Name: "Ann Lee", FirstName: "Ann", LastName: "Lee"})
	require.NoError(t, o.Err)
	require.True(t, o.Value.Adopted)
	require.Empty(t, b.wire.of("POST /Contacts"), "nothing differs, so nothing is written")
	require.NoError(t, b.update1(t, id, policy.Buyer{Key: "17", Name: "Ann Lee", FirstName: "Ann", LastName: "Lee", Email: "new@example.com"}).Err)
	before.Email = "new@example.com"
	require.Equal(t, before, b.contact(t, id))
}

// The profile lacks the company that an invoice knew: the contact keeps its name.
func Test_A_persons_name_does_not_replace_a_companys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		had, now policy.Buyer
		want     string
	}{
		"company, then only the person": {
			policy.Buyer{Key: "17", Name: "ACME Ltd", Company: "ACME Ltd", FirstName: "Ann", LastName: "Lee"},
			policy.Buyer{Key: "17", Name: "Ann Smith", FirstName: "Ann", LastName: "Smith"}, "ACME Ltd"},
		"company, then another": {
			policy.Buyer{Key: "17", Name: "ACME Ltd", Company: "ACME Ltd"}, policy.Buyer{Key: "17", Name: "Roe plc", Company: "Roe plc"}, "Roe plc"},
		"person, then a company": {
			policy.Buyer{Key: "17", Name: "Ann Lee", FirstName: "Ann", LastName: "Lee"},
			policy.Buyer{Key: "17", Name: "ACME Ltd", Company: "ACME Ltd", FirstName: "Ann", LastName: "Lee"}, "ACME Ltd"},
		"person, then nothing but an e-mail": {
			policy.Buyer{Key: "17", Name: "Ann Lee", FirstName: "Ann", LastName: "Lee"}, policy.Buyer{Key: "17", Name: "a@example.com", Email: "a@example.com"}, "Ann Lee"},
	} {
		b := setup(t)
		id := b.known(t, c.had)
		require.NoError(t, b.update1(t, id, c.now).Err, name)
		require.Equal(t, c.want, b.contact(t, id).Name, name)
	}
}

func Test_A_name_that_is_taken_gets_the_customers_key(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.AddContact("", "Ann Smith")
	var set []provider.Item[policy.ContactUpdate]
	for _, buyer := range []policy.Buyer{ann(), {Key: "18", Name: "Bob Roe", FirstName: "Bob", LastName: "Roe"}, {Key: "19", Name: "Cy Dee", FirstName: "Cy", LastName: "Dee"}} {
		id := b.known(t, buyer)
		buyer.FirstName, buyer.LastName, buyer.Name = "Ann", "Smith", "Ann Smith" // all three marry into one name
		set = append(set, provider.Item[policy.ContactUpdate]{Value: policy.ContactUpdate{ContactID: id, Buyer: buyer}, Try: provider.Try{Key: buyer.Key}})
	}
	for range 2 {
		for i, o := range b.client.UpdateContacts(b.ctx, set) {
			require.NoError(t, o.Err)
			require.Equal(t, "Ann Smith (M-"+set[i].Value.Buyer.Key+")", b.contact(t, o.Value.ID).Name)
		}
	}
	calls := len(b.wire.of("POST /Contacts"))
	require.NoError(t, b.client.UpdateContacts(b.ctx, set)[0].Err)
	require.Len(t, b.wire.of("POST /Contacts"), calls, "a name with the key behind it is the buyer's: it is not written again")
}

func Test_One_refused_contact_does_not_hurt_the_others(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var set []provider.Item[policy.ContactUpdate]
	for i, item := range people(4) {
		id := b.known(t, item.Value)
		item.Value.Phone = "1234"
		if i == 1 {
			b.sim.ArchiveContact(id)
		}
		if i == 2 {
			id = "c0ffee00-0000-4000-8000-000000000009"
		}
		set = append(set, provider.Item[policy.ContactUpdate]{Value: policy.ContactUpdate{ContactID: id, Buyer: item.Value}, Try: item.Try})
	}
	b.sim.RefuseContactsOnce("1000", "Phone number is not valid")
	outcomes := b.client.UpdateContacts(b.ctx, set)
	require.Equal(t, []string{"adopted", provider.HeldContactArchived, provider.HeldContactGone, "ok"}, fates(outcomes))
	require.Contains(t, strings.Join(outcomes[0].Notes, ""), "phone")
	require.Equal(t, "1234", b.contact(t, set[3].Value.ContactID).Phone)
	require.Empty(t, b.contact(t, set[0].Value.ContactID).Phone)
}

func Test_The_shared_contact_is_left_alone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.known(t, policy.Buyer{Key: policy.SharedKey, Shared: true, Name: "Web sales"})
	require.NoError(t, b.update1(t, id, policy.Buyer{Key: policy.SharedKey, Shared: true, Name: "Other", Company: "Other"}).Err)
	require.Equal(t, "Web sales", b.contact(t, id).Name)
}

func Test_A_merged_contact_is_written_where_it_went(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.known(t, ann())
	into := b.sim.AddContact("", "Ann of the bank feed")
	b.sim.MergeContact(id, into)
	buyer := ann()
	buyer.Email = "new@example.com"
	o := b.update1(t, id, buyer)
	require.NoError(t, o.Err)
	require.True(t, o.Merged)
	require.Equal(t, into, o.Value.ID)
	require.Equal(t, "new@example.com", b.contact(t, into).Email)
	require.Equal(t, "Ann of the bank feed", b.contact(t, into).Name, "somebody chose that name")
}

func Test_Item_is_the_golden_one_and_its_code_is_stable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.reference(t)
	product := canon.Product{MagentoID: 1, SKU: "24-MB01", Name: strings.Repeat("Very long rope ", 9), Price: ptr(dec("12.3456")), WebsiteIDs: []canon.Int{1}}
	item, err := b.client.Item(product, samplePolicy(), ref)
	require.NoError(t, err)
	golden(t, "item", item.Body)
	publishedSpec(t).accepts(t, "POST", "/Items?summarizeErrors=false&unitdp=4", item.Body)
	require.NotContains(t, string(item.Body), "Quantity")
	require.NotContains(t, string(item.Body), "Inventory")

	long := product
	long.SKU = "configurable-product-blue-XXL-2026"
	first, err := b.client.Item(long, samplePolicy(), ref)
	require.NoError(t, err)
	require.Len(t, first.Code, 30)
	require.True(t, strings.HasPrefix(first.Code, "configurable-product-"))
	long.SKU += "-B"
	second, err := b.client.Item(long, samplePolicy(), ref)
	require.NoError(t, err)
	require.NotEqual(t, first.Code, second.Code)
	require.NotEmpty(t, first.Notes)

	for name, c := range map[string]func(*canon.Product, *policy.Policy){
		"no price of its own":    func(p *canon.Product, _ *policy.Policy) { p.Price = nil },
		"a price in other money": func(_ *canon.Product, p *policy.Policy) { p.ShopBaseCurrency.Code = "EUR" },
	} {
		free, pol := product, samplePolicy()
		c(&free, &pol)
		item, err := b.client.Item(free, pol, ref)
		require.NoError(t, err)
		require.NotContains(t, string(item.Body), "UnitPrice", name)
		require.NotEmpty(t, item.Notes, name)
	}
}

func Test_Item_that_is_there_is_brought_up_to_date(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write(t, "PUT", "/Items", `{"Items":[{"Code":"A","Name":"Old","Description":"kept","SalesDetails":{"UnitPrice":1}}]}`)
	item, err := b.client.Item(canon.Product{SKU: "A", Name: "New", Price: ptr(dec("2"))}, samplePolicy(), b.reference(t))
	require.NoError(t, err)
	bad := item
	bad.Code, bad.Body = "B", json.RawMessage(`{"Items":[{"Code":"B","SalesDetails":{"AccountCode":"999"}}]}`)
	other, err := b.client.Item(canon.Product{SKU: "C", Name: "Third"}, samplePolicy(), b.reference(t))
	require.NoError(t, err)
	outcomes := b.client.EnsureItems(b.ctx, []provider.Item[provider.CatalogItem]{
		{Value: item, Try: provider.Try{Key: "a"}}, {Value: bad, Try: provider.Try{Key: "b"}}, {Value: other, Try: provider.Try{Key: "c"}},
	})
	require.Equal(t, []string{"ok", provider.HeldAccountInvalid, "ok"}, fates(outcomes))
	require.Len(t, b.sim.Items(), 2)
	require.Equal(t, "New", b.sim.Items()[0].Name)
	require.Equal(t, b.sim.Items()[0].ID, outcomes[0].Value.ID)
}
