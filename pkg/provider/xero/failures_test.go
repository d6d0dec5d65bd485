package xero_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// crashPoint is a place where a write can go wrong.
type crashPoint struct {
	name  string
	fault xerosim.Fault
	wrote provider.Wrote // what the caller is told
	saved bool           // it had taken effect
}

// requireTemporary: it is retried, and the write left so.
func requireTemporary(t *testing.T, wrote provider.Wrote, err error, about ...any) {
	t.Helper()
	f := failure(t, err)
	require.Equal(t, provider.Temporary, f.Kind, about...)
	require.Equal(t, wrote, f.Wrote, about...)
}

// nextKey is what the caller sends after a failure under the key "k".
func nextKey(t *testing.T, err error) string {
	t.Helper()
	if failure(t, err).KeySpent {
		return "k2"
	}
	return "k"
}

func crashPoints() []crashPoint {
	return []crashPoint{
		{"500 before the effect", xerosim.Fault{Status: 500}, provider.WroteMaybe, false},
		{"500 after the effect", xerosim.Fault{Status: 500, When: xerosim.After}, provider.WroteMaybe, true},
		{"502 after the effect", xerosim.Fault{Status: 502, When: xerosim.After}, provider.WroteMaybe, true},
		{"503 before the effect", xerosim.Fault{Status: 503}, provider.WroteAsBefore, false},
		{"reset before the effect", xerosim.Fault{Reset: true}, provider.WroteMaybe, false},
		{"reset after the effect", xerosim.Fault{Reset: true, When: xerosim.After}, provider.WroteMaybe, true},
		{"half an answer", xerosim.Fault{Half: true, When: xerosim.After}, provider.WroteMaybe, true},
		{"an answer that is not Xero's", xerosim.Fault{Status: 200, Body: "<html>", When: xerosim.After}, provider.WroteMaybe, true},
		{"key of another request", xerosim.Fault{Status: 400, Body: "Idempotency Key: k is used with a different request."}, provider.WroteMaybe, false},
	}
}

// Wherever a call fails, the second one, which knows that the first may have
// taken effect, leaves exactly one document and says which.
func Test_Second_call_leaves_one_invoice_wherever_the_first_failed(t *testing.T) {
	t.Parallel()
	for _, p := range crashPoints() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
			p.fault.Operation = "PUT /Invoices"
			b.sim.Inject(p.fault)

			_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k"})
			requireTemporary(t, p.wrote, err)
			require.Len(t, b.sim.Invoices(), map[bool]int{true: 1}[p.saved])

			posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: nextKey(t, err), Uncertain: true})
			require.NoError(t, err)
			require.Equal(t, p.saved, posted.Adopted)
			require.Len(t, b.sim.Invoices(), 1)
			require.Equal(t, b.sim.Invoices()[0].ID, posted.ID)
		})
	}
}

// A caller that forgot that it may have posted is saved by the unique number.
func Test_Second_call_without_uncertain_leaves_one_invoice_too(t *testing.T) {
	t.Parallel()
	for _, p := range crashPoints() {
		if !p.saved {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
			p.fault.Operation = "PUT /Invoices"
			b.sim.Inject(p.fault)
			_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k"})
			require.Error(t, err)
			b.clock.advance(7 * time.Minute) // Xero has forgotten the key

			posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k"})
			require.NoError(t, err)
			require.True(t, posted.Adopted)
			require.Len(t, b.sim.Invoices(), 1)
		})
	}
}

func Test_Second_call_leaves_one_contact_wherever_the_first_failed(t *testing.T) {
	t.Parallel()
	buyer := policy.BuyerOf(canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	for _, p := range crashPoints() {
		for _, uncertain := range []bool{true, false} {
			b := setup(t)
			p.fault.Operation = "PUT /Contacts"
			b.sim.Inject(p.fault)
			_, err := ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k"})
			requireTemporary(t, p.wrote, err, p.name)
			if !uncertain {
				b.clock.advance(7 * time.Minute)
			}
			id, err := ensureContact(b.ctx, b.client, buyer, provider.Try{Key: nextKey(t, err), Uncertain: uncertain})
			require.NoError(t, err, p.name)
			require.Len(t, b.sim.Contacts(), 1, p.name)
			require.Equal(t, b.sim.Contacts()[0].ID, id, p.name)
		}
	}
}

// The process dies while Xero is at work: the document exists, nobody heard of
// it.
func Test_Caller_who_goes_away_finds_the_invoice_later(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	release := make(chan struct{})
	defer close(release)
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", When: xerosim.After, Hang: release})
	ctx, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
	defer cancel()

	_, err := ensureInvoice(ctx, b.client, doc, provider.Try{Key: "k"})
	requireTemporary(t, provider.WroteMaybe, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, "invoice_create timeout", b.seen.last)

	posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k", Uncertain: true})
	require.NoError(t, err)
	require.True(t, posted.Adopted)
	require.Len(t, b.sim.Invoices(), 1)
}

// What never left this machine is no doubt.
func Test_Refused_connection_is_temporary(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	closed := httptest.NewServer(b.sim)
	closed.Close()
	client := newClient(t, closed.URL, b.clock, b.seen)
	_, err := ensureInvoice(b.ctx, client, doc, provider.Try{Key: "k"})
	f := failure(t, err)
	require.Equal(t, provider.Temporary, f.Kind)
	require.NotContains(t, f.Error(), "summarizeErrors", "no address in an error")
}

// Xero repeats a stored error for six minutes; the way out is a new key, which the
// failure asks for.
func Test_Stored_error_of_an_earlier_attempt_needs_another_key(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 500})
	for range 2 {
		_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k", Uncertain: true})
		requireTemporary(t, provider.WroteMaybe, err)
		require.True(t, failure(t, err).KeySpent)
	}
	posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k2", Uncertain: true})
	require.NoError(t, err)
	require.False(t, posted.Adopted)
	require.Len(t, b.sim.Invoices(), 1)
}

// Eight workers post one document at once: one creates it, the others adopt it.
func Test_Many_callers_at_once_leave_one_invoice_and_one_contact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv, pol := canontest.Named(t, "plain_vat").Invoice, samplePolicy()
	ref := b.reference(t)
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for i := range 8 {
		client := newClient(t, b.url, b.clock, &recorder{})
		wg.Go(func() {
			id, err := ensureContact(b.ctx, client, policy.BuyerOf(inv, pol), provider.Try{Key: fmt.Sprint("k", i)})
			if err != nil {
				failed <- err
				return
			}
			doc, err := client.Document(inv, pol, ref, id, runURL)
			if err == nil {
				_, err = ensureInvoice(b.ctx, client, doc, provider.Try{Key: fmt.Sprint("k", i)})
			}
			failed <- err
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.Len(t, b.sim.Contacts(), 1)
	require.Len(t, b.sim.Invoices(), 1)
}
