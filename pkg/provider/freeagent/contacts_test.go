package freeagent

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

func ada() policy.Buyer {
	return policy.Buyer{
		Key: "7", Name: "Ada Lovelace", FirstName: "Ada", LastName: "Lovelace", Email: "Ada+Shop@Example.com", Phone: "+44 20 7946 0000",
		Addresses: []canon.Address{{Kind: "billing", Street: []string{"1 Test Street", "Flat 2", "Back door", "Ring twice"}, City: "London", CountryID: "GB"}},
	}
}

// modes are the two ledgers that contacts must work on.
func modes() map[string]freeagentsim.Config {
	return map[string]freeagentsim.Config{"unique_emails": {}, "freeagent_itself": freeagentsim.RealFreeAgent(freeagentsim.Config{})}
}

func TestContact_created_with_all_fields(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	url, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	made := b.sim.Contacts()
	require.Len(t, made, 1)
	require.Equal(t, testBase+"/v2/contacts/"+strconv.Itoa(made[0].ID), url)
	require.Equal(t, map[string]string{
		"first_name": "Ada", "last_name": "Lovelace", "email": "Ada+Shop@Example.com", "phone_number": "+44 20 7946 0000",
		"address1": "1 Test Street", "address2": "Flat 2", "address3": "Back door, Ring twice", "town": "London", "country": "United Kingdom",
		"charge_sales_tax": "Auto", "status": "Active",
	}, made[0].Fields)
}

func TestContact_names(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		buyer policy.Buyer
		want  contactBody
	}{
		"Company_with_its_person": {
			policy.Buyer{Name: "Acme Ltd", Company: "Acme Ltd", FirstName: "Ada", LastName: "Byron"},
			contactBody{Organisation: "Acme Ltd", FirstName: "Ada", LastName: "Byron"}},
		"Person_before_the_company_where_the_policy_says_so": {
			policy.Buyer{Name: "Ada Byron", Company: "Acme Ltd", FirstName: "Ada", LastName: "Byron"},
			contactBody{FirstName: "Ada", LastName: "Byron"}},
		"Organisation_for_half_a_name": {
			policy.Buyer{Name: "Ada", FirstName: "Ada"}, contactBody{Organisation: "Ada"}},
		"Organisation_for_an_email": {
			policy.Buyer{Name: "a@b.test", Email: "a@b.test"}, contactBody{Organisation: "a@b.test", Email: "a@b.test"}},
		"Organisation_for_the_shared_contact": {
			policy.Buyer{Name: "Web sales", Shared: true}, contactBody{Organisation: "Web sales"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, contactOf(row.buyer))
		})
	}
}

func TestContact_existing_one_found_when_the_ledger_refuses_the_email(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	for i := range 250 { // the filter honoured or not, other people must never be taken
		b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": fmt.Sprintf("other%d@example.com", i)})
	}
	id := b.sim.AddContact(map[string]string{"organisation_name": "Ada", "email": "ada+shop@example.COM", "status": "Hidden"})
	url, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(id), idOf(url))
	require.Len(t, b.sim.Contacts(), 251)
	require.Equal(t, 1, b.sim.Count(freeagentsim.ContactList))
}

// FreeAgent ignores ?email=: the first page is somebody else's.
func TestContact_found_on_the_last_page_when_the_filter_is_ignored(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{IgnoreEmailFilter: true})
	id := b.sim.AddContact(map[string]string{"organisation_name": "Ada", "email": "ada+shop@example.com"})
	for i := range 250 {
		b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": fmt.Sprintf("other%d@example.com", i)})
	}
	url, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(id), idOf(url))
	require.Equal(t, 3, b.sim.Count(freeagentsim.ContactList))
}

func TestContact_hand_made_one_matched_before_creating(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.RealFreeAgent(freeagentsim.Config{}), func(c *Config) { c.MatchContacts = true })
	id := b.sim.AddContact(map[string]string{"organisation_name": "Ada's", "email": "ada+shop@example.com"})
	url, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(id), idOf(url))
	require.Zero(t, b.sim.Count(freeagentsim.ContactCreate))
}

// A contact that was just made is on the first page: the others are not read.
func TestContact_own_one_found_without_reading_on(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.RealFreeAgent(freeagentsim.Config{}))
	for i := range 250 {
		b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": fmt.Sprintf("other%d@example.com", i)})
	}
	made, err := ensureContact(t.Context(), b.client, ada(), provider.Try{})
	require.NoError(t, err)
	found, err := ensureContact(t.Context(), b.client, ada(), provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, made, found)
	require.Equal(t, 1, b.sim.Count(freeagentsim.ContactList))
}

func TestContact_email_not_in_the_error_of_a_lost_look_up(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	for range 2 { // net/http itself reads again over a fresh connection
		b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.ContactList, Reset: true})
	}
	_, err := ensureContact(t.Context(), b.client, ada(), provider.Try{Uncertain: true})
	require.Equal(t, provider.Temporary, failureIn(t, err).Kind)
	require.NotContains(t, strings.ToLower(err.Error()), "example.com")
}

