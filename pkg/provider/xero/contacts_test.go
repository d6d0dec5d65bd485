package xero_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

func ensure(t *testing.T, b bundle, buyer policy.Buyer) string {
	t.Helper()
	id, err := ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k-" + buyer.Key})
	require.NoError(t, err)
	return id
}

func Test_Known_contact_number_is_found_not_made_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := ensure(t, b, policy.Buyer{Key: "1042", Name: "Ada Lovelace", Email: "ada@example.com"})
	// Another name and key: the same customer later.
	again, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "1042", Name: "Ada King", Email: "Ada@Example.com"}, provider.Try{Key: "another"})
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Len(t, b.sim.Contacts(), 1)
}

func Test_Number_is_compared_exactly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.sim.AddContact("GUEST-00aa", "Somebody else") // the filters ignore case
	_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "guest-00aa", Name: "Me"}, provider.Try{Key: "k", Uncertain: true})
	require.Equal(t, "contact_number_taken", failure(t, err).Reason)
	require.Len(t, b.sim.Contacts(), 1)
	require.Equal(t, other, b.sim.Contacts()[0].ID)
}

func Test_Namesake_gets_the_customers_key_behind_his_name(t *testing.T) {
	t.Parallel()
	guest := policy.Buyer{Key: "guest-0123456789abcdef0123456789abcdef", Name: "Jane Doe"}
	cases := []struct {
		name  string
		there []string
		buyer policy.Buyer
		want  string
	}{
		{"customer", []string{"jane doe"}, policy.Buyer{Key: "1042", Name: "Jane Doe"}, "Jane Doe (M-1042)"},
		{"guest", []string{"Jane Doe"}, guest, "Jane Doe (M-guest-01234567)"},
		{"guest whose short name is taken too", []string{"Jane Doe", "Jane Doe (M-guest-01234567)"}, guest, "Jane Doe (M-guest-0123456789abcdef0123456789abcdef)"},
		{"shared", []string{"Web sales"}, policy.Buyer{Key: policy.SharedKey, Name: "Web sales", Shared: true}, "Web sales (M-web-sales)"},
		{"long", []string{strings.Repeat("ü", 255)}, policy.Buyer{Key: "7", Name: strings.Repeat("ü", 255)}, strings.Repeat("ü", 249) + " (M-7)"},
	}
	for _, c := range cases {
		b := setup(t)
		for _, name := range c.there {
			b.sim.AddContact("", name)
		}
		id := ensure(t, b, c.buyer)
		made := b.sim.Contacts()[len(c.there)]
		require.Equal(t, made.ID, id, c.name)
		require.Equal(t, c.want, made.Name, c.name)
		require.Equal(t, c.buyer.Key, made.Number, c.name)
	}
}

func Test_Every_name_taken_is_held(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.AddContact("", "Jane")
	b.sim.AddContact("", "Jane (M-7)")
	_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "7", Name: "Jane"}, provider.Try{Key: "k"})
	f := failure(t, err)
	require.Equal(t, provider.Held, f.Kind)
	require.Equal(t, "contact_name_taken", f.Reason)
}

func Test_Archived_contact_is_held_and_goes_on_once_restored(t *testing.T) {
	t.Parallel()
	for _, uncertain := range []bool{false, true} {
		b := setup(t)
		id := ensure(t, b, policy.Buyer{Key: "7", Name: "Jane"})
		b.sim.ArchiveContact(id)
		_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "7", Name: "Jane"}, provider.Try{Key: "later", Uncertain: uncertain})
		f := failure(t, err)
		require.Equal(t, provider.Held, f.Kind)
		require.Equal(t, "contact_archived", f.Reason)
		require.Contains(t, f.Message, "restore it")
		b.sim.RestoreContact(id)
		again, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "7", Name: "Jane"}, provider.Try{Key: "later still", Uncertain: uncertain})
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
}

func Test_Merged_contact_is_followed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := ensure(t, b, policy.Buyer{Key: "7", Name: "Jane"})
	second, third := b.sim.AddContact("", "Jane D"), b.sim.AddContact("", "Jane Doe")
	b.sim.MergeContact(first, second)
	b.sim.MergeContact(second, third)
	id, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "7", Name: "Jane"}, provider.Try{Key: "later"})
	require.NoError(t, err)
	require.Equal(t, third, id)
}

