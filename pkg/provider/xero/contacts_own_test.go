package xero_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
)

const shopID = "3F2A9C1B-0000-4000-8000-000000000001"

// ofShop is a client of a shop that shares the organisation.
func (b bundle) ofShop(t *testing.T, id string) *xero.Client {
	t.Helper()
	return newClient(t, b.url, b.clock, b.seen, func(c *xero.Config) { c.Shop = id })
}

// Small integers are the commonest contact codes: one that is a stranger's is
// never taken, archived or not, and never asked to be restored.
func Test_Contact_with_the_buyers_number_is_taken_only_if_it_is_his(t *testing.T) {
	t.Parallel()
	mira := policy.Buyer{Key: "41", Name: "Mira Holt", FirstName: "Mira", LastName: "Holt", Email: "mira.holt@example.com"}
	for name, c := range map[string]struct {
		theirs   policy.Buyer // who has the number in Xero
		archived bool
		try      provider.Try
		taken    bool
	}{
		"a_supplier":                                {theirs: policy.Buyer{Name: "Northern Paper Supplies", Email: "accounts@paper.example"}},
		"a_supplier_without_e-mail":                 {theirs: policy.Buyer{Name: "Northern Paper Supplies"}},
		"an_archived_stranger":                      {theirs: policy.Buyer{Name: "Old Supplies"}, archived: true},
		"his_e-mail":                                {theirs: policy.Buyer{Name: "M. Holt", Email: "mira.holt@example.com"}, taken: true},
		"his_e-mail_in_another_case":                {theirs: policy.Buyer{Name: "M. Holt", Email: "Mira.Holt@Example.COM"}, taken: true},
		"his_name":                                  {theirs: policy.Buyer{Name: "MIRA HOLT"}, taken: true},
		"his_name_where_shops_share_and_no_e-mail":  {theirs: policy.Buyer{Name: "Mira Holt"}, try: provider.Try{Shared: true}, taken: true},
		"a_namesake_of_another_shop":                {theirs: policy.Buyer{Name: "Mira Holt", Email: "other@example.com"}, try: provider.Try{Shared: true}},
		"known_to_the_shop_though_nothing_is_alike": {theirs: policy.Buyer{Name: "Mira Stone"}, try: provider.Try{Known: "the contact"}, taken: true},
		"another_contact_is_known":                  {theirs: policy.Buyer{Name: "Mira Stone"}, try: provider.Try{Known: "5eed0000-0000-4000-8000-00000000dead"}},
		"person_under_a_company's_name":             {theirs: policy.Buyer{Name: "Holt Ltd", FirstName: "Mira", LastName: "Holt"}, taken: true},
	} {
		for _, uncertain := range []bool{false, true} {
			b := setup(t)
			c.theirs.Key = "41"
			there := ensure(t, b, c.theirs)
			if c.archived {
				b.sim.ArchiveContact(there)
			}
			try := c.try
			try.Key, try.Uncertain = "k", uncertain
			if try.Known == "the contact" {
				try.Known = there
			}
			outcome := b.ofShop(t, shopID).EnsureContacts(b.ctx, []provider.Item[policy.Buyer]{{Value: mira, Try: try}})[0]
			require.NoError(t, outcome.Err, name)
			require.Equal(t, c.taken, outcome.Value == there, name)
			if !c.taken {
				b.isContact(t, "41-3f2a9c1b", outcome.Value)
				require.Contains(t, strings.Join(outcome.Notes, "\n"), c.theirs.Name, name)
			}
		}
	}
}

func Test_Strangers_number_without_a_number_of_the_shop_is_held_and_names_both(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.AddContact("41", "Northern Paper Supplies")
	_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "41", Name: "Mira Holt"}, provider.Try{Key: "k"})
	f := failure(t, err)
	require.Equal(t, []string{"held", "contact_number_taken"}, []string{string(f.Kind), f.Reason})
	require.Contains(t, f.Message, `"Northern Paper Supplies"`)
	require.Contains(t, f.Message, `"Mira Holt"`)
}

