package freeagent

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// ensureContacts is a set of buyers who were never tried.
func ensureContacts(t *testing.T, b *bundle, try provider.Try, buyers ...policy.Buyer) []provider.Outcome[string] {
	t.Helper()
	set := make([]provider.Item[policy.Buyer], len(buyers))
	for i, buyer := range buyers {
		set[i] = provider.Item[policy.Buyer]{Value: buyer, Try: try}
	}
	return b.client.EnsureContacts(t.Context(), set)
}

func guest(first, email string) policy.Buyer {
	contact := canon.Contact{Email: email, FirstName: &first}
	return policy.Buyer{Key: contact.Key(), Name: first + " Doe", FirstName: first, LastName: "Doe", Email: email}
}

// One placeholder address must not put strangers on one account, whether the
// ledger keeps addresses unique or not; the same guest is known again.
func TestContact_guests_with_one_placeholder_address_have_contacts_of_their_own(t *testing.T) {
	t.Parallel()
	for mode, cfg := range modes() {
		for _, match := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, "_match_", match), func(t *testing.T) {
				t.Parallel()
				b := setup(t, cfg, func(c *Config) { c.MatchContacts = match })
				jane, john := guest("Jane", "noreply@shop.example"), guest("John", "noreply@shop.example")
				made := ensureContacts(t, b, provider.Try{}, jane, john)
				require.NoError(t, made[0].Err)
				require.NoError(t, made[1].Err)
				require.NotEqual(t, made[0].Value, made[1].Value)
				if mode == "unique_emails" {
					require.Equal(t, []string{"the contact is made without its e-mail, which the ledger refused"}, made[1].Notes)
				}
				again := ensureContacts(t, b, provider.Try{Uncertain: true}, john, jane)
				require.NoError(t, again[0].Err)
				require.Equal(t, made[1].Value, again[0].Value, "without its address it is known by name")
				require.Equal(t, made[0].Value, again[1].Value)
				require.Len(t, b.sim.Contacts(), 2)
			})
		}
	}
}

// Two guests of one name, each without e-mail in the ledger, live elsewhere.
func TestContact_without_email_is_another_where_the_address_differs(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	buyer := policy.Buyer{Key: "8", Name: "Grace Hopper", FirstName: "Grace", LastName: "Hopper", Phone: "1"}
	for _, theirs := range []map[string]string{{"town": "Leeds"}, {"address1": "2 Test Street"}, {"phone_number": "2"}} {
		theirs["first_name"], theirs["last_name"] = "Grace", "Hopper"
		b.sim.AddContact(theirs)
	}
	buyer.Addresses = []canon.Address{{Kind: "billing", Street: []string{"1 Test Street"}, City: "London", CountryID: "GB"}}
	id, err := ensureContact(t.Context(), b.client, buyer, provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(b.sim.Contacts()[3].ID), idOf(id))
}

