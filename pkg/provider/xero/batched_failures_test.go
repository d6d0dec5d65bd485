package xero_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// Wherever the joint call fails, every document of it is told the same, and the
// second call leaves each exactly once and says which were there.
func Test_Second_call_leaves_each_document_once_wherever_the_first_failed(t *testing.T) {
	t.Parallel()
	for _, p := range crashPoints() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = 3 })
			set := b.documents(t, 5)
			p.fault.Operation = "PUT /Invoices"
			b.sim.Inject(p.fault)
			for _, o := range b.client.EnsureInvoices(b.ctx, set) {
				f := failure(t, o.Err)
				requireTemporary(t, p.wrote, f)
				require.Equal(t, p.fault.Status > 0, f.KeySpent)
			}
			require.Len(t, b.sim.Invoices(), map[bool]int{true: 5}[p.saved])
			require.Equal(t, []string{"PUT /Invoices"}, b.wire.sequence())

			b.wire.forget()
			outcomes := b.client.EnsureInvoices(b.ctx, otherKeys(uncertain(set)))
			b.posted(t, set, outcomes)
			for _, o := range outcomes {
				require.Equal(t, p.saved, o.Value.Adopted)
			}
			require.Equal(t, map[bool]int{true: 0, false: 1}[p.saved], len(b.wire.of("PUT /Invoices")))
		})
	}
}

// After a lost answer the same set has the same key, so what Xero did with it is
// repeated, not done again.
func Test_Lost_answer_is_asked_for_again_under_the_same_key(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.After, Reset: true},
		xerosim.Fault{Operation: "GET /Invoices", Status: 200, Body: `{"Invoices":[]}`}) // it does not show yet
	require.Equal(t, []string{"maybe", "maybe", "maybe"}, fates(b.client.EnsureInvoices(b.ctx, set)))
	outcomes := b.client.EnsureInvoices(b.ctx, uncertain(set))
	require.Equal(t, []string{"ok", "ok", "ok"}, fates(outcomes))
	b.posted(t, set, outcomes)
	calls := b.wire.of("PUT /Invoices")
	require.Equal(t, calls[0].key, calls[1].key)
}

func Test_Caller_who_goes_away_finds_the_whole_set_later(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	release := make(chan struct{})
	defer close(release)
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.After, Hang: release})
	ctx, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
	defer cancel()
	require.Equal(t, []string{"maybe", "maybe", "maybe"}, fates(b.client.EnsureInvoices(ctx, set)))
	outcomes := b.client.EnsureInvoices(b.ctx, uncertain(set))
	require.Equal(t, []string{"adopted", "adopted", "adopted"}, fates(outcomes))
	b.posted(t, set, outcomes)
}

// No storm: after a limit, a refused token or a doubtful end no call is made, and
// what was not sent is not in doubt.
func Test_Calls_end_with_the_first_that_says_so(t *testing.T) {
	t.Parallel()
	minute := http.Header{"X-Rate-Limit-Problem": {"minute"}, "Retry-After": {"17"}}
	for name, c := range map[string]struct {
		fault xerosim.Fault
		sent  provider.Kind
		wrote provider.Wrote
		other provider.Kind
	}{
		"429":            {xerosim.Fault{Status: 429, Header: minute}, provider.RateLimited, provider.WroteAsBefore, provider.RateLimited},
		"401":            {xerosim.Fault{Status: 401}, provider.Auth, provider.WroteAsBefore, provider.Auth},
		"403":            {xerosim.Fault{Status: 403}, provider.Auth, provider.WroteAsBefore, provider.Auth},
		"503":            {xerosim.Fault{Status: 503}, provider.Temporary, provider.WroteAsBefore, provider.Temporary},
		"500":            {xerosim.Fault{Status: 500}, provider.Temporary, provider.WroteMaybe, provider.Temporary},
		"lost":           {xerosim.Fault{Reset: true, When: xerosim.After}, provider.Temporary, provider.WroteMaybe, provider.Temporary},
		"no such method": {xerosim.Fault{Status: 501}, provider.Bug, provider.WroteAsBefore, provider.Temporary},
		"nothing shown":  {xerosim.Fault{Status: 200, Body: `{"Invoices":[]}`}, provider.Temporary, provider.WroteMaybe, provider.Temporary},
		"not Xero":       {xerosim.Fault{Status: 200, Body: `<html>`}, provider.Temporary, provider.WroteMaybe, provider.Temporary},
	} {
		b := setup(t)
		set := b.documents(t, 52)
		c.fault.Operation = "PUT /Invoices"
		b.sim.Inject(c.fault)
		outcomes := b.client.EnsureInvoices(b.ctx, set)
		require.Equal(t, []string{"PUT /Invoices"}, b.wire.sequence(), name)
		for i, o := range outcomes {
			f, want, wrote := failure(t, o.Err), c.sent, c.wrote
			if i >= 50 {
				want, wrote = c.other, provider.WroteAsBefore
			}
			require.Equal(t, want, f.Kind, "%s %d", name, i)
			require.Equal(t, wrote, f.Wrote, "%s %d", name, i)
			if name == "429" {
				require.Equal(t, 17*time.Second, f.RetryAfter)
			}
		}
		b.posted(t, set, b.client.EnsureInvoices(b.ctx, otherKeys(uncertain(set))))
	}
}

