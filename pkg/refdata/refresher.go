package refdata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/policy"
)

// Reference data are read once a day also where no invoice comes,
// so that a setting which refers to something that is gone is found before the next
// invoice is held for it.
const (
	every      = 24 * time.Hour
	retryAfter = 10 * time.Minute
	checkEvery = time.Minute
)

// Refresher keeps the reference data of all bindings.
type Refresher struct {
	Pool    *pgxpool.Pool
	Clients clients.Factory
	Metrics *metrics.Metrics
	Logger  *slog.Logger

	logged map[uuid.UUID]string // the faults that were logged last
}

// Run checks every minute until ctx ends. If the process stops, another reads.
func (r *Refresher) Run(ctx context.Context) {
	r.logged = map[uuid.UUID]string{}
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		r.refreshDue(ctx)
		if err := r.check(ctx); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "check settings", "error", err)
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
func (r *Refresher) refreshDue(ctx context.Context) {
	queries := dbsqlc.New()
	due, err := queries.BindingReferenceDue(ctx, r.Pool, every.Seconds())
	for _, binding := range due {
		var mine int64
		if mine, err = queries.BindingTakeReference(ctx, r.Pool, dbsqlc.BindingTakeReferenceParams{ID: binding.ID, Seconds: retryAfter.Seconds()}); err != nil {
			break
		}
		if mine == 0 {
			continue
		}
		if err := read(ctx, r.Pool, binding, r.Clients, true); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "reference data not read", "binding", binding.ID, "error", err)
		}
	}
	if err != nil && ctx.Err() == nil {
		r.Logger.WarnContext(ctx, "find old reference data", "error", err)
	}
}

// check counts the faults of all live bindings, and logs those of a binding once.
func (r *Refresher) check(ctx context.Context) error {
	list, err := dbsqlc.New().BindingList(ctx, r.Pool)
	if err != nil {
		return fmt.Errorf("list bindings: %w", err)
	}
	total := 0
	var failed []error
	for _, binding := range list {
		if binding.Status == "revoked" {
			continue
		}
		faults, err := Faults(ctx, r.Pool, binding)
		failed = append(failed, err)
		total += len(faults)
		r.log(ctx, binding, faults)
	}
	r.Metrics.SettingsFaults(total)
	return errors.Join(failed...)
}

func (r *Refresher) log(ctx context.Context, binding dbsqlc.Binding, faults []policy.FieldError) {
	now := fmt.Sprint(faults)
	if r.logged[binding.ID] == now || len(faults) == 0 && r.logged[binding.ID] == "" {
		return
	}
	r.logged[binding.ID] = now
	for _, f := range faults {
		r.Logger.WarnContext(ctx, "a setting refers to what the provider does not have", "binding", binding.ID, "field", f.Field, "code", f.Code, "message", f.Message)
	}
}
