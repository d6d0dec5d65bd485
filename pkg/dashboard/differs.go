package dashboard

import (
	"encoding/json"
	"fmt"
	"strings"

	"towpath/pkg/syncrun"
)

// differs is what the ledger's own sums are where they are not those that were
// sent: the document is there, and does not come to what the shop says.
type differs struct {
	Total, TotalTax, SubTotal *twoFigures // nil: the same on both sides
}

// twoFigures is one sum as it was sent and as the ledger has it.
type twoFigures struct {
	Ours   amount `json:"ours"`
	Theirs amount `json:"theirs"`
}

// figure is one line of what the run's page shows of the sums.
type figure struct {
	Name, Ours, Theirs string
}

// differsOf is nil where the ledger's sums are those that were sent, or where
// it told none.
func differsOf(variance []byte) *differs {
	var d *struct {
		Total    *twoFigures `json:"total"`
		TotalTax *twoFigures `json:"total_tax"`
		SubTotal *twoFigures `json:"sub_total"`
	}
	if json.Unmarshal(variance, &d) != nil || d == nil || d.Total == nil && d.TotalTax == nil && d.SubTotal == nil {
		return nil
	}
	return &differs{Total: d.Total, TotalTax: d.TotalTax, SubTotal: d.SubTotal}
}

// Label is what a run's row and page carry beside the status.
func (d differs) Label() string {
	if d.Total != nil {
		return "Total differs"
	}
	return "Tax differs"
}

// Figures are the sums that differ, the total first.
func (d differs) Figures() []figure {
	list := []figure{}
	add := func(name string, two *twoFigures) {
		if two != nil {
			list = append(list, figure{name, two.Ours.String(), two.Theirs.String()})
		}
	}
	add("Total", d.Total)
	add("Tax", d.TotalTax)
	add("Subtotal", d.SubTotal)
	return list
}

// words are the sum that matters, the total where it differs, in one line.
func (d differs) words(ledger string) string {
	f := d.Figures()[0]
	return fmt.Sprintf("%s sent %s, in %s %s", strings.ToLower(f.Name), f.Ours, ledger, f.Theirs)
}

// maxDetail is how many characters of the ledger's words a list's row has.
const maxDetail = 300

// listMessage is what the other side said. Of a failed run these are the
// ledger's own words: that it was refused is said before them.
func listMessage(status, message, detail string) string {
	detail = strings.Join(strings.Fields(detail), " ")
	if status != syncrun.Failed || detail == "" {
		return message
	}
	if letters := []rune(detail); len(letters) > maxDetail {
		return strings.TrimSpace(string(letters[:maxDetail])) + "…"
	}
	return detail
}