func Test_Failed_look_up_posts_nothing(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]provider.Kind{429: provider.RateLimited, 401: provider.Auth, 500: provider.Temporary, 501: provider.Bug} {
		b := setup(t)
		set := b.documents(t, 3)
		set[1].Try.Uncertain, set[2].Try.Uncertain = true, true
		b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: status})
		outcomes := b.client.EnsureInvoices(b.ctx, set)
		for _, i := range []int{1, 2} {
			require.Equal(t, kind, failure(t, outcomes[i].Err).Kind)
		}
		require.NotEqual(t, provider.Bug, failure(t, outcomes[0].Err).Kind, "it was not asked for")
		require.Equal(t, []string{"GET /Invoices"}, b.wire.sequence())
	}
}

// An answer that does not hold what was asked for proves nothing: what is looked for may
// be there.
func Test_Look_up_without_a_list_posts_nothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `null`, `{"Invoices":null}`, `{"Message":"no"}`, `{"Contacts":[]}`} {
		b := setup(t)
		set := b.documents(t, 2)
		set[0].Try.Uncertain, set[1].Try.Uncertain = true, true
		b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 200, Body: body})
		for _, o := range b.client.EnsureInvoices(b.ctx, set) {
			require.Equal(t, provider.Temporary, failure(t, o.Err).Kind, body)
		}
		require.Equal(t, []string{"GET /Invoices"}, b.wire.sequence(), body)
	}
}

// A refusal of the whole call hurts only the document that it is for.
func Test_One_bad_document_of_fifty_ends_alone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*provider.Document)
		want  string
	}{
		"malformed":       {func(d *provider.Document) { d.Body = []byte(`{"Invoices":[42]}`) }, "bug"},
		"unknown contact": {func(d *provider.Document) { d.Body = replacedIn(d.Body, d.ContactID, someContact) }, "contact_not_found"},
	} {
		for _, at := range []int{0, 23, 49} {
			b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = 5 })
			set := b.documents(t, 50)
			c.spoil(&set[at].Value)
			outcomes := b.client.EnsureInvoices(b.ctx, set)
			require.Equal(t, c.want, fates(outcomes)[at], name)
			require.False(t, b.exists(set[at].Value.Number))
			good, theirs := append(set[:at:at], set[at+1:]...), append(outcomes[:at:at], outcomes[at+1:]...)
			b.posted(t, good, theirs)
			require.LessOrEqual(t, b.sim.Calls("PUT /Invoices"), 13)
		}
	}
}

func Test_Call_that_is_too_large_is_halved(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", `{"Type":"PostDataInvalidException"}`, `<html>`} {
		b := setup(t)
		set := b.documents(t, 7)
		b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 413, Body: body, Times: 2})
		b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
		require.Equal(t, 5, b.sim.Calls("PUT /Invoices"), "7, 3, 1 and 2, 4")
		keys := map[string]bool{}
		for _, call := range b.wire.of("PUT /Invoices") {
			keys[call.key] = true
		}
		require.Len(t, keys, 5, "another body has another key")
	}
}

// What was in a call that was refused as a whole may exist, where nobody
// promises otherwise; a limit after that waits as any does, but leaves the documents in
// doubt.
func Test_Limit_after_a_refused_call_is_certain_only_where_the_call_was_not_read(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first xerosim.Fault
		want  provider.Wrote
	}{
		"too large":  {xerosim.Fault{Status: 413}, provider.WroteAsBefore},
		"not read":   {xerosim.Fault{Status: 400, Body: `{"Type":"PostDataInvalidException"}`}, provider.WroteAsBefore},
		"not found":  {xerosim.Fault{Status: 404}, provider.WroteMaybe},
		"validation": {xerosim.Fault{Status: 400, Body: `{"Type":"ValidationException"}`}, provider.WroteMaybe},
	} {
		b := setup(t)
		set := b.documents(t, 4)
		c.first.Operation = "PUT /Invoices"
		limited := xerosim.Fault{Operation: "PUT /Invoices", Status: 429, Header: http.Header{"X-Rate-Limit-Problem": {"day"}, "Retry-After": {"100"}}}
		b.sim.Inject(c.first, limited)
		for _, o := range b.client.EnsureInvoices(b.ctx, set) {
			f := failure(t, o.Err)
			require.Equal(t, provider.RateLimited, f.Kind, name)
			require.Equal(t, c.want, f.Wrote, name)
			require.Equal(t, 100*time.Second, f.RetryAfter)
		}
		require.Equal(t, 2, b.sim.Calls("PUT /Invoices"))
	}
}

