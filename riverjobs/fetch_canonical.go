package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
)

// fetch reads the canonical document and asks the policy; T2 follows. If the process
// stops anywhere before T2's commit, the next attempt reads the shop again, which is
// harmless.
func (p *pipeline) fetch(ctx context.Context, run hand) (change, after, error) {
	pol, err := run.policy()
	if err != nil {
		return change{}, nil, err
	}
	got, err := p.decide(ctx, run.work, pol)
	if err != nil {
		return change{}, nil, err
	}
	end, err := handOn(run, got)
	return end, func(ctx context.Context) {
		p.handedOn(run.work, got.decision)
		p.gotThrough(ctx, run)
	}, err
}

// decide reads what the event is about and asks the policy. Events whose document
// this version cannot write are held, not refused: nothing is wrong with them, and a
// version that can write them goes on by itself.
func (p *pipeline) decide(ctx context.Context, run work, pol policy.Policy) (fetched, error) {
	from := sourceOf(run.SyncRun.Event)
	if from == nil {
		return fetched{}, &provider.Failure{
			Kind: provider.Held, Code: provider.CodeInternal, Reason: "event_not_supported", RetryAfter: time.Hour,
			Message: fmt.Sprintf("this version of Towpath cannot write %s yet; the run waits for one that can", run.SyncRun.Event),
		}
	}
	shop, err := p.Shops(run.Tenant)
	if err != nil {
		return fetched{}, err
	}
	got, err := from.fetch(ctx, shop, run, pol)
	if err != nil {
		return fetched{}, err
	}
	if err := p.recovered(ctx, run); err != nil {
		return fetched{}, fmt.Errorf("note connection: %w", err)
	}
	if d := got.decision; d.Action == policy.Hold {
		return fetched{}, provider.Hold(d.Reason, "the shop's document cannot be written as it is: "+d.Reason)
	}
	return got, nil
}

// handOn is T2: the run and its next job.
func handOn(run hand, got fetched) (change, error) {
	encoded, err := json.Marshal(got.decision)
	if err != nil {
		return change{}, fmt.Errorf("encode decision: %w", err)
	}
	end := change{next: postNext(run.SyncRun), decided: &syncrun.Decided{
		Step: syncrun.Step{RunID: run.SyncRun.ID}, Canonical: canon.Storable(got.raw), Decision: encoded, Lane: got.lane,
	}}
	if got.decision.Action == policy.Skip {
		end.decided.SkipReason, end.next = got.decision.Reason, tellNext(run.SyncRun)
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
