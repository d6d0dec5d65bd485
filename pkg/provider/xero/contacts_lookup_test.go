package xero_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// unsurely is set as a caller sends it again who does not know what became of it.
func unsurely(set buyers) buyers {
	var again buyers
	for _, item := range set {
		item.Try = provider.Try{Key: item.Try.Key + " again", Uncertain: true}
		again = append(again, item)
	}
	return again
}

const (
	lookUpCall = "GET /Contacts"
	createCall = "PUT /Contacts"
)

// The case that was measured: the answer to fifty new customers is lost, and the
// next attempt must not cost a minute's budget.
func Test_Fifty_contacts_whose_answer_was_lost_cost_two_calls_at_most(t *testing.T) {
	t.Parallel()
	for existing, calls := range map[int][]string{
		0:  {lookUpCall, createCall},
		25: {lookUpCall, createCall},
		50: {lookUpCall},
	} {
		for seed := range uint64(2) {
			b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = seed })
			set := people(50)
			if existing > 0 {
				b.sim.Inject(xerosim.Fault{Operation: createCall, When: xerosim.After, Reset: true})
				for _, o := range b.client.EnsureContacts(b.ctx, set[:existing]) {
					requireTemporary(t, provider.WroteMaybe, o.Err)
				}
			}
			b.wire.forget()
			again := unsurely(set)
			b.areOnce(t, again, b.client.EnsureContacts(b.ctx, again))
			require.Equal(t, calls, b.wire.sequence())
			require.Len(t, b.sim.Contacts(), 50)
		}
	}
}

func Test_Look_up_of_contacts_is_bounded_and_taken_by_the_published_spec(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	for name, c := range map[string]struct {
		prefix string
		calls  int
	}{
		"short": {"", 1},
		"long":  {strings.Repeat(`"`, 40), 4}, // each is six characters in an address
	} {
		b := setup(t)
		set := people(50)
		for i := range set {
			set[i].Value.Key = c.prefix + set[i].Value.Key
		}
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
		b.wire.forget()
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, unsurely(set)))
		require.Empty(t, b.wire.of(createCall))
		calls := b.wire.of(lookUpCall)
		require.Equal(t, c.calls, len(calls), name)
		for _, call := range calls {
			require.LessOrEqual(t, strings.Count(call.query.Get("where"), " OR "), 49)
			require.LessOrEqual(t, len(call.uri), 4200)
			spec.accepts(t, "GET", strings.TrimPrefix(call.uri, "/api.xro/2.0"), nil)
		}
	}
}

func Test_Number_that_reads_like_a_query_is_a_number(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(4)
	set[0].Value.Key = `1" OR ContactNumber=="1002`
	set[1].Value.Key = ` and \ && || `
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
	b.wire.forget()
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, unsurely(set)))
	require.Equal(t, []string{lookUpCall}, b.wire.sequence())
}

// A number without characters would fit every contact that has none.
func Test_Empty_number_is_never_asked_for_beside_others(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := unsurely(people(3))
	set[1].Value.Key = ""
	b.client.EnsureContacts(b.ctx, set)
	for _, call := range b.wire.of(lookUpCall) {
		if where := call.query.Get("where"); strings.Contains(where, `""`) {
			require.NotContains(t, where, " OR ")
		}
	}
}

