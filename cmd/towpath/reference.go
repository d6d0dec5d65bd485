package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/policy"
	"towpath/pkg/quota"
	"towpath/riverjobs"
)

// What the provider says of itself is read once a day also where no invoice comes,
// so that a setting which refers to something that is gone is found before the next
// invoice is held for it.
const (
	referenceEvery = 24 * time.Hour
	referenceRetry = 10 * time.Minute
	referenceLook  = time.Minute
)

// settingsFaults are the settings of a binding that refer to what the provider
// does not have any more, as far as is stored of it.
func settingsFaults(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) ([]policy.FieldError, error) {
	ref, known := referenceOf(binding)
	if !known {
		return nil, nil
	}
	row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
	if err != nil {
		return nil, fmt.Errorf("read policy of binding %s: %w", binding.ID, err)
	}
	pol, faults, err := policy.Parse(row.Policy)
	if err != nil {
		return nil, fmt.Errorf("read policy of binding %s: %w", binding.ID, err)
	}
	return append(faults, policy.Check(pol, ref, binding.Wire)...), nil
}

// refresher keeps the reference data of all bindings.
type refresher struct {
	pool    *pgxpool.Pool
	conns   connections
	metrics *metrics.Metrics
	logger  *slog.Logger
	said    map[uuid.UUID]string // the faults that were logged last
}

// run looks every minute until ctx ends. If the process stops, another reads.
func (r *refresher) run(ctx context.Context) {
	ticker := time.NewTicker(referenceLook)
	defer ticker.Stop()
	for {
		r.refreshDue(ctx)
		if err := r.check(ctx); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "check settings", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// refreshDue reads what is older than a day. A provider that cannot be read now is
// asked again in some minutes; what is stored serves meanwhile.
func (r *refresher) refreshDue(ctx context.Context) {
	queries := dbsqlc.New()
	due, err := queries.BindingReferenceDue(ctx, r.pool, referenceEvery.Seconds())
	for _, binding := range due {
		var mine int64
		if mine, err = queries.BindingTakeReference(ctx, r.pool, dbsqlc.BindingTakeReferenceParams{ID: binding.ID, Seconds: referenceRetry.Seconds()}); err != nil {
			break
		}
		if mine == 0 {
			continue
		}
		if err := r.refresh(ctx, binding); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "reference data not read", "binding", binding.ID, "error", err)
		}
	}
	if err != nil && ctx.Err() == nil {
		r.logger.WarnContext(ctx, "find old reference data", "error", err)
	}
}

func (r *refresher) refresh(ctx context.Context, binding dbsqlc.Binding) error {
	calls := quota.New(r.pool, binding.ID, quota.LimitsOf(binding.Provider, binding.Wire), true, "")
	ledger, err := r.conns.ledger(binding, calls.Permit)
	if err != nil {
		return err
	}
	_, err = riverjobs.RefreshReference(ctx, dbsqlc.New(), r.pool, binding, ledger, time.Now())
	return err
}

// check counts the faults of all live bindings, and logs those of a binding once.
func (r *refresher) check(ctx context.Context) error {
	list, err := dbsqlc.New().BindingList(ctx, r.pool)
	if err != nil {
		return fmt.Errorf("list bindings: %w", err)
	}
	total := 0
	var failed []error
	for _, binding := range list {
		if binding.Status == "revoked" {
			continue
		}
		faults, err := settingsFaults(ctx, r.pool, binding)
		failed = append(failed, err)
		total += len(faults)
		r.say(ctx, binding, faults)
	}
	r.metrics.SettingsFaults(total)
	return errors.Join(failed...)
}

func (r *refresher) say(ctx context.Context, binding dbsqlc.Binding, faults []policy.FieldError) {
	now := fmt.Sprint(faults)
	if r.said[binding.ID] == now || len(faults) == 0 && r.said[binding.ID] == "" {
		return
	}
	r.said[binding.ID] = now
	for _, f := range faults {
		r.logger.WarnContext(ctx, "a setting refers to what the provider does not have", "binding", binding.ID, "field", f.Field, "code", f.Code, "message", f.Message)
	}
}