// The same where it is our own budget that has none left.
func Test_Budget_spent_after_a_refused_call_is_a_wait_in_doubt(t *testing.T) {
	t.Parallel()
	budget := &provider.Failure{Kind: provider.RateLimited, Reason: provider.ReasonBudget, RetryAfter: time.Minute}
	b := setup(t)
	set := b.documents(t, 4)
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 404})
	counter := &permits{left: 1, denial: budget}
	for _, o := range newClient(t, b.url, b.clock, b.seen, counter.count).EnsureInvoices(b.ctx, set) {
		f := failure(t, o.Err)
		require.Equal(t, []any{provider.RateLimited, provider.ReasonBudget, time.Minute, provider.WroteMaybe}, []any{f.Kind, f.Reason, f.RetryAfter, f.Wrote})
	}
	require.Equal(t, 2, counter.asked)
}

// Xero's stored error for a set does not block it: the caller, told that an
// answer came, takes another key.
func Test_Answered_failure_of_a_set_says_that_another_key_is_needed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 500})
	require.True(t, failure(t, b.client.EnsureInvoices(b.ctx, set)[0].Err).KeySpent)
	require.Equal(t, []string{"maybe", "maybe", "maybe"}, fates(b.client.EnsureInvoices(b.ctx, uncertain(set))), "the stored 500")
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, otherKeys(uncertain(set))))
}

var errNoPermit = errors.New("the counter is away")

// A permit denied before any of the calls of an Ensure: nothing more is sent, its
// error comes as it is, and leaves only him in doubt whose number is taken.
func Test_Permit_denied_at_any_call_ends_the_set(t *testing.T) {
	t.Parallel()
	budget := &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: provider.ReasonBudget, RetryAfter: time.Second}
	for _, denial := range []error{budget, errNoPermit} {
		for granted := range 4 {
			b := setup(t)
			set := b.documents(t, 4)
			_, err := ensureInvoice(b.ctx, b.client, set[1].Value, provider.Try{Key: "earlier"}) // taken
			require.NoError(t, err)
			set[3].Try.Uncertain = true
			b.wire.forget()
			counter := &permits{left: granted, denial: denial}
			client := newClient(t, b.url, b.clock, b.seen, counter.count)

			outcomes := client.EnsureInvoices(b.ctx, set)
			require.Len(t, b.wire.sequence(), min(granted, 3))
			require.Equal(t, min(granted, 3), counter.done)
			for i, o := range outcomes {
				if o.Err == nil {
					b.isOnce(t, set[i].Value, o.Value)
					continue
				}
				if i == 1 && granted == 2 {
					require.Equal(t, provider.WroteMaybe, provider.AsFailure(o.Err).Wrote)
					require.Equal(t, provider.AsFailure(denial).Kind, provider.AsFailure(o.Err).Kind)
					continue
				}
				require.Same(t, denial, o.Err)
			}
			want := [][]bool{{false, false, false, false}, {false, false, false, false}, {true, false, true, true}, {true, true, true, true}}[granted]
			for i, o := range outcomes {
				require.Equal(t, want[i], o.Err == nil, "%d granted, document %d", granted, i)
			}
		}
	}
}

func Test_Permit_denied_at_any_call_of_a_set_of_one_comes_as_it_is(t *testing.T) {
	t.Parallel()
	away := &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal, Message: "no counter"}
	for _, denial := range []error{errNoPermit, away} {
		for granted := range 2 { // look-up, create
			b := setup(t)
			set := uncertain(b.documents(t, 1))
			counter := &permits{left: granted, denial: denial}
			client := newClient(t, b.url, b.clock, b.seen, counter.count)
			outcome := client.EnsureInvoices(b.ctx, set)[0]
			require.Same(t, denial, outcome.Err)
			require.Len(t, b.wire.sequence(), granted)
			require.Equal(t, granted+1, counter.asked)
		}
	}
}
