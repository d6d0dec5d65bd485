package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
)

// postInvoice writes invoices to the ledger: the one of its job, and where others
// of the binding wait for their turn, as many of them as one call takes (batch.go).
// Each document goes its own way through these crash points:
//
//   - before T3: nothing was written; the next attempt starts over.
//   - after T3, before or during the call: the intent is on record, so the next
//     attempt looks the document up by its number and adopts it before it would
//     post.
//   - after the call, before T4: the same.
//   - after T4: run, xref and next job exist together.
type postInvoice struct {
	river.WorkerDefaults[PostInvoiceArgs]
	*pipeline
}

// Timeout bounds one attempt.
func (w *postInvoice) Timeout(*river.Job[PostInvoiceArgs]) time.Duration { return postTimeout }

// Work is one attempt.
func (w *postInvoice) Work(ctx context.Context, job *river.Job[PostInvoiceArgs]) error {
	return attempt(ctx, w.pipeline, job, stagePost, job.Args.RunID, w.post)
}

func (w *postInvoice) post(ctx context.Context, lead hand) error {
	if wait := w.paused(lead.work); wait > 0 {
		return &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: reasonPaused, RetryAfter: wait,
			Message: "the provider asked to wait"}
	}
	first, err := w.draft(ctx, lead)
	if err != nil || first == nil {
		return err
	}
	calls := quota.New(w.Pool, lead.Binding.ID, w.limits(lead.work), lead.SyncRun.Backfill, w.who)
	ledger, err := w.Ledgers(lead.Binding, calls.Permit)
	if err != nil {
		return err
	}
	b := batch{postInvoice: w, ledger: ledger, calls: calls}
	return b.run(ctx, first)
}

func (p *pipeline) limits(run work) quota.Limits {
	if p.Limits != (quota.Limits{}) {
		return p.Limits
	}
	return quota.LimitsOf(run.Binding.Provider, run.Binding.Wire)
}

// draft is a document on its way. Once err is set it goes no further.
type draft struct {
	hand
	inv     canon.Invoice
	pol     policy.Policy
	buyer   policy.Buyer
	ref     provider.Reference
	contact string
	doc     provider.Document
	taken   syncrun.Taken
	err     error
}

// draft decides what is to be written for a run; nil where nothing is and the run
// has gone on: it is known already, or the settings leave it out.
func (w *postInvoice) draft(ctx context.Context, h hand) (*draft, error) {
	pol, err := h.policy()
	if err != nil {
		return nil, err
	}
	inv, err := canon.DecodeInvoice(h.SyncRun.Canonical)
	if err != nil {
		return nil, err
	}
	number, err := w.mayExistAs(ctx, h.work)
	if err != nil {
		return nil, err
	}
	if number != "" {
		pol = policy.WithNumber(inv, pol, number)
	} else if decision := policy.Decide(inv, pol); decision.Action == policy.Skip {
		return nil, w.skip(ctx, h, decision) // the settings changed while it was held
	}
	known, err := w.knownInvoice(ctx, h.work)
	if err != nil {
		return nil, err
	}
	if known != nil {
		return nil, w.finish(ctx, h, provider.Document{Number: known.Number}, *known)
	}
	return &draft{hand: h, inv: inv, pol: pol, buyer: policy.BuyerOf(inv, pol)}, nil
}

// mayExistAs is the number under which an earlier attempt may have written the
// document, empty where none may. As long as that is open the document keeps this
// number and is not left out, whatever the settings say now: else a new prefix
// would look for another number, find nothing and write a second document.
func (w *postInvoice) mayExistAs(ctx context.Context, run work) (string, error) {
	number, err := w.queries.ProviderIntentNumber(ctx, w.Pool, run.SyncRun.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read intents of run %s: %w", run.SyncRun.ID, err)
	}
	return number, nil
}

