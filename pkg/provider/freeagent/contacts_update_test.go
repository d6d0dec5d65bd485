package freeagent

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

func change(t *testing.T, b *bundle, contact string, buyer policy.Buyer) provider.Outcome[provider.Posted] {
	t.Helper()
	return b.client.UpdateContacts(t.Context(), []provider.Item[policy.ContactUpdate]{{Value: policy.ContactUpdate{ContactID: contact, Buyer: buyer}}})[0]
}

// What the shop does not have stays; an address goes whole.
func TestContact_changed_without_blanking_what_is_known(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	id, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	known := maps.Clone(b.sim.Contacts()[0].Fields)
	for name, row := range map[string]struct {
		buyer policy.Buyer
		new   map[string]string
	}{
		"nothing":        {policy.Buyer{Key: "7", Name: "Customer 7"}, nil},
		"half_a_name":    {policy.Buyer{Key: "7", Name: "Ada", FirstName: "Ada"}, nil},
		"the_shared_one": {policy.Buyer{Name: "Web sales", Shared: true, Email: "web@example.com"}, nil},
		"a_phone":        {policy.Buyer{Name: "Customer 7", Phone: "2"}, map[string]string{"phone_number": "2"}},
		"a_name":         {policy.Buyer{Name: "Ada King", FirstName: "Ada", LastName: "King"}, map[string]string{"last_name": "King"}},
		"a_company":      {policy.Buyer{Name: "Engines Ltd", Company: "Engines Ltd"}, map[string]string{"organisation_name": "Engines Ltd"}},
		"another_address": {policy.Buyer{Name: "Customer 7", Addresses: []canon.Address{{Kind: "billing", Street: []string{"9 New Road"}, City: "Leeds", CountryID: "GB"}}},
			map[string]string{"address1": "9 New Road", "address2": "", "address3": "", "town": "Leeds", "region": "", "postcode": ""}},
	} {
		b := setup(t, freeagentsim.Config{})
		_, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
		require.NoError(t, err)
		out := change(t, b, id, row.buyer)
		require.NoError(t, out.Err, name)
		require.Equal(t, id, out.Value.ID)
		want := maps.Clone(known)
		maps.Copy(want, row.new)
		require.Equal(t, want, b.sim.Contacts()[0].Fields, name)
		require.Equal(t, row.new == nil, out.Value.Settled, name)
		require.Equal(t, row.new != nil, b.sim.Count(freeagentsim.ContactUpdate) == 1, name)
	}
}

// It says the same however often it is repeated.
func TestContact_changed_to_the_same_whatever_fails(t *testing.T) {
	t.Parallel()
	for name, f := range faultsOf(freeagentsim.ContactUpdate) {
		if f.Status == 201 {
			continue // any 2xx means changed
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{})
			id, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
			require.NoError(t, err)
			b.sim.Inject(f.Fault)
			buyer := policy.Buyer{Name: "Ada King", FirstName: "Ada", LastName: "King"}
			f.is(t, change(t, b, id, buyer).Err)
			require.NoError(t, change(t, b, id, buyer).Err)
			require.Len(t, b.sim.Contacts(), 1)
			require.Equal(t, "King", b.sim.Contacts()[0].Fields["last_name"])
		})
	}
}

func TestContact_change_that_is_refused_in_part(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": "taken@example.com"})
	id, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	out := change(t, b, id, policy.Buyer{Name: "Ada King", FirstName: "Ada", LastName: "King", Email: "taken@example.com"})
	require.NoError(t, out.Err)
	require.Equal(t, []string{"the contact is changed without its e-mail, which the ledger refused"}, out.Notes)
	require.Equal(t, "King", b.sim.Contacts()[1].Fields["last_name"])
	require.Equal(t, "Ada+Shop@Example.com", b.sim.Contacts()[1].Fields["email"])
	gone := change(t, b, testBase+"/v2/contacts/999", policy.Buyer{Name: "A", Phone: "1"})
	require.Equal(t, "contact_not_found", failureIn(t, gone.Err).Reason)
}
