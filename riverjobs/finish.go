package riverjobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
)

// result is what T4 records of a draft.
type result struct {
	entity   string // of what was made, in entity_xref; empty where it is on record, or nothing was made
	posted   provider.Posted
	shown    *provider.Posted // the document that the shop shows, where it is another
	document any              // as it was sent, for the run's page
	variance map[string]difference
	why      string // empty: posted or adopted
}

// finish is T4.
func (b *batch[D]) finish(ctx context.Context, d *draft[D], r result) error {
	record, err := json.Marshal(r.document)
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	difference, err := json.Marshal(r.variance)
	if err != nil {
		return fmt.Errorf("encode variance: %w", err)
	}
	log, err := provider.EncodeCalls(d.calls)
	if err != nil {
		return err
	}
	shown := r.posted
	if r.shown != nil {
		shown = *r.shown
	}
	posted := syncrun.Posted{
		Step: syncrun.Step{RunID: d.SyncRun.ID}, ProviderID: shown.ID, Reference: shown.Number, URL: shown.URL,
		Document: record, Variance: difference, Why: cmp.Or(r.why, story(r.posted)), Calls: provider.CallIDs(d.calls), CallLog: log,
	}
	if r.entity != "" {
		xref := xrefOf(d.work, r.entity, r.posted)
		posted.Xref, posted.Found = &xref, found(b.plan.operation, r.posted)
	}
	err = b.end(ctx, d.hand, change{next: tellNext(d.SyncRun), posted: &posted})
	if others := (*syncrun.OthersDocument)(nil); errors.As(err, &others) {
		return b.othersDocument(ctx, d.work, r.entity, r.posted, others)
	}
	if err != nil {
		return err
	}
	if r.variance != nil {
		b.Metrics.Variance(d.Binding.Provider)
	}
	d.ended = true
	b.ended(d.work, syncrun.Succeeded)
	b.gotThrough(ctx, d.hand)
	return nil
}

func (p *pipeline) skip(ctx context.Context, h hand, decision policy.Decision) error {
	end, err := handOn(h, fetched{raw: h.SyncRun.Canonical, decision: decision})
	if err == nil {
		err = p.end(ctx, h, end)
	}
	if err == nil {
		p.handedOn(h.work, decision)
	}
	return err
}

// paused is how long the binding has still to wait.
func (p *pipeline) paused(run work) time.Duration {
	if run.Binding.PausedUntil == nil {
		return 0
	}
	return run.Binding.PausedUntil.Sub(p.Now())
}

func (p *pipeline) limits(run work) quota.Limits {
	if p.Limits != (quota.Limits{}) {
		return p.Limits
	}
	return quota.LimitsOf(run.Binding.Provider, run.Binding.Wire)
}

func story(posted provider.Posted) string {
	if posted.Adopted {
		return "adopted " + posted.Number + ", which was there already"
	}
	if len(posted.GoneItems) > 0 {
		return "posted " + posted.Number + " without item codes, since the ledger does not know " + strings.Join(posted.GoneItems, ", ") + " any more"
	}
	return "posted " + posted.Number
}

// found is what is to be asked of a document that was there already, before it is
// taken for the run's own; nil where that is proven.
func found(operation string, posted provider.Posted) *syncrun.Found {
	if !posted.Adopted || posted.Proven {
		return nil
	}
	f := &syncrun.Found{Operation: operation, Number: posted.Number}
	if id, err := uuid.Parse(posted.Source); err == nil {
		f.Source = &id
	}
	return f
}