// intend is T3, a transaction of its own, and the last look before the call: a
// process that has been out of touch (cut off, suspended) may have been given up
// for dead, and leaves the write to whoever has the job now.
func (w *postInvoice) intend(ctx context.Context, h hand, operation, key, bodyHash string) (syncrun.Taken, error) {
	var taken syncrun.Taken
	err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error {
		var err error
		taken, err = syncrun.Intend(ctx, tx, h.job.id(), h.job.attempt(), syncrun.Intent{
			RunID: h.SyncRun.ID, BindingID: h.Binding.ID, Operation: operation, ObjectKey: key, BodyHash: bodyHash, Who: w.who,
		})
		return err
	})
	if errors.Is(err, syncrun.ErrInvoiceFailed) {
		return taken, provider.Hold(provider.HeldInvoiceFailed, "the invoice that this is about failed; retry that one, or cancel it")
	}
	if err == nil && w.Alive != nil && !w.Alive() {
		return taken, &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal,
			Message: "this process was out of touch with the database; the write is left to the next attempt"}
	}
	return taken, err
}

// answered notes that the provider did answer, unless its answer was lost: then
// the same idempotency key must be used again.
func (w *postInvoice) answered(ctx context.Context, taken syncrun.Taken, cause error) error {
	f := provider.AsFailure(cause)
	if f.Kind == provider.Unknown && !f.Answered {
		return cause
	}
	return errors.Join(cause, taken.Answered(context.WithoutCancel(ctx), w.Pool, syncrun.Answer{
		Settled: f.Kind != provider.Unknown, Certain: certain(taken, f),
	}))
}

// certain reports whether a failure says that nothing was written, by this try
// or an earlier one. Refused and Held are the provider's judgement of the very
// document. Any other answer to an uncertain try may be one to its look-up, and
// then says nothing of what the earlier try did.
func certain(taken syncrun.Taken, f *provider.Failure) bool {
	switch f.Kind {
	case provider.Refused, provider.Held:
		return !f.Exists
	case provider.Auth, provider.RateLimited:
		return !taken.Uncertain
	}
	return false
}

// finish is T4.
func (w *postInvoice) finish(ctx context.Context, h hand, doc provider.Document, posted provider.Posted) error {
	record, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	differs := variance(doc, posted)
	difference, err := json.Marshal(differs)
	if err != nil {
		return fmt.Errorf("encode variance: %w", err)
	}
	xref := syncrun.Xref{
		EntityType: "invoice", ShopID: strconv.FormatInt(h.SyncRun.MagentoEntityID, 10),
		ProviderID: posted.ID, Reference: &posted.Number, URL: &posted.URL,
	}
	err = w.end(ctx, h, change{next: tellNext(h.SyncRun), posted: &syncrun.Posted{
		Step: syncrun.Step{RunID: h.SyncRun.ID}, Xref: xref, Document: record, Variance: difference, Why: story(posted), Found: found(posted),
	}})
	if others := (*syncrun.OthersDocument)(nil); errors.As(err, &others) {
		return w.othersDocument(ctx, h.work, posted, others)
	}
	if err != nil {
		return err
	}
	if differs != nil {
		w.Metrics.Variance(h.Binding.Provider)
	}
	w.ended(h.work, syncrun.Succeeded)
	w.gotThrough(ctx, h)
	return nil
}

func (w *postInvoice) skip(ctx context.Context, h hand, decision policy.Decision) error {
	end, err := handOn(h, h.SyncRun.Canonical, decision)
	if err == nil {
		err = w.end(ctx, h, end)
	}
	if err == nil {
		w.handedOn(h.work, decision)
	}
	return err
}

// paused is how long the binding has still to wait.
func (w *postInvoice) paused(run work) time.Duration {
	if run.Binding.PausedUntil == nil {
		return 0
	}
	return run.Binding.PausedUntil.Sub(w.Now())
}

func story(posted provider.Posted) string {
	if posted.Adopted {
		return "adopted " + posted.Number + ", which was there already"
	}
	return "posted " + posted.Number
}
