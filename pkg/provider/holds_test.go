package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
)

func Test_Hold_has_the_code_of_its_reason(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		provider.HeldTotalMismatch:    provider.CodeValidation,
		provider.HeldMissingMapping:   provider.CodeValidation,
		provider.HeldTaxRateNotMapped: provider.CodeValidation,
		provider.HeldNumberTaken:      provider.CodeValidation,
		provider.HeldPeriodLocked:     provider.CodeProvider,
		provider.HeldAccountArchived:  provider.CodeProvider,
		provider.HeldContactArchived:  provider.CodeProvider,
	} {
		f := provider.Hold(reason, "say what to do")
		require.Equal(t, provider.Held, f.Kind)
		require.Equal(t, want, f.Code, reason)
	}
}
