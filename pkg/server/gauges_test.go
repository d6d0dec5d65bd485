package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/metrics"
	"towpath/pkg/verify"
)

func Test_The_label_of_checks_lists_the_promises(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range verify.Promises() {
		names = append(names, p.Name)
	}
	require.Equal(t, names, metrics.VerifyChecks())
}