func Test_Merged_archived_and_misspelt_contacts_are_found_together(t *testing.T) {
	t.Parallel()
	for _, unsure := range []bool{true, false} { // looked up first, or after their numbers are refused
		b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = 4 })
		set := people(6)
		if unsure {
			set = unsurely(set)
		}
		set[3].Value.Key = "mage-x"
		there := b.sim.AddContact("1000", "Customer 0")
		b.sim.ArchiveContact(b.sim.AddContact("1001", "Customer 1"))
		into := b.sim.AddContact("", "Two and more")
		b.sim.MergeContact(b.sim.AddContact("1002", "Customer 2"), into)
		b.sim.AddContact("MAGE-X", "Another's") // the same to Xero, not to us
		b.sim.ArchiveContact(b.sim.AddContact("1004", "Customer 4"))

		outcomes := b.client.EnsureContacts(b.ctx, set)
		require.Equal(t, []string{"ok", "contact_archived", "ok", "contact_number_taken", "contact_archived", "ok"}, contactFates(outcomes))
		require.Equal(t, []string{there, into}, []string{outcomes[0].Value, outcomes[2].Value})
		require.Contains(t, failure(t, outcomes[1].Err).Message, "restore it")
		b.isContact(t, "1005", outcomes[5].Value)
		require.Len(t, b.sim.Contacts(), 7)

		following := lookUpCall // of the merged one
		byHimself := []string{lookUpCall, lookUpCall}
		want := append([]string{createCall, lookUpCall, following}, byHimself...)
		if unsure {
			want = append([]string{lookUpCall, following, createCall}, byHimself...)
		}
		require.Equal(t, want, b.wire.sequence())
	}
}

func Test_Numbers_that_are_taken_are_looked_up_together(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = 7 })
	set := people(50)
	for i := range 20 {
		b.sim.AddContact(set[2*i].Value.Key, set[2*i].Value.Name)
	}
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
	require.Equal(t, []string{createCall, lookUpCall}, b.wire.sequence())
	require.Len(t, b.sim.Contacts(), 50)
}

// The filter is not promised to see everybody: PUT refuses whom it overlooks, and
// then his address is asked.
func Test_Contacts_that_the_joint_look_up_overlooks_are_not_made_twice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(5)
	b.areOnce(t, set[:3], b.client.EnsureContacts(b.ctx, set[:3]))
	b.wire.forget()
	blind := xerosim.Fault{Operation: lookUpCall, Status: 200, Body: `{"Contacts":[]}`}
	b.sim.Inject(blind, blind, blind) // the joint ones before and after PUT, and the filter for the first
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, unsurely(set)))
	require.Len(t, b.sim.Contacts(), 5)
	require.Equal(t, []string{lookUpCall, createCall, lookUpCall, lookUpCall, lookUpCall, lookUpCall, lookUpCall}, b.wire.sequence())
	require.Equal(t, "/api.xro/2.0/Contacts/1000", b.wire.of(lookUpCall)[3].uri)
}

// More contacts than a page: the filters compare without accents, say.
func Test_Look_up_of_contacts_reads_every_page_within_reason(t *testing.T) {
	t.Parallel()
	stranger := `{"ContactID":"5eed0000-0000-4000-8000-0000000000ff","ContactNumber":"77"},`
	full := xerosim.Fault{Operation: lookUpCall, Status: 200, Body: `{"Contacts":[` + strings.TrimSuffix(strings.Repeat(stranger, 100), ",") + `]}`}
	for times, want := range map[int][]string{1: {"1", "2"}, 9: {"1", "2", "3", "4", "5"}} {
		b := setup(t)
		set := people(3)
		full.Times = times
		b.sim.Inject(full)
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, unsurely(set)))
		var pages []string
		for _, call := range b.wire.of(lookUpCall) {
			pages = append(pages, call.query.Get("page"))
		}
		require.Equal(t, want, pages)
		require.Len(t, b.wire.of(createCall), 1)
	}
}

func Test_Look_up_of_contacts_that_Xero_refuses_is_halved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(30)
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
	for _, refusal := range []xerosim.Fault{
		{Status: 400, Body: `{"ErrorNumber":16,"Type":"QueryParseException"}`},
		{Status: 400, Body: `{"ErrorNumber":51,"Type":"HighVolumeException"}`},
		{Status: 414},
	} {
		b.wire.forget()
		refusal.Operation, refusal.Times = lookUpCall, 3
		b.sim.Inject(refusal)
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, unsurely(set)))
		require.Equal(t, []int{30, 15, 7, 3, 4, 8, 15}, b.asked())
	}
	require.Len(t, b.sim.Contacts(), 30)
}

