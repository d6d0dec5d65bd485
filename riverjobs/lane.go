package riverjobs

import (
	"time"

	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// longestPark is when a run that waits for another of its document looks by itself.
// It never has to: the end of that one lets it go on (towpath_wake), in the
// transaction that ends it.
const longestPark = 10 * time.Minute

// park is the verdict on a run that others of its lane come before. Its job waits
// without a place and costs nothing.
func park(say report, ahead *syncrun.Ahead) verdict {
	say.Parked = true
	switch {
	case ahead.Unknown != "":
		say.Outcome, say.Reason = outcomeHeld, provider.HeldInvoiceUnknown
		say.Code, say.Message = provider.HoldCode(say.Reason), ahead.Unknown
		return verdict{snooze: holdRecheck, report: say} // somebody may put it into the ledger
	case ahead.Failed:
		say.Outcome, say.Reason = outcomeHeld, provider.HeldInvoiceFailed
		say.Code = provider.HoldCode(say.Reason)
		say.Message = "the invoice that this is about failed; retry that one, or cancel this run"
	case ahead.Held:
		say.Outcome, say.Reason = outcomeHeld, provider.HeldInvoiceHeld
		say.Code = provider.HoldCode(say.Reason)
		say.Message = "an earlier run of the same document is held; this one goes on when that one has"
	default:
		say.Message = "waits for an earlier run of the same document"
	}
	return verdict{snooze: longestPark, report: say}
}