// What the ledger refuses of a contact's ornaments does not cost the sale.
func TestContact_optional_part_that_is_refused_is_left_out_and_noted(t *testing.T) {
	t.Parallel()
	for said, row := range map[string]struct {
		parts   []string
		missing string
	}{
		"Email is invalid": {[]string{"e-mail"}, "email"}, "E-mail address is too long": {[]string{"e-mail"}, "email"},
		"phone_number is too long":                {[]string{"phone"}, "phone_number"},
		"Country is not included in the list":     {[]string{"address"}, "country"},
		"postcode is invalid; Email is not known": {[]string{"e-mail", "address"}, "town"},
	} {
		for _, uncertain := range []bool{false, true} {
			b := setup(t, freeagentsim.Config{})
			b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.ContactCreate, Status: 422,
				Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"errors":[{"message":"` + said + `"}]}`})
			made := ensureContacts(t, b, provider.Try{Uncertain: uncertain}, ada())[0]
			require.NoError(t, made.Err, said)
			var notes []string
			for _, part := range row.parts {
				notes = append(notes, "the contact is made without its "+part+", which the ledger refused")
			}
			require.Equal(t, notes, made.Notes, said)
			require.Len(t, b.sim.Contacts(), 1)
			require.Empty(t, b.sim.Contacts()[0].Fields[row.missing])
			require.Equal(t, "Ada", b.sim.Contacts()[0].Fields["first_name"])
			require.Equal(t, 2, b.sim.Count(freeagentsim.ContactCreate), said)
		}
	}
}

func TestContact_refused_for_what_is_not_optional(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	made := ensureContacts(t, b, provider.Try{}, policy.Buyer{Key: "9", Email: "nobody@example.com"})[0]
	require.Equal(t, provider.Refused, failureIn(t, made.Err).Kind)
	require.Equal(t, 1, b.sim.Count(freeagentsim.ContactCreate))
}

// The answer to the try without the e-mail is lost: it is found without it.
func TestContact_made_once_without_its_email_whatever_fails(t *testing.T) {
	t.Parallel()
	for name, fault := range faultsOf(freeagentsim.ContactCreate) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{})
			buyer := ada()
			buyer.Email = "no-at-sign"
			fault.Skip = 1
			b.sim.Inject(fault.Fault)
			first := ensureContacts(t, b, provider.Try{}, buyer)[0]
			require.Equal(t, fault.kind, failureIn(t, first.Err).Kind)
			second := ensureContacts(t, b, provider.Try{Uncertain: true}, buyer)[0]
			require.NoError(t, second.Err)
			require.Len(t, b.sim.Contacts(), 1)
			require.Equal(t, strconv.Itoa(b.sim.Contacts()[0].ID), idOf(second.Value))
		})
	}
}

// clashing are n guests of whom each finds his address taken by a stranger.
func clashing(b *bundle, n int) []policy.Buyer {
	buyers := make([]policy.Buyer, n)
	for i := range buyers {
		email := fmt.Sprint("c", i, "@example.com")
		b.sim.AddContact(map[string]string{"first_name": "Somebody", "last_name": "Else", "email": email})
		buyers[i] = guest("Jane", email)
	}
	return buyers
}

// Where the ledger has no filter, one reading of its list serves the set: two
// calls for 140 contacts, not two for each buyer.
func TestContacts_looked_up_together_where_the_filter_is_ignored(t *testing.T) {
	t.Parallel()
	for name, match := range map[string]bool{"before_creating": true, "once_refused": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{IgnoreEmailFilter: true}, func(c *Config) { c.MatchContacts = match })
			for i := range 100 {
				b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": fmt.Sprintf("other%d@example.com", i)})
			}
			buyers := clashing(b, 40)
			for i, made := range ensureContacts(t, b, provider.Try{}, buyers...) {
				require.NoError(t, made.Err, i)
				require.Len(t, made.Notes, 1)
			}
			require.Len(t, b.sim.Contacts(), 180)
			require.Equal(t, 2, b.sim.Count(freeagentsim.ContactList))
			require.Equal(t, 80, b.sim.Count(freeagentsim.ContactCreate))
		})
	}
}

// Names are not unique on this wire: forty of one name cost a call each.
func TestContacts_of_one_name_cost_a_call_each(t *testing.T) {
	t.Parallel()
	for mode, cfg := range modes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, cfg)
			buyers := make([]policy.Buyer, 40)
			for i := range buyers {
				buyers[i] = guest("Jane", fmt.Sprint("c", i, "@example.com"))
			}
			for _, made := range ensureContacts(t, b, provider.Try{}, buyers...) {
				require.NoError(t, made.Err)
			}
			require.Len(t, b.sim.Contacts(), 40)
			require.Equal(t, 40, b.sim.Count(freeagentsim.ContactCreate))
			require.Zero(t, b.sim.Count(freeagentsim.ContactList))
		})
	}
}

// Two accounts of one person in one set: the second was looked for before the first
// was there.
func TestContacts_of_one_email_in_a_set_are_one(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.RealFreeAgent(freeagentsim.Config{}), func(c *Config) { c.MatchContacts = true })
	b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": "other@example.com"})
	again, stranger := ada(), guest("Jane", ada().Email)
	again.Key = "8"
	all := ensureContacts(t, b, provider.Try{}, ada(), again, stranger)
	require.NoError(t, all[0].Err)
	require.Equal(t, all[0].Value, all[1].Value)
	require.NotEqual(t, all[0].Value, all[2].Value, "a guest of another name is another")
	require.Len(t, b.sim.Contacts(), 3)
	require.Equal(t, 1, b.sim.Count(freeagentsim.ContactList))
	for i, calls := range []int{2, 1, 2} { // the list, and what was written for each
		require.Len(t, all[i].Calls, calls)
		require.Equal(t, all[0].Calls[0], all[i].Calls[0])
	}
}

// A look-up that fails for one buyer leaves the others alone; one that the next
// call would meet too stops the set, and nothing is written.
func TestContacts_look_up_that_fails(t *testing.T) {
	t.Parallel()
	for status, row := range map[int]struct {
		kind, other provider.Kind
		made        int
	}{
		400: {provider.Refused, "", 1}, 500: {provider.Temporary, provider.Temporary, 0}, 429: {provider.RateLimited, provider.RateLimited, 0},
	} {
		b := setup(t, freeagentsim.Config{})
		b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.ContactList, Status: status})
		all := ensureContacts(t, b, provider.Try{Uncertain: true}, ada(), guest("Jane", "jane@example.com"))
		require.Equal(t, row.kind, failureIn(t, all[0].Err).Kind, status)
		if row.other == "" {
			require.NoError(t, all[1].Err)
		} else {
			require.Equal(t, row.other, failureIn(t, all[1].Err).Kind, status)
		}
		require.Len(t, b.sim.Contacts(), row.made)
	}
}