// asked is how many numbers each look-up asked for; 0 is an address.
func (b bundle) asked() []int {
	var all []int
	for _, call := range b.wire.of(lookUpCall) {
		all = append(all, strings.Count(call.query.Get("where"), "ContactNumber=="))
	}
	return all
}

// A Xero without OR costs what it did before there were joint look-ups, and some
// calls to find out.
func Test_Xero_without_OR_is_asked_one_by_one(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.NoAlternatives = true })
	set := people(50)
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
	b.wire.forget()
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, unsurely(set)))
	require.Equal(t, []int{50, 25, 12, 6, 3, 1, 2, 1}, b.asked()[:8])
	require.Len(t, b.asked(), 58)
	require.Empty(t, b.wire.of(createCall))

	b.wire.forget()
	for i := range set {
		set[i].Try.Key += " later"
	}
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set)) // all numbers are taken
	require.Len(t, b.asked(), 58)
	require.Len(t, b.sim.Contacts(), 50)
}

// A limit after any of the calls: what is known stays known, nothing more is
// sent, and nobody exists twice after the next attempt.
func Test_Permit_denied_at_any_call_for_contacts_ends_the_set(t *testing.T) {
	t.Parallel()
	budget := &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: provider.ReasonBudget}
	for _, denial := range []error{budget, errNoPermit} {
		for granted, wantDone := range []int{0, 32, 33, 34, 50} {
			b := setup(t)
			set := unsurely(people(48))
			for i, item := range set[:34] {
				id := b.sim.AddContact(item.Value.Key, item.Value.Name)
				if i == 28 || i == 29 {
					b.sim.MergeContact(id, b.sim.AddContact("", fmt.Sprint("Merged ", i)))
				}
			}
			set = append(set, people(50)[48:]...) // two who were never tried
			before := len(b.sim.Contacts())
			counter := &permits{left: granted, denial: denial}

			// forty-eight, the two merged ones, the joint PUT
			outcomes := newClient(t, b.url, b.clock, b.seen, counter.count).EnsureContacts(b.ctx, set)
			require.Len(t, b.wire.sequence(), min(granted, 4))
			require.Equal(t, min(granted+1, 4), counter.asked)
			done := 0
			for _, o := range outcomes {
				if o.Err == nil {
					done++
					continue
				}
				require.Same(t, denial, o.Err)
			}
			require.Equal(t, wantDone, done, "%d granted", granted)
			require.Equal(t, before+max(done-34, 0), len(b.sim.Contacts()))

			for _, o := range b.client.EnsureContacts(b.ctx, unsurely(set)) {
				require.NoError(t, o.Err)
			}
			require.Len(t, b.sim.Contacts(), before+16)
		}
	}
}

func Test_Failed_look_up_of_contacts_sends_nothing_more(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]provider.Kind{429: provider.RateLimited, 401: provider.Auth, 500: provider.Temporary} {
		b := setup(t)
		set := append(unsurely(people(49)), people(50)[49:]...)
		b.sim.Inject(xerosim.Fault{Operation: lookUpCall, Status: status})
		for _, o := range b.client.EnsureContacts(b.ctx, set) {
			require.Equal(t, kind, failure(t, o.Err).Kind)
		}
		require.Equal(t, []string{lookUpCall}, b.wire.sequence())
	}
}

// The look-up after a clash is limited: who was created stays so, the others wait.
func Test_Limit_at_the_look_up_of_taken_numbers_is_theirs_only(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(5)
	b.sim.AddContact("1001", "One")
	b.sim.AddContact("1003", "Three")
	b.sim.AddContact("", "Customer 4")
	b.sim.Inject(xerosim.Fault{Operation: lookUpCall, Status: 429, Header: limit("minute", "9")})
	require.Equal(t, []string{"ok", "minute", "ok", "minute", "minute"}, contactFates(b.client.EnsureContacts(b.ctx, set)))
	require.Equal(t, []string{createCall, lookUpCall}, b.wire.sequence())
}
