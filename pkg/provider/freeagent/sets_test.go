package freeagent

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// documents are n of one buyer, to be sent.
func (b *bundle) documents(t *testing.T, n int) []provider.Item[provider.Document] {
	t.Helper()
	b.pol.V2InvoiceStatus = "Sent"
	inv := sample(t, "plain_vat")
	contact := b.contact(t, inv)
	set := make([]provider.Item[provider.Document], n)
	for i := range set {
		inv.IncrementID = fmt.Sprintf("7%08d", i)
		set[i].Value = b.documentFor(t, inv, contact)
	}
	return set
}

func TestBatchSize_is_one_but_where_a_set_shares_a_look_up(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1, (&Client{}).BatchSize())
	require.Equal(t, 10, (&Client{cfg: Config{MatchContacts: true}}).BatchSize())
}

func TestSet_empty_without_a_call(t *testing.T) {
	t.Parallel()
	client := clientOf(t, http.NotFoundHandler(), func(c *Config) { c.Permit = (&permits{bounded: true}).permit })
	require.Empty(t, client.EnsureInvoices(t.Context(), nil))
	require.Empty(t, client.EnsureContacts(t.Context(), nil))
}

func TestInvoices_each_judged_by_itself(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	set := b.documents(t, 5)
	_, err := ensureInvoice(t.Context(), b.client, set[0].Value, provider.Try{})
	require.NoError(t, err)
	set[0].Try.Uncertain = true
	other := set[0].Value // its number, another total
	other.Total = dec("1")
	set[2].Value = other
	set[3].Value.Body = []byte(`{"invoice":{}}`)

	all := b.client.EnsureInvoices(t.Context(), set)
	require.Len(t, all, 5)
	require.NoError(t, all[0].Err)
	require.True(t, all[0].Value.Adopted)
	require.NoError(t, all[1].Err)
	require.Equal(t, set[1].Value.Number, all[1].Value.Number)
	require.Equal(t, "number_taken", failureIn(t, all[2].Err).Reason)
	require.Equal(t, provider.Refused, failureIn(t, all[3].Err).Kind)
	require.NoError(t, all[4].Err)
	require.Equal(t, set[4].Value.Number, all[4].Value.Number)
	require.Len(t, b.sim.Invoices(), 3)
}

func TestContacts_each_judged_by_itself(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	bad, grace := ada(), policy.Buyer{Key: "8", Name: "Grace Hopper", FirstName: "Grace", LastName: "Hopper"}
	bad.Name, bad.FirstName, bad.LastName, bad.Email = "", "", "", "bad@example.com"
	all := b.client.EnsureContacts(t.Context(), []provider.Item[policy.Buyer]{{Value: ada()}, {Value: bad}, {Value: grace}})
	require.Len(t, all, 3)
	require.Equal(t, testBase+"/v2/contacts/101", all[0].Value)
	require.Equal(t, provider.Refused, failureIn(t, all[1].Err).Kind)
	require.Equal(t, testBase+"/v2/contacts/102", all[2].Value)
	require.Len(t, b.sim.Contacts(), 2)
}

// The second of four fails in a way that the next call would meet too: the
// others are not called, and are told that nothing was sent for them.
func TestInvoices_rest_not_called(t *testing.T) {
	t.Parallel()
	limit := freeagentsim.Fault{Operation: freeagentsim.InvoiceCreate, Skip: 1, Status: 429, Header: http.Header{"Retry-After": {"60"}}}
	limitedSend := limit
	limitedSend.Operation = freeagentsim.InvoiceSend
	for name, row := range map[string]struct {
		fault        freeagentsim.Fault
		uncertain    bool
		second, rest provider.Kind
		wait         time.Duration
		adopted      bool
	}{
		"After_a_limit":                    {limit, false, provider.RateLimited, provider.RateLimited, time.Minute, false},
		"After_a_limit_between_two_calls":  {limitedSend, false, provider.RateLimited, provider.RateLimited, time.Minute, true},
		"After_a_refused_token":            {freeagentsim.Fault{Operation: freeagentsim.InvoiceCreate, Skip: 1, Status: 401}, false, provider.Auth, provider.Auth, 0, false},
		"After_a_lost_answer":              {freeagentsim.Fault{Operation: freeagentsim.InvoiceCreate, Skip: 1, After: true, Reset: true}, false, provider.Temporary, provider.Temporary, 0, true},
		"After_a_fault":                    {freeagentsim.Fault{Operation: freeagentsim.InvoiceCreate, Skip: 1, Status: 500}, false, provider.Temporary, provider.Temporary, 0, false},
		"After_a_look_up_that_went_astray": {freeagentsim.Fault{Operation: freeagentsim.InvoiceList, Status: 503}, true, provider.Temporary, provider.Temporary, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := setupPermits(t, freeagentsim.Config{})
			set := b.documents(t, 4)
			set[1].Try.Uncertain = row.uncertain
			b.sim.Inject(row.fault)
			all := b.client.EnsureInvoices(t.Context(), set)
			require.Len(t, all, 4)
			require.NoError(t, all[0].Err)
			require.Equal(t, row.second, failureIn(t, all[1].Err).Kind)
			for _, rest := range all[2:] {
				f := failureIn(t, rest.Err)
				require.Equal(t, row.rest, f.Kind)
				require.Equal(t, provider.WroteAsBefore, f.Wrote)
				require.Equal(t, row.wait, f.RetryAfter)
				require.Equal(t, provider.Posted{}, rest.Value)
			}
			require.LessOrEqual(t, b.sim.Count(freeagentsim.InvoiceCreate), 2)
			all = b.client.EnsureInvoices(t.Context(), []provider.Item[provider.Document]{
				{Value: set[1].Value, Try: provider.Try{Uncertain: true}}, set[2], set[3]})
			for i, o := range all {
				require.NoError(t, o.Err)
				require.Equal(t, i == 0 && row.adopted, o.Value.Adopted)
			}
			require.Len(t, b.sim.Invoices(), 4)
		})
	}
}

