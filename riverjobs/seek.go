package riverjobs

import (
	"context"
	"fmt"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// What an earlier attempt may have written, its answer lost, is not left out and not
// held before the ledger was asked for it: the settings may have changed since, or what
// the ledger takes. Then it is only looked for. If it is there it is the run's; if not,
// it is left out or held as it would have been at first. The intent stays on record
// either way, so a later attempt looks again.

// sought lets a run go on to the ledger though the settings leave its document out by
// now, where an earlier attempt may have written it.
func (p *pipeline) sought(ctx context.Context, run work, operation string, decision policy.Decision) (policy.Decision, error) {
	key, err := p.mayExistAs(ctx, run, operation)
	if err != nil || key == "" {
		return decision, err
	}
	return policy.Decision{Action: policy.Post, Rules: append(decision.Rules, policy.Rule{
		Name: "earlier_attempt", Hit: true, Text: "an earlier attempt may have written it: it is looked for in the ledger before it is left out",
	})}, nil
}

// seek makes a write only a look where it would be held or left out now; false where no
// earlier attempt may have made it, so that there is nothing to look for.
func (b *batch[D]) seek(ctx context.Context, d *draft[D], operation string, instead func(ctx context.Context) error) (bool, error) {
	key, err := b.mayExistAs(ctx, d.work, operation)
	if err != nil || key == "" {
		return false, err
	}
	d.instead = instead
	return true, nil
}

// held is an error's being a hold.
func held(err error) bool { return err != nil && provider.AsFailure(err).Kind == provider.Held }

// olderSettings is how many versions are tried.
const olderSettings = 20

// formerly is a document as it would be known again that may not be written now: it is
// built without what the ledger says of itself, and under the last settings that allow
// it. What is found is compared by number, contact, total, currency, date and reference,
// which hang on neither.
func (b *batch[D]) formerly(ctx context.Context, d *draft[D], built documentOf[D]) (provider.Document, error) {
	then := *d
	then.ref = provider.Reference{Organisation: d.ref.Organisation}
	then.ref.Organisation.PeriodLockDate, then.ref.Organisation.EndOfYearLockDate = "", ""
	doc, err := built(b, &then)
	for v := d.SyncRun.PolicyVersion - 1; held(err) && v > max(0, d.SyncRun.PolicyVersion-1-olderSettings); v-- {
		row, missing := b.queries.PolicyGet(ctx, b.Pool, dbsqlc.PolicyGetParams{BindingID: d.Binding.ID, Version: v})
		if missing != nil {
			return doc, fmt.Errorf("read policy version %d: %w", v, missing)
		}
		older := d.work
		older.Policy = row.Policy
		if then.pol, missing = older.policy(); missing != nil {
			return doc, missing
		}
		if b.plan.keep != nil {
			then.pol = b.plan.keep(d.doc, then.pol, d.key)
		}
		doc, err = built(b, &then)
	}
	return doc, err
}
