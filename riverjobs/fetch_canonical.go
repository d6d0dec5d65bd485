package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// fetchCanonical reads the canonical document, asks the policy and hands the
// run on (T2). If the process stops anywhere before T2's commit, the next
// attempt reads the shop again, which is harmless.
type fetchCanonical struct {
	river.WorkerDefaults[FetchCanonicalArgs]
	*pipeline
}

// Timeout bounds one attempt.
func (w *fetchCanonical) Timeout(*river.Job[FetchCanonicalArgs]) time.Duration { return fetchTimeout }

// Work is one attempt.
func (w *fetchCanonical) Work(ctx context.Context, job *river.Job[FetchCanonicalArgs]) error {
	return attempt(ctx, w.pipeline, job, stageFetch, job.Args.RunID, func(ctx context.Context, run hand) error {
		return w.fetch(ctx, run)
	})
}

func (w *fetchCanonical) fetch(ctx context.Context, run hand) error {
	pol, err := run.policy()
	if err != nil {
		return err
	}
	raw, decision, err := w.decide(ctx, run.work, pol)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(decision)
	if err != nil {
		return fmt.Errorf("encode decision: %w", err)
	}
	err = w.inCompletion(ctx, run, func(ctx context.Context, tx pgx.Tx) error {
		return w.handOn(ctx, tx, run, raw, encoded, decision)
	})
	if err == nil {
		w.gotThrough(ctx, run)
	}
	return err
}

// decide reads what the event is about and asks the policy. Events whose
// document Towpath cannot write yet are held, not refused: nothing is wrong with
// them, and a version that can write them goes on by itself.
func (w *fetchCanonical) decide(ctx context.Context, run work, pol policy.Policy) (json.RawMessage, policy.Decision, error) {
	switch run.SyncRun.Event {
	case "invoice.created":
	case "product.upserted":
		if !pol.SyncProducts {
			return json.RawMessage("null"), policy.Decision{Action: policy.Skip, Reason: policy.SkipProductsOff}, nil
		}
		fallthrough
	default:
		return nil, policy.Decision{}, &provider.Failure{
			Kind: provider.Held, Code: provider.CodeInternal, Reason: "event_not_supported", RetryAfter: time.Hour,
			Message: fmt.Sprintf("this version of Towpath cannot write %s yet; the run waits for one that can", run.SyncRun.Event),
		}
	}
	shop, err := w.Shops(run.Tenant)
	if err != nil {
		return nil, policy.Decision{}, err
	}
	raw, inv, err := shop.Invoice(ctx, run.SyncRun.MagentoEntityID)
	if err != nil {
		return nil, policy.Decision{}, err
	}
	if err := w.recovered(ctx, run); err != nil {
		return nil, policy.Decision{}, fmt.Errorf("note connection: %w", err)
	}
	decision := policy.Decide(inv, pol)
	if decision.Action == policy.Hold {
		return nil, decision, &provider.Failure{Kind: provider.Held, Reason: decision.Reason, Message: "the shop's document cannot be written as it is: " + decision.Reason}
	}
	return raw, decision, nil
}

// handOn is T2: the run and its next job.
func (p *pipeline) handOn(ctx context.Context, tx pgx.Tx, run hand, raw, encoded json.RawMessage, decision policy.Decision) error {
	decided := syncrun.Decided{
		Step: syncrun.Step{RunID: run.SyncRun.ID, JobID: run.job.id()}, Canonical: canon.Storable(raw), Decision: encoded,
	}
	var next river.JobArgs = PostInvoiceArgs{RunID: run.SyncRun.ID, Share: run.Binding.ID}
	if decision.Action == policy.Skip {
		decided.SkipReason = decision.Reason
		next = tellJob(run.SyncRun)
	}
	id, err := insertNext(ctx, tx, run.SyncRun, next)
	if err != nil {
		return err
	}
	decided.NextJobID = id
	if err := syncrun.Decide(ctx, tx, p.who, []syncrun.Decided{decided}); err != nil {
		return err
	}
	if decision.Action == policy.Skip {
		p.Metrics.Skip(decision.Reason)
		p.ended(run.work, syncrun.Skipped)
	}
	return nil
}

// policy is the version pinned to the run.
func (w work) policy() (policy.Policy, error) {
	pol, faults, err := policy.Parse(w.Policy)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("read policy version %d: %w", w.SyncRun.PolicyVersion, err)
	}
	if len(faults) > 0 {
		return policy.Policy{}, fmt.Errorf("read policy version %d: %s: %s", w.SyncRun.PolicyVersion, faults[0].Field, faults[0].Message)
	}
	return pol, nil
}
