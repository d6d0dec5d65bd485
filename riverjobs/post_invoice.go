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
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// postInvoice writes one invoice to the ledger. Its crash points:
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
	return attempt(ctx, w.pipeline, job, stagePost, job.Args.RunID, func(ctx context.Context, run work) error {
		return w.post(ctx, job, run)
	})
}

func (w *postInvoice) post(ctx context.Context, job *river.Job[PostInvoiceArgs], run work) error {
	if wait := w.paused(run); wait > 0 {
		return &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: reasonPaused, RetryAfter: wait,
			Message: "the provider asked to wait"}
	}
	pol, err := run.policy()
	if err != nil {
		return err
	}
	inv, err := canon.DecodeInvoice(run.SyncRun.Canonical)
	if err != nil {
		return err
	}
	number, err := w.mayExistAs(ctx, run)
	if err != nil {
		return err
	}
	if number != "" {
		pol = policy.WithNumber(inv, pol, number)
	} else if decision := policy.Decide(inv, pol); decision.Action == policy.Skip {
		return w.skip(ctx, job, run, decision) // the settings changed while it was held
	}
	known, err := w.knownInvoice(ctx, run)
	if err != nil {
		return err
	}
	if known != nil {
		return w.finish(ctx, job, run, provider.Document{Number: known.Number}, *known)
	}
	doc, posted, err := w.write(ctx, job, run, inv, pol)
	if err != nil {
		return err
	}
	return w.finish(ctx, job, run, doc, posted)
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

// write makes sure of the contact, then of the document.
func (w *postInvoice) write(ctx context.Context, job *river.Job[PostInvoiceArgs], run work, inv canon.Invoice, pol policy.Policy) (provider.Document, provider.Posted, error) {
	ledger, err := w.Ledgers(run.Binding)
	if err != nil {
		return provider.Document{}, provider.Posted{}, err
	}
	// A document that may not be posted must not leave a contact behind.
	ref, err := w.allowed(ctx, run, ledger, inv, pol)
	if err != nil {
		return provider.Document{}, provider.Posted{}, err
	}
	buyer := policy.BuyerOf(inv, pol)
	contactID, err := w.contact(ctx, job, run, ledger, buyer)
	if err != nil {
		return provider.Document{}, provider.Posted{}, err
	}
	doc, err := ledger.Document(inv, pol, ref, contactID, w.runURL(run.SyncRun.ID))
	if err != nil {
		return provider.Document{}, provider.Posted{}, err
	}
	taken, err := w.intend(ctx, job.ID, job.Attempt, run, syncrun.WriteInvoice, doc.Number, doc.Hash())
	if err != nil {
		return provider.Document{}, provider.Posted{}, err
	}
	// If the process stops here, the intent says that the document may exist.
	posted, err := ledger.EnsureInvoice(ctx, doc, provider.Try{Key: taken.Key(), Uncertain: taken.Uncertain})
	if err != nil {
		return provider.Document{}, provider.Posted{}, errors.Join(w.forgotten(ctx, run, buyer, err), w.answered(ctx, taken, err))
	}
	// And here: it does exist, and the next attempt will find it.
	return doc, posted, w.recovered(ctx, run)
}

// allowed answers the reference data under which the document may be posted. If
// it may not, as far as is known, what is known is read anew first: the currency
// may have been enabled, the account restored.
func (w *postInvoice) allowed(ctx context.Context, run work, ledger Ledger, inv canon.Invoice, pol policy.Policy) (provider.Reference, error) {
	var held error
	for _, age := range []time.Duration{referenceAge, referenceRecheck} {
		ref, err := w.reference(ctx, run, ledger, age)
		if err != nil {
			return provider.Reference{}, err
		}
		if _, held = ledger.Document(inv, pol, ref, "", w.runURL(run.SyncRun.ID)); held == nil {
			return ref, nil
		}
	}
	return provider.Reference{}, held
}

