// Package canontest gives tests canonical invoices: the seventeen samples, and
// any other that a shop can compute. Only tests import it.
package canontest

import (
	"io/fs"
	"path"
	"strings"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/testdata"
)

// TestingT is what Samples asks of a test, a benchmark, a fuzz target or a
// rapid check.
type TestingT interface {
	require.TestingT
	Helper()
}

// Sample is one canonical invoice as the shop sends it.
type Sample struct {
	Name    string // of the file, without .json: what it shows
	Raw     []byte
	Invoice canon.Invoice
}

// Samples are the seventeen, in the order of their names.
func Samples(t TestingT) []Sample {
	t.Helper()
	names, err := fs.Glob(testdata.Canonical, "canonical/*.json")
	require.NoError(t, err)
	require.Len(t, names, 17)
	var samples []Sample
	for _, name := range names {
		samples = append(samples, Named(t, strings.TrimSuffix(path.Base(name), ".json")))
	}
	return samples
}

// Named is the one sample of that name.
func Named(t TestingT, name string) Sample {
	t.Helper()
	raw, err := fs.ReadFile(testdata.Canonical, path.Join("canonical", name+".json"))
	require.NoError(t, err)
	inv, err := canon.DecodeInvoice(raw)
	require.NoError(t, err, name)
	return Sample{Name: name, Raw: raw, Invoice: inv}
}
