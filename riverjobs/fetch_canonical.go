package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"

	"towpath/pkg/canon"
	"towpath/pkg/find"
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

// decide reads what the event is about and asks the policy.
func (p *pipeline) decide(ctx context.Context, run work, pol policy.Policy) (fetched, error) {
	writer, ok := writerOf(run.SyncRun.Event)
	if !ok {
		return fetched{}, fmt.Errorf("no job writes %s", run.SyncRun.Event)
	}
	shop, err := p.Shops(run.Tenant)
	if err != nil {
		return fetched{}, err
	}
	got, err := writer.source.fetch(ctx, p, shop, run, pol)
	if err != nil {
		return fetched{}, err
	}
	if err := p.recovered(ctx, run); err != nil {
		return fetched{}, fmt.Errorf("note connection: %w", err)
	}
	if got.decision.Action == policy.Hold {
		return fetched{}, heldBy(got.decision)
	}
	return got, nil
}

// heldBy is the hold that a decision asks for, in the words of the rule that hit.
func heldBy(d policy.Decision) error {
	message := d.Reason
	if n := len(d.Rules); n > 0 {
		message = d.Rules[n-1].Text
	}
	return provider.Hold(d.Reason, message)
}

// handOn is T2: the run and its next job.
func handOn(run hand, got fetched) (change, error) {
	encoded, err := json.Marshal(decided{got.decision, got.invoice})
	if err != nil {
		return change{}, fmt.Errorf("encode decision: %w", err)
	}
	known := find.Of(got.raw)
	end := change{decided: &syncrun.Decided{
		Step: syncrun.Step{RunID: run.SyncRun.ID}, Canonical: canon.Storable(got.raw), Decision: encoded, Lane: got.lane,
		Known: syncrun.Known{Number: known.Number, Customer: known.Customer, Amount: known.Amount, Currency: known.Currency, Terms: known.Lines()},
	}}
	if got.decision.Action == policy.Skip {
		end.decided.SkipReason, end.next = got.decision.Reason, tellNext(run.SyncRun)
		return end, nil
	}
	writer, ok := writerOf(run.SyncRun.Event)
	if !ok {
		return change{}, fmt.Errorf("no job writes %s", run.SyncRun.Event)
	}
	end.next = writer.next(run.SyncRun)
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
