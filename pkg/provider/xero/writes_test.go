package xero_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// Every write, alone and in a set, wherever its call fails: the second call leaves
// each exactly once, with the right sums, and a third changes nothing.
func Test_Second_call_leaves_each_write_once_wherever_the_first_failed(t *testing.T) {
	t.Parallel()
	for _, w := range writings() {
		for _, n := range []int{1, 3} {
			for _, p := range crashPoints() {
				t.Run(fmt.Sprintf("%s_%d_%s", w.name, n, p.name), func(t *testing.T) {
					t.Parallel()
					b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = 3 })
					do := w.prepare(t, b, n)
					fault := p.fault
					fault.Operation = w.operation
					b.sim.Inject(fault)
					for i, r := range do(b.ctx, provider.Try{}) {
						f, wrote := failure(t, r.err), p.wrote
						if i > 0 && w.single {
							wrote = provider.WroteAsBefore // it was not sent
						}
						requireTemporary(t, wrote, f)
					}
					saved := w.there(b)

					again := provider.Try{Uncertain: true}
					if fault.Status > 0 {
						again.Key = " again" // it was answered, so that answer is remembered
					}
					adopted := 0
					for _, r := range do(b.ctx, again) {
						require.NoError(t, r.err)
						if r.adopted {
							adopted++
						}
					}
					require.Equal(t, n, w.there(b))
					w.right(t, b, n)
					if w.adopts {
						require.Equal(t, saved, adopted)
					}
					for _, r := range do(b.ctx, provider.Try{Key: " third"}) {
						require.NoError(t, r.err)
					}
					require.Equal(t, n, w.there(b))
					w.right(t, b, n)
				})
			}
		}
	}
}

// A stored error is repeated under the same key, and says that the next try needs
// another: that one gets through, once.
func Test_A_remembered_error_does_not_stand_in_the_way_of_a_write(t *testing.T) {
	t.Parallel()
	for _, w := range writings() {
		for _, n := range []int{1, 3} {
			for _, when := range []xerosim.When{xerosim.Before, xerosim.After} {
				t.Run(fmt.Sprintf("%s_%d_%d", w.name, n, when), func(t *testing.T) {
					t.Parallel()
					b := setup(t)
					do := w.prepare(t, b, n)
					b.sim.Inject(xerosim.Fault{Operation: w.operation, Status: 500, When: when})
					do(b.ctx, provider.Try{})
					for _, r := range do(b.ctx, provider.Try{Uncertain: true}) {
						if f := provider.AsFailure(r.err); r.err != nil && f.Wrote == provider.WroteMaybe {
							require.True(t, f.KeySpent)
						}
					}
					for _, r := range do(b.ctx, provider.Try{Uncertain: true, Key: " again"}) {
						require.NoError(t, r.err)
					}
					require.Equal(t, n, w.there(b))
					w.right(t, b, n)
				})
			}
		}
	}
}

// The caller's time runs out while Xero works on it.
func Test_A_write_that_takes_too_long_is_found_later(t *testing.T) {
	t.Parallel()
	for _, w := range writings() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			do := w.prepare(t, b, 1)
			release := make(chan struct{})
			defer close(release)
			b.sim.Inject(xerosim.Fault{Operation: w.operation, When: xerosim.After, Hang: release})
			ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
			defer cancel()
			requireTemporary(t, provider.WroteMaybe, do(ctx, provider.Try{})[0].err)
			r := do(b.ctx, provider.Try{Uncertain: true})[0]
			require.NoError(t, r.err)
			require.Equal(t, w.adopts, r.adopted)
			require.Equal(t, 1, w.there(b))
			w.right(t, b, 1)
		})
	}
}

// Nothing is written at a limit, and no call follows it.
func Test_A_limit_is_everybodys_and_ends_the_calls(t *testing.T) {
	t.Parallel()
	limit := http.Header{"X-Rate-Limit-Problem": {"minute"}, "Retry-After": {"17"}}
	for _, w := range writings() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			do := w.prepare(t, b, 3)
			before := b.sim.Calls(w.operation)
			b.sim.Inject(xerosim.Fault{Operation: w.operation, Status: 429, Header: limit})
			for _, r := range do(b.ctx, provider.Try{}) {
				f := failure(t, r.err)
				require.Equal(t, provider.RateLimited, f.Kind)
				require.Equal(t, 17*time.Second, f.RetryAfter)
			}
			require.Equal(t, before+1, b.sim.Calls(w.operation))
			require.Zero(t, w.there(b))
			for _, r := range do(b.ctx, provider.Try{}) {
				require.NoError(t, r.err)
			}
			require.Equal(t, 3, w.there(b))
		})
	}
}

// As few calls as the wire allows: one look-up of a kind, one write; Xero has no joint
// call for allocations.
func Test_A_set_of_forty_takes_two_calls(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"payments": {"GET /Invoices", "PUT /Payments"}, "part payments": {"GET /Invoices", "PUT /Payments"}, "credit notes": {"PUT /CreditNotes"},
		"refunds": {"GET /CreditNotes", "PUT /Payments"}, "items": {"POST /Items"}, "contacts": {"GET /Contacts", "POST /Contacts"},
	}
	for _, w := range writings() {
		calls, joint := want[w.name]
		if !joint {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			do := w.prepare(t, b, 40)
			b.wire.forget()
			ids := map[string]bool{}
			for _, r := range do(b.ctx, provider.Try{}) {
				require.NoError(t, r.err)
				require.Len(t, r.calls, len(calls))
				for _, id := range r.calls {
					ids[id] = true
				}
			}
			require.Equal(t, calls, b.wire.sequence())
			require.Len(t, ids, len(calls), "the id that Xero gave to each call")
			for id := range ids {
				require.True(t, strings.HasPrefix(id, "c0de0000-"), id)
			}
			w.right(t, b, 40)
		})
	}
}
