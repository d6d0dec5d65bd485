package syncrun

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Changes are ends of attempts, by their kind. Their jobs are completed and their
// next jobs inserted in the same transaction.
type Changes struct {
	Decided []Decided
	Posted  []Posted
	Failed  []Ended
	Told    []Told
}

// Apply changes the runs. If any of them does not wait for its job any more the
// whole fails with ErrNotMine, and nothing may be committed.
func Apply(ctx context.Context, tx pgx.Tx, who string, c Changes) error {
	if len(c.Decided) > 0 {
		if err := Decide(ctx, tx, who, c.Decided); err != nil {
			return err
		}
	}
	if len(c.Posted) > 0 {
		if err := Post(ctx, tx, who, c.Posted); err != nil {
			return err
		}
	}
	for _, e := range c.Failed {
		if err := Fail(ctx, tx, who, e); err != nil {
			return err
		}
	}
	if len(c.Told) > 0 {
		if err := Tell(ctx, tx, who, c.Told); err != nil {
			return err
		}
	}
	return c.wake(ctx, tx)
}

// wake lets go on what waits in the lanes of the runs that have ended. After all other
// changes: a run that is parked at this moment has seen them, or is seen here.
func (c Changes) wake(ctx context.Context, tx pgx.Tx) error {
	var ended []uuid.UUID
	for _, d := range c.Decided {
		if d.SkipReason != "" {
			ended = append(ended, d.RunID)
		}
	}
	for _, p := range c.Posted {
		ended = append(ended, p.RunID)
	}
	for _, f := range c.Failed {
		ended = append(ended, f.RunID)
	}
	if len(ended) == 0 {
		return nil
	}
	if _, err := queries.SyncRunWake(ctx, tx, ended); err != nil {
		return fmt.Errorf("wake what waits for %d runs: %w", len(ended), err)
	}
	return nil
}
