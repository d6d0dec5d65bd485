package xero_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// errand is a document as a caller remembers it between its tries.
type errand struct {
	doc        provider.Document
	tries      int
	generation int  // of the key: a new one after every answer
	maybe      bool // a try may have written it
	hopeless   bool // its contact is unknown to Xero
	ended      bool
}

// item is the next try.
func (e *errand) item() provider.Item[provider.Document] {
	e.tries++
	return provider.Item[provider.Document]{Value: e.doc, Try: provider.Try{
		Key: fmt.Sprintf("%s/%d", e.doc.Number, e.generation), Uncertain: e.tries > 1,
	}}
}

// Whatever goes wrong on the way of whatever sets: a failure that says that
// nothing was written is true, and in the end every document is there exactly
// once, under the id that its caller was told.
func Test_Any_faults_leave_every_document_once_and_no_false_certainty(t *testing.T) {
	t.Parallel()
	samples := canontest.Samples(t)
	ref := setup(t).reference(t)
	rapid.Check(t, func(t *rapid.T) {
		b := bundle{clock: &clock{}, ctx: rapidContext()}
		b.sim = xerosim.New(xerosim.Config{Now: b.clock.Now, OrgID: testOrg, ShuffleBatches: rapid.Uint64().Draw(t, "seed")})
		server := httptest.NewServer(b.sim)
		defer server.Close()
		b.client = newClient(t, server.URL, b.clock, &recorder{})
		contact := b.sim.AddContact("1", "Somebody")
		var open []*errand
		for i := range rapid.IntRange(1, 8).Draw(t, "documents") {
			e := &errand{hopeless: rapid.IntRange(0, 9).Draw(t, "hopeless") == 0}
			inv, who := samples[i].Invoice, contact
			inv.IncrementID = fmt.Sprint("N", i)
			if e.hopeless {
				who = someContact
			}
			var err error
			e.doc, err = b.client.Document(inv, samplePolicy(), ref, who, runURL)
			require.NoError(t, err)
			open = append(open, e)
		}
		for round := 0; len(open) > 0; round++ {
			require.Less(t, round, 10, "it does not come to an end")
			b.clock.advance(time.Second)
			size := len(open)
			if round < 6 {
				b.sim.Inject(drawFaults(t)...)
				size = rapid.IntRange(1, size).Draw(t, "size of the set")
			} else {
				b.sim.ForgetFaults()
				b.clock.advance(7 * time.Minute) // and Xero forgets its stored answers
			}
			open = tryAgain(t, b, rapid.Permutation(open).Draw(t, "order"), size)
		}
	})
}

// tryAgain sends the first of open as a set and returns what is still open.
func tryAgain(t *rapid.T, b bundle, open []*errand, size int) []*errand {
	var set documents
	for _, e := range open[:size] {
		set = append(set, e.item())
	}
	for i, o := range b.client.EnsureInvoices(b.ctx, set) {
		open[i].take(t, b, o)
	}
	var left []*errand
	for _, e := range open {
		if !e.ended {
			left = append(left, e)
		}
	}
	return left
}

// take is what a caller does with an outcome.
func (e *errand) take(t require.TestingT, b bundle, o provider.Outcome[provider.Posted]) {
	if o.Err == nil {
		b.isOnce(t, e.doc, o.Value)
		e.ended = true
		return
	}
	f := provider.AsFailure(o.Err)
	if f.KeySpent {
		e.generation++
	}
	switch f.Wrote {
	case provider.WroteNo:
		require.False(t, b.exists(e.doc.Number), "%s: %s", e.doc.Number, f)
	case provider.WroteAsBefore:
		require.True(t, e.maybe || !b.exists(e.doc.Number), "%s: %s", e.doc.Number, f)
	}
	e.maybe = f.Wrote == provider.WroteMaybe || e.maybe && f.Wrote == provider.WroteAsBefore
	e.ended = e.hopeless && f.Reason == "contact_not_found"
}

// drawFaults are some of what can befall the next calls. Xero does not save and
// then say that it refused, but for a joint call with an unknown contact.
func drawFaults(t *rapid.T) []xerosim.Fault {
	kinds := []xerosim.Fault{
		{Status: 500}, {Status: 500, When: xerosim.After}, {Status: 502}, {Status: 504, When: xerosim.After}, {Status: 503},
		{Reset: true}, {Reset: true, When: xerosim.After}, {Half: true, When: xerosim.After}, {Status: 200, Body: "<html>", When: xerosim.After},
		{Status: 200, Body: `{"Invoices":[]}`, When: xerosim.After}, {Status: 429, Header: http.Header{"X-Rate-Limit-Problem": {"minute"}}},
		{Status: 401}, {Status: 403}, {Status: 413}, {Status: 400, Body: `{"Type":"PostDataInvalidException"}`},
		{Status: 400, Body: "Idempotency Key: k is used with a different request."},
	}
	var faults []xerosim.Fault
	for range rapid.IntRange(0, 3).Draw(t, "faults") {
		f := rapid.SampledFrom(kinds).Draw(t, "fault")
		f.Operation = rapid.SampledFrom([]string{"PUT /Invoices", "PUT /Invoices", "GET /Invoices"}).Draw(t, "operation")
		if f.Status == http.StatusOK {
			f.Operation = "PUT /Invoices" // a look-up does not lie
		}
		f.Times = rapid.IntRange(1, 2).Draw(t, "times")
		faults = append(faults, f)
	}
	return faults
}
