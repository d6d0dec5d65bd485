package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/gaps"
	"towpath/pkg/metrics"
	"towpath/pkg/oauth"
	"towpath/pkg/quota"
	"towpath/riverjobs"
)

// snapshotOf reads what the gauges show, once for each scrape.
func snapshotOf(pool *pgxpool.Pool) func(context.Context) (metrics.Snapshot, error) {
	rhythm := gaps.WatchShops(pool, time.Now)
	leader := &leaderWatch{seen: time.Now()}
	reads := []func(context.Context, *pgxpool.Pool, *metrics.Snapshot) error{
		readServer, leader.read, readQueue, readOpen, readHeld, readBudgets, readArrival, readExpiry, readVerified, readRestores,
	}
	return func(ctx context.Context) (metrics.Snapshot, error) {
		snapshot := metrics.Snapshot{Held: map[string]int64{}}
		if shops, known := rhythm.Latest(); known {
			silent := gaps.Silent(shops)
			snapshot.Silent = &silent
		}
		for _, read := range reads {
			if err := read(ctx, pool, &snapshot); err != nil {
				return metrics.Snapshot{}, err
			}
		}
		return snapshot, nil
	}
}

func readQueue(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	depth, err := dbsqlc.New().QueueDepth(ctx, pool)
	if err != nil {
		return fmt.Errorf("read queue: %w", err)
	}
	for _, row := range depth {
		into.Jobs = append(into.Jobs, metrics.JobCount{Kind: row.Kind, State: row.State, Jobs: row.Jobs, OldestSeconds: row.OldestSeconds})
		if row.Kind == (riverjobs.PushSyncStateArgs{}).Kind() {
			// The job is made in the transaction that ends its run.
			into.PushesOldest = max(into.PushesOldest, duration(row.MadeSeconds))
		}
	}
	return nil
}

func readHeld(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	held, err := dbsqlc.New().SyncRunHeldByReason(ctx, pool)
	if err != nil {
		return fmt.Errorf("read held runs: %w", err)
	}
	for _, row := range held {
		into.Held[row.Reason] = row.Runs
	}
	return nil
}

// readArrival leaves it out where no event has come yet.
func readArrival(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	last, err := dbsqlc.New().QueueLastArrival(ctx, pool)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read last arrival: %w", err)
	}
	into.LastWebhook = &last
	return nil
}

// readExpiry reads when the first access token expires.
func readExpiry(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	expiry, err := dbsqlc.New().OAuthEarliestExpiry(ctx, pool)
	if err != nil {
		return fmt.Errorf("read expiry of tokens: %w", err)
	}
	if expiry.Grants > 0 {
		left := duration(expiry.Seconds)
		into.TokenExpiry = &left
	}
	return nil
}

// readBudgets reads what is left of the tightest binding's calls.
func readBudgets(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	rows, err := dbsqlc.New().CallBudgetList(ctx, pool)
	if err != nil {
		return fmt.Errorf("read budgets: %w", err)
	}
	into.Budget = map[string]float64{}
	least := func(window string, left float64) {
		if now, known := into.Budget[window]; !known || left < now {
			into.Budget[window] = left
		}
	}
	for _, backlog := range quota.Backlogs(rows) {
		least("minute", float64(backlog.CallsPerMinute-backlog.CallsUsed))
		if backlog.HourUsed != nil {
			least("hour", float64(*backlog.CallsPerHour-*backlog.HourUsed))
		}
		least("concurrent", float64(backlog.CallsAtOnce-backlog.CallsUnderWay))
		if backlog.DayLeft != nil {
			least("day", float64(*backlog.DayLeft))
		}
		into.Backlog = max(into.Backlog, duration(backlog.Seconds))
	}
	return nil
}

// countOAuth registers what happens to the providers' tokens.
func countOAuth(registry prometheus.Registerer) func(event string) {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "towpath", Name: "oauth_events_total", Help: "Connections and renewals of providers' tokens, and refusals of them.",
	}, []string{"event"})
	registry.MustRegister(events)
	for _, event := range oauth.Events() {
		events.WithLabelValues(event)
	}
	return func(event string) { events.WithLabelValues(event).Inc() }
}
