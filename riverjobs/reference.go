package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// referenceAge is how long what the provider said of itself is believed.
const referenceAge = 24 * time.Hour

// referenceRecheck is how old it may be to hold a document for what it says.
const referenceRecheck = time.Minute

// reference answers the binding's reference data from the database, read anew
// when it is older than most. One worker reads it, since each read is several
// calls of a scarce budget: the others go on with what there is, or wait for it.
// If the provider cannot be read now, a stale one serves. If the process stops
// in between, another reads it half a minute later.
func (p *pipeline) reference(ctx context.Context, run work, ledger Ledger, most time.Duration) (provider.Reference, error) {
	stored, age, err := storedReference(run.Binding, p.Now())
	if err == nil && age < most {
		return stored, nil
	}
	usable := err == nil && run.Binding.Reference != nil
	mine, err := p.queries.BindingTakeReference(ctx, p.Pool, run.Binding.ID)
	if err != nil {
		return provider.Reference{}, fmt.Errorf("take reference of binding %s: %w", run.Binding.ID, err)
	}
	if mine == 0 {
		return p.othersReference(ctx, run)
	}
	fresh, err := RefreshReference(ctx, p.queries, p.Pool, run.Binding, ledger, p.Now())
	if err != nil && usable {
		return stored, nil
	}
	return fresh, err
}

// othersReference answers what another worker has read meanwhile; where that is
// not there yet, the run comes again in a moment.
func (p *pipeline) othersReference(ctx context.Context, run work) (provider.Reference, error) {
	binding, err := p.queries.BindingGet(ctx, p.Pool, run.Binding.ID)
	if err != nil {
		return provider.Reference{}, fmt.Errorf("read binding %s: %w", run.Binding.ID, err)
	}
	if binding.Reference == nil {
		return provider.Reference{}, &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited,
			RetryAfter: busyWait, Message: "another worker is reading the provider's accounts and tax rates"}
	}
	ref, _, err := storedReference(binding, p.Now())
	return ref, err
}

func storedReference(binding dbsqlc.Binding, now time.Time) (provider.Reference, time.Duration, error) {
	if binding.Reference == nil || binding.ReferenceAt == nil {
		return provider.Reference{}, referenceAge, nil
	}
	var ref provider.Reference
	if err := json.Unmarshal(binding.Reference, &ref); err != nil {
		return provider.Reference{}, 0, fmt.Errorf("decode reference of binding %s: %w", binding.ID, err)
	}
	return ref, now.Sub(*binding.ReferenceAt), nil
}

// RefreshReference reads the reference data from the provider and stores it.
func RefreshReference(ctx context.Context, queries *dbsqlc.Queries, db dbsqlc.DBTX, binding dbsqlc.Binding, ledger Ledger, now time.Time) (provider.Reference, error) {
	ref, err := ledger.Reference(ctx)
	if err != nil {
		return provider.Reference{}, fmt.Errorf("read reference data: %w", err)
	}
	raw, err := json.Marshal(ref)
	if err != nil {
		return provider.Reference{}, fmt.Errorf("encode reference data: %w", err)
	}
	err = queries.BindingSetReference(ctx, db, dbsqlc.BindingSetReferenceParams{ID: binding.ID, Reference: raw, ReferenceAt: now})
	if err != nil {
		return provider.Reference{}, fmt.Errorf("store reference data: %w", err)
	}
	return ref, nil
}
