package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/restored"
)

// readServer reads how the database itself stands. Indexes that are being built are not
// valid either; those are left out.
func readServer(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	err := pool.QueryRow(ctx, `
		SELECT current_setting('transaction_read_only') = 'off', (
			SELECT count(*)
			FROM pg_index AS i
			JOIN pg_class AS c ON c.oid = i.indexrelid
			JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE NOT i.indisvalid
				AND n.nspname IN (current_schema(), 'river')
				AND i.indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index WHERE index_relid IS NOT NULL))`,
	).Scan(&into.Writable, &into.InvalidIndexes)
	if err != nil {
		return fmt.Errorf("read the database's state: %w", err)
	}
	return nil
}

// leaderWatch remembers when the queue was last seen to have a leader. The scrape's
// snapshots, of which there is one at a time, are its only callers.
type leaderWatch struct{ seen time.Time }

func (w *leaderWatch) read(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	if into.Writable { // a standby has no such table
		_, err := dbsqlc.New().QueueLeader(ctx, pool)
		if err == nil {
			w.seen = time.Now()
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("read the queue's leader: %w", err)
		}
	}
	into.Leaderless = time.Since(w.seen)
	return nil
}

func readOpen(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	open, err := dbsqlc.New().MonitoringOpen(ctx, pool)
	if err != nil {
		return fmt.Errorf("read what is open: %w", err)
	}
	into.Intents, into.IntentsOldest, into.FixedTokens = open.Intents, duration(open.IntentsOldest), open.FixedTokens
	return nil
}

// readVerified reads what the leader found of the promises (verify.Rounds). One that
// could not be checked counts as it did before.
func readVerified(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	checks, err := dbsqlc.New().VerifyCheckList(ctx, pool)
	if err != nil {
		return fmt.Errorf("read checks of the promises: %w", err)
	}
	into.Broken = map[string]int64{}
	for _, check := range checks {
		into.Broken[check.Name] += check.Broken
		if at := check.CheckedAt; check.Error == "" && (into.Verified == nil || at.Before(*into.Verified)) {
			into.Verified = &at
		}
	}
	return nil
}

// readRestores counts the times that the database went back in time and that nobody has acknowledged.
func readRestores(ctx context.Context, pool *pgxpool.Pool, into *metrics.Snapshot) error {
	open, err := restored.Open(ctx, pool)
	into.Restores = len(open)
	return err
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
