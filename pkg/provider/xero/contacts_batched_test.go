package xero_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// areOnce requires that every buyer has the one contact with his key.
func (b bundle) areOnce(t *testing.T, set buyers, outcomes []provider.Outcome[string]) {
	t.Helper()
	require.Len(t, outcomes, len(set))
	for i, o := range outcomes {
		require.NoError(t, o.Err, set[i].Value.Key)
		b.isContact(t, set[i].Value.Key, o.Value)
	}
}

func (b bundle) isContact(t *testing.T, key, id string) {
	t.Helper()
	var found []xerosim.Contact
	for _, k := range b.sim.Contacts() {
		if k.Number == key {
			found = append(found, k)
		}
	}
	require.Len(t, found, 1, key)
	require.Equal(t, found[0].ID, id, key)
}

func contactFates(outcomes []provider.Outcome[string]) []string {
	var all []string
	for _, o := range outcomes {
		all = append(all, fate(o.Err, false))
	}
	return all
}

func Test_Fifty_contacts_are_created_with_one_call_in_any_order_of_the_answer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = seed })
		set := people(50)
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
		require.Equal(t, []string{"PUT /Contacts"}, b.wire.sequence())
		call := b.wire.of("PUT /Contacts")[0]
		require.Equal(t, "/api.xro/2.0/Contacts?summarizeErrors=false", call.uri)
		for i, element := range elementsOf(t, "Contacts", call.body) {
			alone, err := xero.ContactJSON(set[i].Value)
			require.NoError(t, err)
			require.Equal(t, string(alone), `{"Contacts":[`+string(element)+`]}`)
		}
	}
}

func Test_Body_of_fifty_contacts_is_taken_by_the_published_spec(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	b := setup(t)
	samples := canontest.Samples(t)
	var set buyers
	for i := range 50 {
		buyer := policy.BuyerOf(samples[i%len(samples)].Invoice, samplePolicy())
		buyer.Key, buyer.Email = fmt.Sprint(i), fmt.Sprint(i, "@example.com")
		set = append(set, provider.Item[policy.Buyer]{Value: buyer, Try: provider.Try{Key: fmt.Sprint(i)}})
	}
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set)) // namesakes get another name
	call := b.wire.of("PUT /Contacts")[0]
	require.Len(t, elementsOf(t, "Contacts", call.body), 50)
	spec.accepts(t, "PUT", "/Contacts?summarizeErrors=false", call.body)
}

// Every way that a buyer of a set can end, beside the others.
func Test_Each_buyer_of_a_set_has_his_own_fate(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = 9 })
	set := people(9)
	there := b.sim.AddContact("1001", "customer 1") // his number and name
	b.sim.AddContact("", "Customer 2")              // a namesake
	b.sim.ArchiveContact(b.sim.AddContact("1003", "Customer 3"))
	b.sim.AddContact("", "Customer 4") // both his names are taken
	b.sim.AddContact("", "Customer 4 (M-1004)")
	known := b.sim.AddContact("1005", "Customer 5")
	merged := b.sim.AddContact("1006", "Customer 6")
	into := b.sim.AddContact("", "Six and more")
	b.sim.MergeContact(merged, into)
	set[7].Value.Name = "Customer 0" // a namesake within the set
	set[5].Try.Uncertain, set[6].Try.Uncertain, set[8].Try.Uncertain = true, true, true

	outcomes := b.client.EnsureContacts(b.ctx, set)
	require.Equal(t, []string{"ok", "ok", "ok", "contact_archived", "contact_name_taken", "ok", "ok", "ok", "ok"}, contactFates(outcomes))
	require.Equal(t, there, outcomes[1].Value)
	require.Equal(t, known, outcomes[5].Value)
	require.Equal(t, into, outcomes[6].Value)
	for _, i := range []int{0, 1, 2, 5, 7, 8} {
		b.isContact(t, set[i].Value.Key, outcomes[i].Value)
	}
	names := map[string]string{}
	for _, k := range b.sim.Contacts() {
		names[k.Number] = k.Name
	}
	require.Equal(t, "Customer 2 (M-1002)", names["1002"])
	require.Equal(t, "Customer 0 (M-1007)", names["1007"])
	require.Len(t, elementsOf(t, "Contacts", b.wire.of("PUT /Contacts")[0].body), 7)
}

