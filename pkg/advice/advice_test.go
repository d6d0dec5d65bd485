package advice_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/advice"
	"towpath/pkg/metrics"
)

// What has no words of its own is told by its name, with its underscores as spaces; no
// run is held for these.
func Test_Every_hold_reason_has_words_and_something_to_do(t *testing.T) {
	t.Parallel()
	other := advice.HeldDo("unknown")
	for _, reason := range metrics.HoldReasons() {
		if reason == "unknown" || reason == "idempotency_conflict" {
			continue
		}
		require.NotEqual(t, strings.ReplaceAll(reason, "_", " "), advice.Held(reason))
		require.NotEqual(t, other, advice.HeldDo(reason), reason)
	}
}

func Test_A_shops_answer_that_cannot_be_read_is_no_fault_of_Towpath(t *testing.T) {
	t.Parallel()
	const message = "The shop's payment cannot be understood: increment_id is missing. It is read again some times"
	require.Equal(t, "The shop's answer cannot be read", advice.Failed("internal", message))
	require.Contains(t, advice.FailedDo("internal", message, "Xero"), "in the shop")
	require.Equal(t, "Failed inside Towpath", advice.Failed("internal", "internal error"))
	require.Contains(t, advice.FailedDo("internal", "internal error", "Xero"), "a fault of Towpath")
	require.False(t, advice.Unreadable("validation", message))
}
