package dashboard

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// step is one line of a run's history.
type step struct {
	At       time.Time
	After    string // since the arrival
	Name     string
	From, To string // From is empty where the status did not change
	Attempt  int32
	Who, Why string
	Calls    string // the provider's own ids of the calls that it made
}

// history puts the newest steps, which come newest first, into their order. It
// reports whether older ones were left out.
func history(arrived time.Time, newestFirst []dbsqlc.SyncRunEvent) ([]step, bool) {
	cut := len(newestFirst) > maxSteps
	if cut {
		newestFirst = newestFirst[:maxSteps]
	}
	steps := make([]step, 0, len(newestFirst))
	for _, e := range slices.Backward(newestFirst) {
		s := step{
			At: e.At, After: after(arrived, e.At), Name: stepName(e.Step), From: text(e.FromStatus), To: e.ToStatus,
			Attempt: e.Attempt, Who: text(e.Who), Why: why(e), Calls: strings.Join(e.Calls, " "),
		}
		if s.From == s.To {
			s.From = ""
		}
		steps = append(steps, s)
	}
	return steps, cut
}

// why is what the step said, or what a step without words means.
func why(e dbsqlc.SyncRunEvent) string {
	switch {
	case e.Why != "":
		return e.Why
	case e.Step == "accept" && text(e.Who) == "shop":
		return "webhook accepted"
	case e.Step == "accept":
		return "asked for by backfill"
	case e.ToStatus == syncrun.Running && text(e.FromStatus) != syncrun.Running:
		return "taken by a worker"
	}
	return ""
}

// after is how long after the arrival something was, as "+412 ms".
func after(arrived, at time.Time) string { return "+" + took(at.Sub(arrived)) }

// rule is one question that the policy asked, as the decision records it.
type rule struct {
	Name string `json:"name"`
	Hit  bool   `json:"hit"`
	Text string `json:"text"`
}

func rulesOf(decision []byte) []rule {
	var d struct {
		Rules []rule `json:"rules"`
	}
	if json.Unmarshal(decision, &d) != nil {
		return nil
	}
	return d.Rules
}

// document is what the page shows of a posted document before it is unfolded.
type document struct {
	Number, Currency                    string
	SubTotal, TotalTax, Total, Rounding amount
	Notes                               []string
}

func documentOf(raw []byte) document {
	var d struct {
		Number   string   `json:"number"`
		Currency string   `json:"currency"`
		SubTotal amount   `json:"sub_total"`
		TotalTax amount   `json:"total_tax"`
		Total    amount   `json:"total"`
		Rounding amount   `json:"rounding"`
		Notes    []string `json:"notes"`
	}
	if json.Unmarshal(raw, &d) != nil {
		return document{}
	}
	return document(d)
}

// shopTotal is what the shop says the document comes to.
type shopTotal struct {
	GrandTotal amount `json:"grand_total"`
	Currency   string `json:"currency"`
}

// shopTotalOf is nil where the canonical document tells none.
func shopTotalOf(canonical []byte) *shopTotal {
	var t shopTotal
	if json.Unmarshal(canonical, &t) != nil || t.GrandTotal == "" {
		return nil
	}
	return &t
}