func Test_Second_call_leaves_each_contact_once_wherever_the_first_failed(t *testing.T) {
	t.Parallel()
	for _, p := range crashPoints() {
		for _, unsure := range []bool{true, false} {
			b := setup(t)
			set := people(4)
			p.fault.Operation = "PUT /Contacts"
			b.sim.Inject(p.fault)
			for _, o := range b.client.EnsureContacts(b.ctx, set) {
				requireTemporary(t, p.wrote, o.Err, p.name)
			}
			require.Equal(t, []string{"PUT /Contacts"}, b.wire.sequence())
			if !unsure {
				b.clock.advance(7 * time.Minute) // Xero has forgotten the key
			}
			for i := range set {
				set[i].Try.Uncertain = unsure
				set[i].Try.Key += " again"
			}
			b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
			require.Len(t, b.sim.Contacts(), 4, p.name)
		}
	}
}

func Test_Contacts_that_the_answer_does_not_show_are_looked_up(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(3)
	b.wire.answerWith(replaced("PUT /Contacts", `"ContactNumber":"1001"`, `"ContactNumber":"10011"`))
	outcomes := b.client.EnsureContacts(b.ctx, set)
	require.Equal(t, []string{"ok", "maybe", "ok"}, contactFates(outcomes))
	require.True(t, failure(t, outcomes[1].Err).KeySpent)
	b.wire.answerWith(nil)
	for i := range set {
		set[i].Try.Uncertain = true
	}
	b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
}

func Test_One_bad_buyer_of_fifty_ends_alone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(50)
	set[17].Value.Key = strings.Repeat("1", 51)
	outcomes := b.client.EnsureContacts(b.ctx, set)
	require.Equal(t, "refused", contactFates(outcomes)[17])
	b.areOnce(t, append(set[:17:17], set[18:]...), append(outcomes[:17:17], outcomes[18:]...))

	b = setup(t)
	set = people(8)
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Contacts", Status: 400, Body: `<html>`, Times: 4})
	outcomes = b.client.EnsureContacts(b.ctx, set)
	require.Equal(t, []string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"}, contactFates(outcomes), "8, 4, 2 and the other 2 of the first half; single ones and the second half are taken")
	b.areOnce(t, set, outcomes)
}

func Test_Limit_among_buyers_ends_the_calls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(5)
	b.sim.AddContact("", "Customer 1")
	b.sim.AddContact("", "Customer 3")
	set[4].Try.Uncertain = true
	counter := &permits{left: 3, denial: errNoPermit} // two look-ups of the fifth buyer, the joint call
	client := newClient(t, b.url, b.clock, b.seen, counter.count)
	outcomes := client.EnsureContacts(b.ctx, set)
	require.Len(t, b.wire.sequence(), 3)
	require.Equal(t, 4, counter.asked)
	for _, i := range []int{0, 2, 4} {
		require.NoError(t, outcomes[i].Err)
	}
	for _, i := range []int{1, 3} {
		require.Same(t, errNoPermit, outcomes[i].Err)
	}

	counter = &permits{denial: errNoPermit}
	for _, o := range newClient(t, b.url, b.clock, b.seen, counter.count).EnsureContacts(b.ctx, set) {
		require.Same(t, errNoPermit, o.Err)
	}
	require.Equal(t, 1, counter.asked)
}

func Test_Second_buyer_with_a_number_of_the_set_comes_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := people(2)
	set = append(set, slices.Clone(set[:1])...)
	outcomes := b.client.EnsureContacts(b.ctx, set)
	require.Equal(t, []string{"ok", "ok", "temporary"}, contactFates(outcomes))
	again := b.client.EnsureContacts(b.ctx, set[2:])
	require.Equal(t, outcomes[0].Value, again[0].Value)
}

// The key of one buyer is as it always was, whatever set he is in.
func Test_Buyer_left_alone_has_his_own_key(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, others := range []int{0, 1} {
		b := setup(t)
		set := people(1 + others)
		for i := range others {
			b.sim.AddContact(set[1+i].Value.Key, set[1+i].Value.Name)
			set[1+i].Try.Uncertain = true
		}
		b.areOnce(t, set, b.client.EnsureContacts(b.ctx, set))
		call := b.wire.of("PUT /Contacts")[0]
		var body map[string][]any
		require.NoError(t, json.Unmarshal(call.body, &body))
		require.Len(t, body["Contacts"], 1)
		keys[call.key] = true
	}
	require.Len(t, keys, 1)
}
