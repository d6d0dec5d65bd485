package xero_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// allWritings are the others, and the two that create what these write to.
func allWritings() []writing {
	return append(writings(), writing{name: "invoices", operation: "PUT /Invoices", prepare: func(t *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
		set := b.documents(t, n)
		return func(ctx context.Context, try provider.Try) []result {
			return results(b.client.EnsureInvoices(ctx, tried(set, try)))
		}
	}, there: func(b bundle) int { return len(b.sim.Invoices()) }},
		writing{name: "new contacts", operation: "PUT /Contacts", prepare: func(_ *testing.T, b bundle, n int) func(context.Context, provider.Try) []result {
			set := people(n)
			return func(ctx context.Context, try provider.Try) []result {
				return results(b.client.EnsureContacts(ctx, tried(set, try)))
			}
		}, there: func(b bundle) int { return len(b.sim.Contacts()) }})
}

func Test_Every_row_of_the_table_of_answers_has_a_case(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range answerCases() {
		for _, operation := range xero.Operations() {
			seen[xero.RuleFor(operation, c.status, c.header, c.body)] = true
		}
	}
	for _, name := range xero.Rules() {
		require.True(t, seen[name], name)
	}
}

// Every answer to every write, alone and in a set, leaves it as Xero's documentation
// says: as the case has it, but for an answer that refuses a call for several as a whole,
// of which nobody promises that nothing was saved.
func Test_Every_answer_to_every_write_says_what_became_of_it(t *testing.T) {
	t.Parallel()
	for _, w := range allWritings() {
		for _, n := range []int{1, 3} {
			t.Run(w.name+map[int]string{1: " alone", 3: " in a set"}[n], func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				do := w.prepare(t, b, n)
				before := w.there(b)
				for _, c := range answerCases() {
					if c.status == http.StatusOK {
						continue // an answer to the create of an invoice
					}
					b.sim.Inject(xerosim.Fault{Operation: w.operation, Status: c.status, Body: c.body, Header: c.header, Times: 1000})
					for i, r := range do(b.ctx, provider.Try{Key: " " + c.name}) {
						f, want := failure(t, r.err), c.wrote
						if n > 1 && !w.single && want == provider.WroteAsBefore && c.refusesWhole() {
							want = provider.WroteMaybe
						}
						if i == 0 || !w.single || !provider.Halts(f) {
							require.Equal(t, want, f.Wrote, "%s: %s", c.name, f)
						}
						if n == 1 {
							require.Equal(t, c.write != provider.Auth && c.write != provider.RateLimited, f.KeySpent, "%s: %s", c.name, f)
						}
					}
					b.sim.ForgetFaults()
				}
				require.Equal(t, before, w.there(b))
			})
		}
	}
}

// refusesWhole: Xero read documents in the call, and refused it for one of them.
func (c answerCase) refusesWhole() bool {
	return c.status >= 400 && c.status < 500 && !provider.Halts(&provider.Failure{Kind: c.write}) &&
		c.status != http.StatusRequestEntityTooLarge && !strings.Contains(c.body, "PostDataInvalid")
}

// Where a write took effect and its answer says otherwise, or nothing, no failure says
// that it did not.
func Test_No_answer_after_the_effect_says_that_nothing_was_written(t *testing.T) {
	t.Parallel()
	for _, w := range allWritings() {
		for _, n := range []int{1, 3} {
			t.Run(w.name+map[int]string{1: " alone", 3: " in a set"}[n], func(t *testing.T) {
				t.Parallel()
				for _, c := range answerCases() {
					if c.wrote != provider.WroteMaybe || c.status == http.StatusBadRequest {
						continue // these come before the effect
					}
					b := setup(t)
					do := w.prepare(t, b, n)
					b.sim.Inject(xerosim.Fault{Operation: w.operation, When: xerosim.After, Status: c.status, Body: c.body, Header: c.header})
					f := failure(t, do(b.ctx, provider.Try{})[0].err)
					require.Equal(t, provider.WroteMaybe, f.Wrote, "%s: %s", c.name, f)
				}
			})
		}
	}
}