// contact answers the ledger's id of the buyer: remembered, or made sure of
// under an intent of its own, so that two runs of a new customer make one.
func (w *postInvoice) contact(ctx context.Context, job *river.Job[PostInvoiceArgs], run work, ledger Ledger, buyer policy.Buyer) (string, error) {
	xref := w.xref(run, "contact", buyer.Key)
	known, err := w.lookUp(ctx, xref)
	if err != nil || known != nil {
		return providerID(known), err
	}
	body, err := json.Marshal(buyer)
	if err != nil {
		return "", fmt.Errorf("encode buyer: %w", err)
	}
	taken, err := w.intend(ctx, job.ID, job.Attempt, run, syncrun.WriteContact, buyer.Key, hash(body))
	if err != nil {
		return "", err
	}
	id, err := ledger.EnsureContact(ctx, buyer, provider.Try{Key: taken.Key(), Uncertain: taken.Uncertain})
	if err != nil {
		return "", w.answered(ctx, taken, err)
	}
	xref.ProviderID = id
	err = pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error { return syncrun.FoundContact(ctx, tx, taken, xref) })
	return id, err
}

// forgotten answers ErrBusy where the document was held for a contact that an
// earlier run remembered: it is forgotten and made sure of anew, which follows
// a merge. A contact that this very run made sure of is left: then a person must
// act.
func (w *postInvoice) forgotten(ctx context.Context, run work, buyer policy.Buyer, cause error) error {
	switch provider.AsFailure(cause).Reason {
	case "contact_not_found", "contact_archived":
	default:
		return nil
	}
	x := w.xref(run, "contact", buyer.Key)
	n, err := w.queries.EntityXrefForget(ctx, w.Pool, dbsqlc.EntityXrefForgetParams{
		TenantID: x.TenantID, Provider: x.Provider, OrgID: x.OrgID, EntityType: x.EntityType, ShopID: x.ShopID, RunID: run.SyncRun.ID,
	})
	if err != nil {
		return fmt.Errorf("forget contact %q: %w", buyer.Key, err)
	}
	if n == 0 {
		return nil
	}
	return syncrun.ErrBusy
}

// intend is T3, a transaction of its own, and the last look before the call: a
// process that has been out of touch (cut off, suspended) may have been given up
// for dead, and leaves the write to whoever has the job now.
func (w *postInvoice) intend(ctx context.Context, jobID int64, attempt int, run work, operation, key, bodyHash string) (syncrun.Taken, error) {
	var taken syncrun.Taken
	err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error {
		var err error
		taken, err = syncrun.Intend(ctx, tx, jobID, attempt, syncrun.Intent{
			RunID: run.SyncRun.ID, BindingID: run.Binding.ID, Operation: operation, ObjectKey: key, BodyHash: bodyHash, Who: w.who,
		})
		return err
	})
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
		return true
	case provider.Auth, provider.RateLimited:
		return !taken.Uncertain
	}
	return false
}

// finish is T4.
func (w *postInvoice) finish(ctx context.Context, job *river.Job[PostInvoiceArgs], run work, doc provider.Document, posted provider.Posted) error {
	record, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	found := variance(doc, posted)
	difference, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("encode variance: %w", err)
	}
	xref := w.xref(run, "invoice", strconv.FormatInt(run.SyncRun.MagentoEntityID, 10))
	xref.ProviderID, xref.Reference, xref.URL = posted.ID, &posted.Number, &posted.URL
	err = inCompletion(ctx, w.pipeline, job, func(ctx context.Context, tx pgx.Tx) error {
		next, err := insertNext(ctx, tx, PushSyncStateArgs{RunID: run.SyncRun.ID})
		if err != nil {
			return err
		}
		return syncrun.Post(ctx, tx, w.who, []syncrun.Posted{{
			Step: syncrun.Step{RunID: run.SyncRun.ID, JobID: job.ID, NextJobID: next},
			Xref: xref, Document: record, Variance: difference, Why: story(posted),
		}})
	})
	if errors.Is(err, syncrun.ErrOthersDocument) {
		return &provider.Failure{Kind: provider.Held, Code: provider.CodeValidation, Reason: "number_taken", Err: err,
			Message: "document " + posted.Number + " is another invoice's of this shop already; give its invoices numbers of their own"}
	}
	if err != nil {
		return err
	}
	if found != nil {
		w.Metrics.Variance(run.Binding.Provider)
	}
	w.ended(run, syncrun.Succeeded)
	return nil
}

func (w *postInvoice) skip(ctx context.Context, job *river.Job[PostInvoiceArgs], run work, decision policy.Decision) error {
	encoded, err := json.Marshal(decision)
	if err != nil {
		return fmt.Errorf("encode decision: %w", err)
	}
	return inCompletion(ctx, w.pipeline, job, func(ctx context.Context, tx pgx.Tx) error {
		return w.handOn(ctx, tx, run, job.ID, run.SyncRun.Canonical, encoded, decision)
	})
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
