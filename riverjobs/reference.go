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

// reference answers the binding's reference data from the database, read anew
// when it is a day old. If the provider cannot be read now, a stale one serves.
func (p *pipeline) reference(ctx context.Context, run work, ledger Ledger) (provider.Reference, error) {
	stored, age, err := storedReference(run.Binding, p.Now())
	if err == nil && age < referenceAge {
		return stored, nil
	}
	fresh, fetchErr := RefreshReference(ctx, p.queries, p.Pool, run.Binding, ledger, p.Now())
	if fetchErr != nil && err == nil && run.Binding.Reference != nil {
		return stored, nil
	}
	return fresh, fetchErr
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
