package xero_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

type documents = []provider.Item[provider.Document]

// documents are n small documents, N001 onwards, that have never been tried.
func (b bundle) documents(t *testing.T, n int) documents {
	t.Helper()
	return b.documentsOf(t, []canontest.Sample{canontest.Named(t, "plain_vat"), canontest.Named(t, "mixed_rates")}, n)
}

// documentsOf are n documents of the samples in turn.
func (b bundle) documentsOf(t *testing.T, samples []canontest.Sample, n int) documents {
	t.Helper()
	contact, ref := b.sim.AddContact("1", "Somebody"), b.reference(t)
	var set documents
	for i := range n {
		inv := samples[i%len(samples)].Invoice
		inv.IncrementID = fmt.Sprintf("N%03d", i+1)
		doc, err := b.client.Document(inv, samplePolicy(), ref, contact, runURL)
		require.NoError(t, err)
		set = append(set, provider.Item[provider.Document]{Value: doc, Try: provider.Try{Key: "key of " + doc.Number}})
	}
	b.wire.forget()
	return set
}

// uncertain is set as a caller sends it again who does not know what became of
// it.
func uncertain(set documents) documents {
	var again documents
	for _, item := range set {
		item.Try.Uncertain = true
		again = append(again, item)
	}
	return again
}

// posted requires that every document of set was posted or adopted, is there
// exactly once, and got the answer that is its own.
func (b bundle) posted(t require.TestingT, set documents, outcomes []provider.Outcome[provider.Posted]) {
	require.Len(t, outcomes, len(set))
	there := b.sim.Invoices()
	for i, o := range outcomes {
		require.NoError(t, o.Err, set[i].Value.Number)
		isOnceAmong(t, there, set[i].Value, o.Value)
	}
}

func (b bundle) isOnce(t require.TestingT, doc provider.Document, posted provider.Posted) {
	isOnceAmong(t, b.sim.Invoices(), doc, posted)
}

func isOnceAmong(t require.TestingT, there []xerosim.Invoice, doc provider.Document, posted provider.Posted) {
	var found []xerosim.Invoice
	for _, v := range there {
		if v.Number == doc.Number && v.Type == "ACCREC" {
			found = append(found, v)
		}
	}
	require.Len(t, found, 1, doc.Number)
	require.Equal(t, found[0].ID, posted.ID, doc.Number)
	require.Equal(t, doc.Number, posted.Number)
	require.Equal(t, doc.Total.StringFixed(2), found[0].Total, doc.Number)
}

func (b bundle) exists(number string) bool { return b.sim.Total(number) != "" }

// fates are the kinds and reasons of outcomes, "ok" and "adopted" where there is
// no failure.
func fates(outcomes []provider.Outcome[provider.Posted]) []string {
	var all []string
	for _, o := range outcomes {
		all = append(all, fate(o.Err, o.Value.Adopted))
	}
	return all
}

func fate(err error, adopted bool) string {
	switch f := provider.AsFailure(err); {
	case err == nil && adopted:
		return "adopted"
	case err == nil:
		return "ok"
	case f.Reason != "":
		return f.Reason
	case f.Wrote == provider.WroteMaybe:
		return string(f.Wrote)
	default:
		return string(f.Kind)
	}
}

// elementsOf are the elements of a body, byte for byte.
func elementsOf(t require.TestingT, list string, body []byte) []json.RawMessage {
	var lists map[string][]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &lists))
	return lists[list]
}

// without takes the element with that number out of an answer.
func without(number string) func(string, []byte) []byte {
	return func(operation string, answer []byte) []byte {
		var body map[string]any
		if operation != "PUT /Invoices" || json.Unmarshal(answer, &body) != nil {
			return answer
		}
		var kept []any
		for _, e := range body["Invoices"].([]any) {
			if e.(map[string]any)["InvoiceNumber"] != number {
				kept = append(kept, e)
			}
		}
		body["Invoices"] = kept
		changed, _ := json.Marshal(body)
		return changed
	}
}

// replaced changes a text in the answers to an operation.
func replaced(operation, old, new string) func(string, []byte) []byte {
	return func(called string, answer []byte) []byte {
		if called != operation {
			return answer
		}
		return bytes.ReplaceAll(answer, []byte(old), []byte(new))
	}
}

type buyers = []provider.Item[policy.Buyer]

func people(n int) buyers {
	var set buyers
	for i := range n {
		set = append(set, provider.Item[policy.Buyer]{
			Value: policy.Buyer{Key: fmt.Sprint(1000 + i), Name: fmt.Sprintf("Customer %d", i)}, Try: provider.Try{Key: fmt.Sprint("k", i)},
		})
	}
	return set
}
