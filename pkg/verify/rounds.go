package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// How the promises are checked all the time.
const (
	roundEvery  = time.Hour           // each promise is checked that often
	roundStep   = 15 * time.Second    // at most one promise in that time
	roundBudget = time.Minute         // a check that takes longer is broken off
	roundBack   = 35 * 24 * time.Hour // runs received that long before are looked at
	roundLeast  = 24 * time.Hour      // a window that was too long is halved down to that
)

// Rounds checks the promises again and again, one at a time, each in a statement of its
// own that ends in time: no long snapshot holds back the vacuum of a large database. What
// was found is stored, so that the next leader goes on where this one was.
type Rounds struct {
	Pool *pgxpool.Pool
	// Leads is whether it is on this process to look; one of several does.
	Leads  func(ctx context.Context) (bool, error)
	Logger *slog.Logger
	Every  time.Duration // 0: an hour
	Step   time.Duration // 0: 15 s
	Budget time.Duration // of a check; 0: a minute
}

// Run checks until ctx ends. A step that is lost (the process ends, the database is away)
// is made by the next. What was never checked is checked without a pause, so that soon
// after the start nothing is unknown.
func (r *Rounds) Run(ctx context.Context) {
	ticker := time.NewTicker(cmp.Or(r.Step, roundStep))
	defer ticker.Stop()
	for {
		_, first, err := r.Next(ctx)
		if err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "check the promises", "error", err)
		}
		if first && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Next checks the promise whose check is due and the longest ago, and answers its name
// and whether it was its first check; "" where none is due, or another process leads.
func (r *Rounds) Next(ctx context.Context) (name string, first bool, err error) {
	leads, err := r.Leads(ctx)
	if err != nil || !leads {
		return "", false, err
	}
	stored, err := dbsqlc.New().VerifyCheckList(ctx, r.Pool)
	if err != nil {
		return "", false, fmt.Errorf("read checks of the promises: %w", err)
	}
	promise, before := due(stored, time.Now().Add(-cmp.Or(r.Every, roundEvery)))
	if promise.Name == "" {
		return "", false, nil
	}
	since := time.Now().Add(-window(before))
	found, err := r.check(ctx, promise, since)
	if err != nil {
		return "", false, err
	}
	if found.Error != "" { // nothing new is known
		r.Logger.WarnContext(ctx, "a promise could not be checked", "check", promise.Name, "since", since, "error", found.Error)
		found.Broken, found.Samples = before.Broken, before.Samples
	}
	if found.Broken > before.Broken {
		r.Logger.ErrorContext(ctx, "a promise is broken: "+promise.Text, "check", promise.Name, "found", found.Broken, "samples", found.Samples)
	}
	err = dbsqlc.New().VerifyCheckPut(ctx, r.Pool, dbsqlc.VerifyCheckPutParams{
		Name: promise.Name, Broken: found.Broken, Samples: append([]string{}, found.Samples...), Error: found.Error, Since: since,
	})
	if err != nil {
		return "", false, fmt.Errorf("store check of %s: %w", promise.Name, err)
	}
	return promise.Name, before.Name == "", nil
}

// due is the promise that was checked the longest ago, before that time, with its last check.
func due(stored []dbsqlc.VerifyCheck, before time.Time) (Promise, dbsqlc.VerifyCheck) {
	last := map[string]dbsqlc.VerifyCheck{}
	for _, check := range stored {
		last[check.Name] = check
	}
	var next Promise
	for _, p := range Promises() {
		at := last[p.Name].CheckedAt
		if at.Before(before) && (next.Name == "" || at.Before(last[next.Name].CheckedAt)) {
			next = p
		}
	}
	return next, last[next.Name]
}

// window is how far back a promise is looked at: half as far as the last time if that took
// too long, else twice as far up to the most.
func window(before dbsqlc.VerifyCheck) time.Duration {
	if before.Name == "" {
		return roundBack
	}
	looked := before.CheckedAt.Sub(before.Since)
	if before.Error != "" {
		return max(looked/2, roundLeast)
	}
	return min(2*looked, roundBack)
}

func (r *Rounds) check(ctx context.Context, p Promise, since time.Time) (found Finding, err error) {
	options := pgx.TxOptions{AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, r.Pool, options, func(tx pgx.Tx) error {
		budget := cmp.Or(r.Budget, roundBudget).Milliseconds()
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", budget)); err != nil {
			return fmt.Errorf("bound the check: %w", err)
		}
		found, err = p.check(ctx, tx, since)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return Finding{Promise: p, Error: err.Error()}, nil
	}
	return found, err
}
