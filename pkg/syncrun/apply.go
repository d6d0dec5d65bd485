package syncrun

import (
	"context"

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
		return Tell(ctx, tx, who, c.Told)
	}
	return nil
}
