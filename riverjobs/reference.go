package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// How long what the provider said of itself is believed: a day; in the part that a
// document would be held for not as long as until the next look (hold.go).
const (
	referenceAge     = 24 * time.Hour
	referenceRecheck = 4 * time.Minute
	// referenceRetry is when another worker may read what one has not brought back.
	referenceRetry = 30 * time.Second
)

// reference answers the binding's reference data from the database, read anew
// when it is older than a day. One worker reads it, since each read is several
// calls of a scarce budget: the others go on with what there is, or wait for it.
// If the provider cannot be read now, a stale one serves. If the process stops
// in between, another reads it half a minute later.
func (p *pipeline) reference(ctx context.Context, run work, ledger Ledger) (provider.Reference, error) {
	stored, age, err := storedReference(run.Binding, p.Now())
	if err == nil && age < referenceAge {
		return stored, nil
	}
	usable := err == nil && run.Binding.Reference != nil
	mine, err := p.mayRead(ctx, run, referenceRetry)
	if err != nil {
		return provider.Reference{}, err
	}
	if !mine {
		return p.othersReference(ctx, run)
	}
	fresh, err := RefreshReference(ctx, p.queries, p.Pool, run.Binding, ledger, p.Now())
	if err != nil && provider.AsFailure(err).Kind == provider.RateLimited {
		// Not for its fault: half a minute would be lost for all who wait for it.
		err = errors.Join(err, p.queries.BindingLeaveReference(ctx, p.Pool, run.Binding.ID))
	}
	if err != nil && usable {
		return stored, nil
	}
	return fresh, err
}

// mayRead reports whether this worker is the one that reads from the provider: if
// none has set out to in the last while.
func (p *pipeline) mayRead(ctx context.Context, run work, last time.Duration) (bool, error) {
	n, err := p.queries.BindingTakeReference(ctx, p.Pool, dbsqlc.BindingTakeReferenceParams{ID: run.Binding.ID, Seconds: last.Seconds()})
	if err != nil {
		return false, fmt.Errorf("take reference of binding %s: %w", run.Binding.ID, err)
	}
	return n > 0, nil
}

// rechecked is ref with the part read anew that a document would be held for, or
// as it was: where it was read a moment ago, and where it cannot be read now.
func (p *pipeline) rechecked(ctx context.Context, run work, ledger Ledger, ref provider.Reference, reason string) (provider.Reference, error) {
	mine, err := p.mayRead(ctx, run, referenceRecheck)
	if err != nil {
		return ref, err
	}
	if !mine {
		binding, err := p.queries.BindingGet(ctx, p.Pool, run.Binding.ID)
		if err != nil {
			return ref, fmt.Errorf("read binding %s: %w", run.Binding.ID, err)
		}
		others, _, err := storedReference(binding, p.Now())
		if err != nil || binding.Reference == nil {
			return ref, err
		}
		return others, nil
	}
	fresh, err := ledger.Recheck(ctx, ref, reason)
	if err != nil {
		return ref, fmt.Errorf("recheck %s: %w", reason, err)
	}
	at := run.Binding.ReferenceAt
	if at == nil {
		now := p.Now()
		at = &now
	}
	return fresh, storeReference(ctx, p.queries, p.Pool, run.Binding, fresh, *at)
}

// othersReference answers what another worker has read meanwhile; where that is
// not there yet, the run comes again in a moment.
func (p *pipeline) othersReference(ctx context.Context, run work) (provider.Reference, error) {
	binding, err := p.queries.BindingGet(ctx, p.Pool, run.Binding.ID)
	if err != nil {
		return provider.Reference{}, fmt.Errorf("read binding %s: %w", run.Binding.ID, err)
	}
	if binding.Reference == nil {
		return provider.Reference{}, &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: reasonPaused,
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

// RefreshReference reads the reference data from the provider and stores it. Where
// the connection is refused, the binding says so from then on.
func RefreshReference(ctx context.Context, queries *dbsqlc.Queries, db dbsqlc.DBTX, binding dbsqlc.Binding, ledger Ledger, now time.Time) (provider.Reference, error) {
	ref, err := ledger.Reference(ctx)
	if err != nil {
		err = fmt.Errorf("read reference data: %w", err)
		if provider.AsFailure(err).Kind == provider.Auth {
			_, noted := queries.BindingSetStatus(ctx, db, dbsqlc.BindingSetStatusParams{ID: binding.ID, Status: "needs_consent"})
			err = errors.Join(err, noted)
		}
		return provider.Reference{}, err
	}
	return ref, storeReference(ctx, queries, db, binding, ref, now)
}

func storeReference(ctx context.Context, queries *dbsqlc.Queries, db dbsqlc.DBTX, binding dbsqlc.Binding, ref provider.Reference, at time.Time) error {
	raw, err := json.Marshal(ref)
	if err != nil {
		return fmt.Errorf("encode reference data: %w", err)
	}
	err = queries.BindingSetReference(ctx, db, dbsqlc.BindingSetReferenceParams{ID: binding.ID, Reference: raw, ReferenceAt: at})
	if err != nil {
		return fmt.Errorf("store reference data: %w", err)
	}
	return nil
}
