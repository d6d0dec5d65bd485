package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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

// Timeout bounds a claim.
func (w *fetchCanonical) Timeout(*river.Job[FetchCanonicalArgs]) time.Duration { return claimTimeout }

// Work is one attempt of its job, and of those that it takes along.
func (w *fetchCanonical) Work(ctx context.Context, job *river.Job[FetchCanonicalArgs]) error {
	return claim(ctx, w.pipeline, job, stageFetch, job.Args.RunID, job.Args.Share, w.fetch)
}

// fetch reads and decides; T2 follows.
func (w *fetchCanonical) fetch(ctx context.Context, run hand) (change, after, error) {
	pol, err := run.policy()
	if err != nil {
		return change{}, nil, err
	}
	raw, decision, err := w.decide(ctx, run.work, pol)
	if err != nil {
		return change{}, nil, err
	}
	end, err := handOn(run, raw, decision)
	return end, func(ctx context.Context) {
		w.handedOn(run.work, decision)
		w.gotThrough(ctx, run)
	}, err
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
func handOn(run hand, raw json.RawMessage, decision policy.Decision) (change, error) {
	encoded, err := json.Marshal(decision)
	if err != nil {
		return change{}, fmt.Errorf("encode decision: %w", err)
	}
	end := change{next: postNext(run.SyncRun), decided: &syncrun.Decided{
		Step: syncrun.Step{RunID: run.SyncRun.ID}, Canonical: canon.Storable(raw), Decision: encoded,
	}}
	if decision.Action == policy.Skip {
		end.decided.SkipReason, end.next = decision.Reason, tellNext(run.SyncRun)
	}
	return end, nil
}

// handedOn counts the run's end where the policy left it out.
func (p *pipeline) handedOn(run work, decision policy.Decision) {
	if decision.Action == policy.Skip {
		p.Metrics.Skip(decision.Reason)
		p.ended(run, syncrun.Skipped)
	}
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
