package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
)

// A write is found again by its key: one per document, and short enough to be
// stored, also where ids are addresses.
func Test_Key_is_one_per_document_and_fits(t *testing.T) {
	t.Parallel()
	longest := "https://api.freeagent.com/v2/" + strings.Repeat("x", 35)
	require.Equal(t, longest, provider.Payment{DocumentID: longest, Reference: "txn-1"}.Key())
	require.Equal(t, longest, provider.Allocation{CreditNoteID: longest, InvoiceID: longest}.Key())
	require.Equal(t, "M-1", provider.Document{Number: "M-1"}.Key())
	require.Equal(t, "24-MB01", provider.CatalogItem{Code: "24-MB01", SKU: "24-MB01"}.Key())
}

func Test_Hash_is_that_of_the_body(t *testing.T) {
	t.Parallel()
	const body, sum = `{}`, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	require.Equal(t, sum, provider.Payment{Body: []byte(body), Reference: "a"}.Hash())
	require.Equal(t, sum, provider.Allocation{Body: []byte(body)}.Hash())
	require.Equal(t, sum, provider.CatalogItem{Body: []byte(body)}.Hash())
	require.Equal(t, sum, provider.Document{Body: []byte(body)}.Hash())
}
