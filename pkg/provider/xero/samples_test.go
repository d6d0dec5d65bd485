package xero_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every sample's body is the one under testdata/golden, Xero's published spec
// has nothing against it, the simulated Xero takes it, and its own sum is the
// shop's grand total.
func Test_Samples_are_posted_to_the_penny(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	for _, sample := range canontest.Samples(t) {
		t.Run(sample.Name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			pol := samplePolicy()
			buyer := policy.BuyerOf(sample.Invoice, pol)
			contactID, err := ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k"})
			require.NoError(t, err)
			doc, err := b.client.Document(sample.Invoice, pol, b.reference(t), contactID, runURL)
			require.NoError(t, err)
			golden(t, sample.Name, bytes.ReplaceAll(doc.Body, []byte(contactID), []byte("c0ffee00-0000-4000-8000-000000000001")))
			spec.accepts(t, "PUT", "/Invoices?summarizeErrors=false&unitdp=4", doc.Body)
			require.True(t, doc.Total.Equal(sample.Invoice.GrandTotal))

			posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k"})
			require.NoError(t, err)
			require.Equal(t, sample.Invoice.GrandTotal.StringFixed(2), b.sim.Total(doc.Number))
			require.Equal(t, doc.Total.StringFixed(2), posted.Total.Decimal.StringFixed(2))
			require.Equal(t, doc.SubTotal.StringFixed(2), posted.SubTotal.Decimal.StringFixed(2))
			require.Equal(t, doc.TotalTax.StringFixed(2), posted.TotalTax.Decimal.StringFixed(2))
			require.Equal(t, "AUTHORISED", posted.Status)
			require.False(t, posted.Adopted)
			require.LessOrEqual(t, len(posted.ID), 64)
		})
	}
}

// golden compares body with the file, after indenting; -update writes it.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, body, "", " "))
	indented.WriteByte('\n')
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		require.NoError(t, os.WriteFile(path, indented.Bytes(), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), indented.String())
}

// The body survives being stored and read as JSON, so the hash that the intent
// records is that of what is posted.
func Test_Body_is_unchanged_by_a_round_through_JSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, sample := range canontest.Samples(t) {
		doc := b.document(t, sample.Invoice, samplePolicy())
		raw, err := json.Marshal(doc)
		require.NoError(t, err)
		var again provider.Document
		require.NoError(t, json.Unmarshal(raw, &again))
		require.Equal(t, doc.Hash(), again.Hash(), sample.Name)
	}
}
