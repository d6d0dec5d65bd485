package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
)

// journey is the way of one invoice, from its submission to its chip.
type journey struct {
	ID      int64      `json:"id"`
	Number  string     `json:"number"`
	Chip    chipView   `json:"chip"`
	RunURL  string     `json:"run_url"`
	Summary string     `json:"summary"`
	Steps   []stepView `json:"steps"`
}

// stepView is one step; After is since the submission.
type stepView struct {
	at    time.Time
	Where string `json:"where"` // shop, towpath or xero
	What  string `json:"what"`
	More  string `json:"more"`
	Tone  string `json:"tone"` // empty, good, skip, bad or wait
	After string `json:"after"`
}

// maxSteps is how many steps are read, the newest: a held run is rechecked for
// as long as it is held.
const maxSteps = 60

func (p *page) journeyOf(ctx context.Context, invoice magentosim.Invoice, run *dbsqlc.DashboardRunsOfInvoicesRow) (*journey, error) {
	j := &journey{ID: invoice.ID, Number: invoice.IncrementID, Chip: chipOf(invoice, run), Steps: shopSteps(invoice, p.cfg.Shop.Told("invoice", invoice.ID))}
	if run != nil {
		j.RunURL = p.dashboardLink("/dashboard/sync/" + run.ID.String())
		steps, err := p.runSteps(ctx, run.ID)
		if err != nil {
			return nil, err
		}
		j.Steps = append(j.Steps, steps...)
		if step, twice := p.secondDelivery(invoice, run.ID); twice {
			j.Steps = append(j.Steps, step)
		}
	}
	slices.SortStableFunc(j.Steps, func(a, b stepView) int { return a.at.Compare(b.at) })
	for i := range j.Steps {
		j.Steps[i].After = "+" + plainTime(j.Steps[i].at.Sub(j.Steps[0].at))
	}
	j.Summary = summary(invoice, p.cfg.Now())
	return j, nil
}

// shopSteps are those that the shop itself saw.
func shopSteps(invoice magentosim.Invoice, told []magentosim.Told) []stepView {
	steps := []stepView{}
	if len(invoice.Outbox) == 0 {
		return steps
	}
	row := invoice.Outbox[0]
	steps = append(steps,
		stepView{at: row.CreatedAt, Where: "shop", What: "Raised", More: "the invoice is submitted"},
		stepView{at: row.CreatedAt, Where: "shop", What: "Outbox row", More: "in the shop's own transaction; the chip says Pending"},
	)
	switch row.Status {
	case magentosim.RowSucceeded:
		steps = append(steps, stepView{at: row.DoneAt, Where: "shop", What: "202 accepted", More: "the outbox row is done"})
	case magentosim.RowDead:
		steps = append(steps, stepView{at: row.DoneAt, Where: "shop", What: "Refused for good", More: row.LastError, Tone: "bad"})
	}
	for _, t := range told {
		steps = append(steps, stepView{at: t.At, Where: "shop", What: "Chip " + t.Status, More: toldMore(t), Tone: toneOf(t.Status)})
	}
	return steps
}

func toldMore(t magentosim.Told) string {
	for _, more := range []string{t.ProviderReference, t.SkipReason, t.ErrorCode} {
		if more != "" {
			return more
		}
	}
	return ""
}

func toneOf(status string) string {
	switch status {
	case "synced", "succeeded":
		return "good"
	case "skipped", "skipped_by_policy":
		return "skip"
	case "failed", "cancelled":
		return "bad"
	case "held":
		return "wait"
	}
	return ""
}

// runSteps are those of the run's history.
func (p *page) runSteps(ctx context.Context, id uuid.UUID) ([]stepView, error) {
	events, err := p.queries.DashboardEventList(ctx, p.cfg.Pool, dbsqlc.DashboardEventListParams{RunID: id, MaxRows: maxSteps})
	if err != nil {
		return nil, fmt.Errorf("read history of run %s: %w", id, err)
	}
	steps := []stepView{}
	for _, e := range slices.Backward(events) {
		steps = append(steps, stepOf(e))
	}
	return steps, nil
}

// stepOf says an entry of the history in the words of the page.
func stepOf(e dbsqlc.SyncRunEvent) stepView {
	s := stepView{at: e.At, Where: "towpath", What: e.Step, More: e.Why}
	from := text(e.FromStatus)
	taken := e.ToStatus == "running" && from != "running"
	switch {
	case e.Step == "accept":
		s.What, s.More = "Accepted", "token spent, run and its first job in one commit"
	case taken && e.Step == "fetch":
		s.What, s.More = "Fetching", "a worker reads the invoice from the shop"
	case taken:
		s.What, s.More = "Taken up again", fmt.Sprintf("attempt %d", e.Attempt)
	case e.ToStatus == "held":
		s.What, s.Tone = "Held", "wait"
	case e.Step == "fetch" && e.ToStatus == "running":
		s.What, s.More = "Decided: post", "fetched, the policy asked; decision and next job in one commit"
	case e.Step == "fetch" && e.ToStatus == "skipped_by_policy":
		s.What, s.Tone = "Decided: skip", "skip"
	case e.Step == "intend":
		s.What, s.More = "Intent on record", e.Why
	case e.Step == "post" && e.ToStatus == "succeeded":
		s.Where, s.What, s.Tone = "xero", "Posted", "good"
	case e.Step == "push":
		s.What = "Told"
	case e.ToStatus == "failed":
		s.What, s.Tone = "Failed", "bad"
	case e.ToStatus == "queued":
		s.What, s.Tone = "Waits", "wait"
	}
	return s
}

// summary is how long it took, with the wait for the shop's cron apart.
func summary(invoice magentosim.Invoice, now time.Time) string {
	if len(invoice.Outbox) == 0 {
		return ""
	}
	row := invoice.Outbox[0]
	if invoice.Chip.Status == "pending" || row.DoneAt.IsZero() {
		return fmt.Sprintf("Pending for %d s", max(0, int(now.Sub(row.CreatedAt).Seconds())))
	}
	return fmt.Sprintf("%s after %s: %s until the 202, which is the shop's cron, and %s from there", capital(invoice.Chip.Status),
		plainTime(invoice.Chip.ChangedAt.Sub(row.CreatedAt)), plainTime(row.DoneAt.Sub(row.CreatedAt)), plainTime(invoice.Chip.ChangedAt.Sub(row.DoneAt)))
}

func capital(status string) string { return strings.ToUpper(status[:1]) + status[1:] }

// plainTime is a time a person can compare.
func plainTime(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min", int(d.Minutes()))
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
