package freeagent

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every sample is posted through the real client; the body is the golden file's
// and the total that the ledger computes is the shop's.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, s := range canontest.Samples(t) {
		t.Run(s.Name+"_posted_to_the_penny", func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{})
			b.pol.V2InvoiceStatus = "Sent"
			doc := b.document(t, s.Invoice)
			golden(t, s.Name, doc)

			posted, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{Key: "k"})
			require.NoError(t, err)
			total, found := b.sim.Total(doc.Number)
			require.True(t, found)
			requireEqual(t, s.Invoice.GrandTotal, total)
			requireEqual(t, doc.Total, posted.Total.Decimal)
			stored := b.sim.Invoices()[0]
			requireEqual(t, doc.SubTotal, stored.Net)
			requireEqual(t, doc.TotalTax, stored.Tax)
			require.NotEqual(t, "Draft", stored.Status)
			require.Equal(t, stored.Status, posted.Status)
			require.LessOrEqual(t, len(posted.ID), 64)
			require.False(t, posted.Adopted)
		})
	}
}

func golden(t *testing.T, name string, doc provider.Document) {
	t.Helper()
	var got bytes.Buffer
	require.NoError(t, json.Indent(&got, doc.Body, "", "  "))
	got.WriteByte('\n')
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}