func Test_Contacts_merged_in_a_circle_are_held(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := ensure(t, b, policy.Buyer{Key: "7", Name: "Jane"})
	second := b.sim.AddContact("", "Jane D")
	b.sim.MergeContact(first, second)
	b.sim.MergeContact(second, first)
	_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "7", Name: "Jane"}, provider.Try{Key: "later"})
	require.Equal(t, "contact_archived", failure(t, err).Reason)
}

// ContactNumber is not among the filters that Xero promises to index.
func Test_Look_up_goes_by_address_where_the_filter_is_refused_or_blind(t *testing.T) {
	t.Parallel()
	for _, filter := range []xerosim.Fault{
		{Status: 400, Body: `{"ErrorNumber":16,"Type":"QueryParseException"}`},
		{Status: 200, Body: `{"Contacts":[]}`},
		{Status: 200, Body: `{"Contacts":[{"ContactID":"5eed0000-0000-4000-8000-0000000000ff","ContactNumber":"77","ContactStatus":"ACTIVE"}]}`},
	} {
		b := setup(t)
		id := ensure(t, b, policy.Buyer{Key: "7", Name: "Jane"})
		filter.Operation = "GET /Contacts"
		b.sim.Inject(filter)
		again, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "7", Name: "Jane"}, provider.Try{Key: "later", Uncertain: true})
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
}

// Contact and invoice may be written under one key of the caller's.
func Test_Contact_and_invoice_share_a_key_without_conflict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv, pol := canontest.Named(t, "plain_vat").Invoice, samplePolicy()
	try := provider.Try{Key: strings.Repeat("k", 128)}
	id, err := ensureContact(b.ctx, b.client, policy.BuyerOf(inv, pol), try)
	require.NoError(t, err)
	doc, err := b.client.Document(inv, pol, b.reference(t), id, runURL)
	require.NoError(t, err)
	_, err = ensureInvoice(b.ctx, b.client, doc, try)
	require.NoError(t, err)
}

func Test_Bodies_of_contacts_are_taken_by_the_published_spec(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	for _, sample := range canontest.Samples(t) {
		body, err := xero.ContactJSON(policy.BuyerOf(sample.Invoice, samplePolicy()))
		require.NoError(t, err)
		spec.accepts(t, "PUT", "/Contacts?summarizeErrors=false", body)
		golden(t, "contact_"+sample.Name, body)
	}
}

func Test_Contact_fields_keep_to_Xeros_limits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 600)
	buyer := policy.Buyer{
		Key: "7", Name: "Nordlys A/S", FirstName: "Søren", LastName: "Ångström", Email: "søren@example.com", Phone: strings.Repeat("1", 60),
		Addresses: []canon.Address{
			{Kind: "billing", Street: []string{"1", "2", "3", "4", "5"}, City: long, Region: &long, Postcode: &long, CountryID: "D-E"},
			{Kind: "shipping", Street: []string{long}, CountryID: "GB"},
		},
	}
	raw, err := xero.ContactJSON(buyer)
	require.NoError(t, err)
	var body struct{ Contacts []map[string]any }
	require.NoError(t, json.Unmarshal(raw, &body))
	contact := body.Contacts[0]
	require.NotContains(t, contact, "EmailAddress", "umlauts are not supported")
	require.Len(t, contact["Phones"].([]any)[0].(map[string]any)["PhoneNumber"], 50)
	addresses := contact["Addresses"].([]any)
	pobox, street := addresses[0].(map[string]any), addresses[1].(map[string]any)
	require.Equal(t, "POBOX", pobox["AddressType"])
	require.Equal(t, "4 5", pobox["AddressLine4"])
	require.Len(t, pobox["City"], 255)
	require.Len(t, pobox["PostalCode"], 50)
	require.Equal(t, "DE", pobox["Country"])
	require.Equal(t, "Søren Ångström", pobox["AttentionTo"])
	require.Equal(t, "STREET", street["AddressType"])
	require.Len(t, street["AddressLine1"], 500)
	b := setup(t)
	ensure(t, b, buyer)
}

func Test_Emails_that_Xero_would_refuse_are_left_out(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]bool{
		"ada@example.com": true, "Ada+x@example.co.uk": true, "zoë@example.com": false, "ada@exämple.com": false,
		"ada": false, "ada@localhost": false, "a b@example.com": false, "<ada@example.com>": false, "ada@b@example.com": false,
		"": false, strings.Repeat("a", 250) + "@example.com": false, "@example.com": false,
	} {
		body, err := xero.ContactJSON(policy.Buyer{Key: "1", Name: "N", Email: email})
		require.NoError(t, err)
		require.Equal(t, want, strings.Contains(string(body), "EmailAddress"), email)
	}
}