// Several people may share an e-mail where the ledger lets them.
func TestContact_the_one_with_the_buyers_name_taken_of_several(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.RealFreeAgent(freeagentsim.Config{}))
	same := "ada+shop@example.com"
	b.sim.AddContact(map[string]string{"organisation_name": "Old", "email": same})
	b.sim.AddContact(map[string]string{"first_name": "Ada", "last_name": "Lovelace", "email": same, "status": "Hidden"})
	id := b.sim.AddContact(map[string]string{"first_name": "Ada", "last_name": "Lovelace", "email": same})
	b.sim.AddContact(map[string]string{"organisation_name": "New", "email": same})
	url, err := ensureContact(t.Context(), b.client, ada(), provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(id), idOf(url))
}

// Each way for a create to go wrong, in both modes: the second try finds what
// the first one made, or makes it; there is one contact.
func TestContact_made_once_whatever_fails(t *testing.T) {
	t.Parallel()
	nobody := policy.Buyer{Key: "8", Name: "Grace Hopper", FirstName: "Grace", LastName: "Hopper"}
	for mode, cfg := range modes() {
		for name, fault := range faultsOf(freeagentsim.ContactCreate) {
			for _, buyer := range []policy.Buyer{ada(), nobody} {
				t.Run(mode+"_"+name+"_"+strings.ReplaceAll(buyer.Name, " ", "_"), func(t *testing.T) {
					t.Parallel()
					b := setup(t, cfg)
					b.sim.Inject(fault.Fault)
					_, err := ensureContact(t.Context(), b.client, buyer, provider.Try{})
					require.Equal(t, fault.kind, failureIn(t, err).Kind)
					url, err := ensureContact(t.Context(), b.client, buyer, provider.Try{Uncertain: true})
					require.NoError(t, err)
					made := b.sim.Contacts()
					require.Len(t, made, 1)
					require.Equal(t, strconv.Itoa(made[0].ID), idOf(url))
					require.Zero(t, b.sim.Pending())
				})
			}
		}
	}
}

func TestContact_without_email_not_mistaken_for_a_namesake(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.sim.AddContact(map[string]string{"first_name": "Grace", "last_name": "Hopper", "postcode": "N1 1AA"})
	b.sim.AddContact(map[string]string{"first_name": "Grace", "last_name": "Hopper", "email": "g@example.com"})
	_, err := ensureContact(t.Context(), b.client, policy.Buyer{Name: "Grace Hopper", FirstName: "Grace", LastName: "Hopper"}, provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Len(t, b.sim.Contacts(), 3)
}

// A list that cannot be read is not an empty list.
func TestContact_not_created_when_the_look_up_fails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]freeagentsim.Fault{
		"page_of_a_proxy": {Status: 200, Body: "<html>sign in</html>"},
		"other_envelope":  {Status: 200, Body: `{"people":[]}`},
		"no_list":         {Status: 200, Body: `{"contacts":{}}`},
		"empty":           {Status: 200},
		"half":            {After: true, Half: true},
		"server_fault":    {Status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{})
			fault.Operation = freeagentsim.ContactList
			b.sim.Inject(fault)
			_, err := ensureContact(t.Context(), b.client, ada(), provider.Try{Uncertain: true})
			require.Equal(t, provider.Temporary, failureIn(t, err).Kind)
			require.Empty(t, b.sim.Contacts())
		})
	}
}

// A server that gives the same page for ever is left in the end, and its links
// to elsewhere are never followed.
func TestList_left_when_it_does_not_end(t *testing.T) {
	t.Parallel()
	calls := 0
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "ledger.test", r.Host)
		calls++
		w.Header().Set("Link", `<http://elsewhere.test/v2/contacts?page=2>; rel="next"`)
		_, _ = w.Write([]byte(`{"contacts":[{"url":"http://elsewhere.test/v2/contacts/1","email":"x@example.com"}]}`))
	}))
	_, err := ensureContact(t.Context(), client, ada(), provider.Try{Uncertain: true})
	require.Equal(t, provider.Temporary, failureIn(t, err).Kind)
	require.Equal(t, maxPages, calls)
}

// Where Link is missing, the count says whether there is another page, and
// without that a full page does.
func TestList_read_to_its_end_without_Link(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		header http.Header
		size   int
		calls  int
	}{
		"By_the_count":       {http.Header{"X-Total-Count": {"5"}}, 2, 3},
		"By_a_page_not_full": {http.Header{}, perPage, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const all = 5
			calls := 0
			client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				page, err := strconv.Atoi(r.URL.Query().Get("page"))
				assert.NoError(t, err)
				var elements []string
				for n := (page - 1) * row.size; n < min(page*row.size, all); n++ {
					elements = append(elements, fmt.Sprintf(`{"url":"%s/v2/contacts/%d"}`, testBase, n+1))
				}
				maps.Copy(w.Header(), row.header)
				_, _ = w.Write([]byte(`{"contacts":[` + strings.Join(elements, ",") + `]}`))
			}))
			read := 0
			require.NoError(t, list(t.Context(), client, opContactList, "contacts", nil, func(contactAnswer) bool { read++; return true }))
			require.Equal(t, all, read)
			require.Equal(t, row.calls, calls)
		})
	}
}

func TestCountryName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "United Kingdom", countryName("gb"))
	require.Equal(t, "Côte d'Ivoire", countryName("CI"))
	require.Equal(t, "QQ", countryName("QQ"))
	require.Empty(t, countryName(""))
	require.Equal(t, "GB", countryCode("United Kingdom"))
	require.Empty(t, countryCode("Atlantis"))
	require.Equal(t, 250, len(strings.Split(countries, "\n")))
}