func TestContacts_rest_not_called_without_a_budget(t *testing.T) {
	t.Parallel()
	b, p := setupPermits(t, freeagentsim.Config{})
	set := make([]provider.Item[policy.Buyer], 4)
	for i := range set {
		set[i].Value = policy.Buyer{Name: fmt.Sprint("Buyer ", i)}
	}
	p.allow(2)
	all := b.client.EnsureContacts(t.Context(), set)
	require.NoError(t, errors.Join(all[0].Err, all[1].Err))
	requireNoBudget(t, all[2].Err)
	requireNoBudget(t, all[3].Err)
	require.Len(t, b.sim.Contacts(), 2)
}

// Whatever fails at any calls of sets that come again until all is done: each
// document exists once, is sent, and was never said not to exist when it did.
func TestAnySet_written_once_whatever_fails(t *testing.T) {
	t.Parallel()
	var sim atomic.Pointer[freeagentsim.Server]
	p := &permits{}
	sim.Store(freeagentsim.New(freeagentsim.Config{Now: testNow}))
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.Load().ServeHTTP(w, r) }),
		func(c *Config) { c.Permit = p.permit })
	ref, err := client.Reference(t.Context())
	require.NoError(t, err)
	b := &bundle{client: client, pol: testPolicy(), ref: ref}

	rapid.Check(t, func(rt *rapid.T) {
		b.sim = freeagentsim.New(freeagentsim.Config{Now: testNow, DuplicateReferences: rapid.Bool().Draw(rt, "duplicates")})
		sim.Store(b.sim)
		p.allow(1000)
		set := b.documents(t, rapid.IntRange(1, 4).Draw(rt, "items"))
		injectAny(rt, b.sim)
		for round := 0; ; round++ {
			require.Less(rt, round, 12)
			p.allow(rapid.IntRange(1, 4).Draw(rt, "permits") + 2*round)
			if left := b.attempt(t, rt, set); left == 0 {
				break
			}
		}
		all := b.sim.Invoices()
		require.Len(rt, all, len(set))
		for _, made := range all {
			require.NotEqual(rt, "Draft", made.Status)
		}
	})
	p.settled(t)
}

// injectAny lets up to five calls go wrong.
func injectAny(rt *rapid.T, sim *freeagentsim.Server) {
	for range rapid.IntRange(0, 5).Draw(rt, "faults") {
		operation := rapid.SampledFrom([]string{freeagentsim.InvoiceCreate, freeagentsim.InvoiceList, freeagentsim.InvoiceSend}).Draw(rt, "operation")
		names := []string{"500_before_effect", "reset_before_effect", "429_before_effect", "500_after_effect", "reset_after_effect", "half_after_effect"}
		f := faultsOf(operation)[rapid.SampledFrom(names).Draw(rt, "fault")].Fault
		f.Skip = rapid.IntRange(0, 2).Draw(rt, "skip")
		sim.Inject(f)
	}
}

// attempt hands the set over as the jobs do: who is uncertain stays so. It
// answers how many failed.
func (b *bundle) attempt(t *testing.T, rt *rapid.T, set []provider.Item[provider.Document]) int {
	left := 0
	for i, o := range b.client.EnsureInvoices(t.Context(), set) {
		if o.Err == nil {
			require.Equal(rt, set[i].Value.Number, o.Value.Number)
			set[i].Try.Uncertain = true
			continue
		}
		left++
		_, exists := b.sim.Total(set[i].Value.Number)
		switch provider.AsFailure(o.Err).Wrote {
		case provider.WroteMaybe:
			set[i].Try.Uncertain = true
		case provider.WroteYes:
			require.True(rt, exists, o.Err)
			set[i].Try.Uncertain = true
		case provider.WroteAsBefore:
			require.True(rt, set[i].Try.Uncertain || !exists, o.Err)
		case provider.WroteNo:
			require.False(rt, exists, o.Err)
		}
	}
	return left
}
