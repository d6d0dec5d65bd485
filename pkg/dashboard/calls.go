package dashboard

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// callRow is one call to the ledger, with what was sent and answered.
type callRow struct {
	provider.Call
	Key             string // of its place on the page
	After, Duration string
	Attempt         int32
	Tone, Outcome   string
	What            string
	Sent, Said      string
}

// callRows are the calls of all attempts, oldest first. Rows of another version that
// cannot be read are left out: they are no reason to show nothing.
func callRows(arrived time.Time, attempts []dbsqlc.RunCallsListRow) []callRow {
	var rows []callRow
	for _, a := range attempts {
		calls, err := provider.DecodeCalls(a.Calls)
		if err != nil {
			continue
		}
		for _, c := range calls {
			row := callRow{
				Call: c, Key: strconv.Itoa(len(rows)), After: after(arrived, c.At), Attempt: a.Attempt,
				Duration: took(time.Duration(c.Took * float64(time.Millisecond))), What: strings.ReplaceAll(c.Operation, "_", " "),
				Sent: pretty([]byte(c.Sent)), Said: pretty([]byte(c.Answer)),
			}
			row.Tone, row.Outcome = outcomeOf(c)
			rows = append(rows, row)
		}
	}
	return rows
}

// outcomeOf is the colour and the name of how a call ended.
func outcomeOf(c provider.Call) (tone, name string) {
	switch {
	case c.Status == 0:
		return "held", "No answer"
	case c.Status < 300:
		return "succeeded", strconv.Itoa(c.Status)
	}
	return "failed", strconv.Itoa(c.Status)
}

// intentRow is a write at the provider that was about to be made.
type intentRow struct {
	dbsqlc.DashboardIntentListRow
	After      string // since the arrival
	Tone, Name string
}

// intentOf says what is known of a write. That it is settled only says that it is under
// way no more: of a run that did not succeed its calls tell whether it was written, where
// they are kept.
func intentOf(arrived time.Time, status string, i dbsqlc.DashboardIntentListRow, calls []callRow) intentRow {
	row := intentRow{DashboardIntentListRow: i, After: after(arrived, i.MadeAt)}
	switch {
	case i.SettledAt == nil:
		row.Tone, row.Name = "held", "A document may exist"
	case i.Certain:
		row.Tone, row.Name = "failed", "Not written"
	case status == "succeeded", answeredWell(i.Operation, calls):
		row.Tone, row.Name = "succeeded", "Done"
	default:
		row.Tone, row.Name = "", "Ended, outcome not recorded"
	}
	return row
}

// answeredWell reports whether the last write of an object was answered with success. The
// answer of a call for several documents says nothing of one of them.
func answeredWell(object string, calls []callRow) bool {
	for _, c := range slices.Backward(calls) {
		if c.Together == 0 && (c.Operation == object+"_create" || c.Operation == object+"_update") {
			return c.Status >= 200 && c.Status < 300
		}
	}
	return false
}
