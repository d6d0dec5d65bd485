package riverjobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/syncrun"
)

// Test_Call_went_wrong goes through every way in which a write can end without
// its answer, on both wires: in the end there is one contact and one document,
// and one end was told.
func Test_Call_went_wrong(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]fault{
		"failed": failed, "got_a_500_and_nothing_happened": refusedError, "took_effect_then_reset": tookReset,
		"took_effect_then_half_an_answer": tookHalf, "took_effect_then_a_500": tookError, "took_effect_then_hung_until_the_timeout": tookHang,
	} {
		for _, operation := range []string{"contact", "invoice"} {
			for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setup, "v2": setupV2} {
				t.Run("On_"+wire+"_one_document_when_the_"+operation+"_"+name, func(t *testing.T) {
					t.Parallel()
					b := setup(t)
					b.ledger.inject(operation, how)
					b.work(t, callTimeout(1500*time.Millisecond))
					inv, id := b.raise(t, "plain_vat")
					b.onceTold(t, id, syncrun.Succeeded)
					b.oneOfEach(t, inv)
					require.Greater(t, b.job(t, "post_invoice", id).Attempt, 1, "the fault did not strike")
				})
			}
		}
	}
}