func Test_Customers_of_two_shops_with_one_number_and_name_have_two_contacts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.ofShop(t, "aaaaaaaa-0000-4000-8000-000000000001"), b.ofShop(t, shopID)
	try := provider.Try{Key: "k", Shared: true}
	first, err := ensureContact(b.ctx, one, policy.Buyer{Key: "17", Name: "Jane Doe", Email: "jane@one.example"}, try)
	require.NoError(t, err)
	second, err := ensureContact(b.ctx, two, policy.Buyer{Key: "17", Name: "Jane Doe", Email: "jane@two.example"}, try)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	// The answer was lost: the number that names the shop is found, and no third made.
	again, err := ensureContact(b.ctx, two, policy.Buyer{Key: "17", Name: "Jane Roe", Email: "new@two.example"}, provider.Try{Key: "l", Shared: true, Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, second, again)
	require.Len(t, b.sim.Contacts(), 2)
}

// One guest, whose number was another in an earlier version.
func Test_Namesake_with_the_buyers_email_is_the_buyer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := ensure(t, b, policy.Buyer{Key: "9", Name: "Jane Doe", Email: "jane@example.com"})
	require.Equal(t, first, ensure(t, b, policy.Buyer{Key: "guest-0123456789abcdef0123456789abcdef", Name: "Jane Doe", Email: "JANE@example.com"}))
	require.NotEqual(t, first, ensure(t, b, policy.Buyer{Key: "10", Name: "Jane Doe", Email: "other@example.com"}))
}

// What Xero refuses of a contact's ornaments does not cost the sale.
func Test_Optional_part_that_Xero_refuses_is_left_out_and_noted(t *testing.T) {
	t.Parallel()
	for said, part := range map[string]string{
		"Email address must be valid.":                   "e-mail",
		"Phone number is too long":                       "phone",
		"Country is not valid":                           "address",
		"The First Name must contain a letter":           "first and last name",
		"AddressLine1 must not exceed 500 characters":    "address",
		"Another reason that nobody knows: Email domain": "e-mail",
	} {
		for _, n := range []int{1, 3} {
			b := setup(t)
			set := people(n)
			for i := range set {
				set[i].Value.Email, set[i].Value.Phone, set[i].Value.FirstName = fmt.Sprint("c", i, "@example.com"), "1", "Jo"
				set[i].Value.Addresses = []canon.Address{{Kind: "billing", City: "Leeds"}}
			}
			b.sim.RefuseContactsOnce(set[0].Value.Key, said)
			outcomes := b.client.EnsureContacts(b.ctx, set)
			b.areOnce(t, set, outcomes)
			require.Equal(t, []string{"the contact is made without its " + part + ", which Xero refused"}, outcomes[0].Notes, said)
			require.Len(t, b.wire.of("PUT /Contacts"), 2)
		}
	}
}

func Test_Email_that_Xero_would_refuse_is_not_sent(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"nina..berg@example.com", "nina.@example.com", ".nina@example.com", "nina@example.com.", "nina@example..com",
		strings.Repeat("n", 65) + "@example.com", "mailto:nina@example.com", "nina(work)@example.com", "nina@example", "nïna@example.com",
	} {
		b := setup(t)
		set := people(1)
		set[0].Value.Email = address
		outcome := b.client.EnsureContacts(b.ctx, set)[0]
		require.NoError(t, outcome.Err)
		require.Empty(t, b.sim.Contacts()[0].Email, address)
		require.Len(t, outcome.Notes, 1)
		require.Len(t, b.wire.of("PUT /Contacts"), 1)
	}
}

// Fifty at once, all names alike or each the name of somebody: two calls more.
func Test_Clashing_contacts_are_settled_as_a_set(t *testing.T) {
	t.Parallel()
	for _, alike := range []bool{true, false} {
		b := setup(t)
		set := people(50)
		for i := range set {
			set[i].Value.Email = fmt.Sprint("c", i, "@example.com")
			if alike {
				set[i].Value.Name = "Jane Doe"
			} else {
				b.sim.AddContact("", set[i].Value.Name)
			}
		}
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
		require.Equal(t, []string{"PUT /Contacts", "GET /Contacts", "PUT /Contacts"}, b.wire.sequence())
	}
}
