package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// Table is what a table has, or had, to be blanked.
type Table struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // as they are stored, compressed
}

// Blanked is what was done.
type Blanked struct {
	Runs  int64 `json:"runs"`
	Bytes int64 `json:"bytes"` // of the runs' own rows, as they were stored
}

// setSize is how many runs a statement of Measure and Prune looks at or blanks.
const setSize = 500

// blank is one set in one statement: if the process dies before its commit, the set is due
// as before. A run that somebody is at is left for the next time.
func blank(ctx context.Context, db dbsqlc.DBTX, ids []uuid.UUID, who, why string) (Blanked, error) {
	row, err := dbsqlc.New().RetentionBlank(ctx, db, dbsqlc.RetentionBlankParams{Ids: ids, Who: who, Why: why})
	if err != nil {
		return Blanked{}, fmt.Errorf("blank %d runs: %w", len(ids), err)
	}
	return Blanked(row), nil
}

// due walks the runs that are due, a set at a time.
func due(ctx context.Context, pool *pgxpool.Pool, before time.Time, do func(ids []uuid.UUID) error) error {
	page := dbsqlc.RetentionDueParams{Before: before, MaxRows: setSize}
	for {
		rows, err := dbsqlc.New().RetentionDue(ctx, pool, page)
		if err != nil {
			return fmt.Errorf("find runs that ended before %s: %w", before.Format(time.DateOnly), err)
		}
		if len(rows) == 0 {
			return nil
		}
		if err := do(idsOf(rows)); err != nil {
			return err
		}
		last := rows[len(rows)-1]
		page.AfterAt, page.AfterID = last.FinishedAt, last.ID
	}
}

func idsOf(rows []dbsqlc.RetentionDueRow) []uuid.UUID {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}

// Measure says what Prune would blank. step is told how many runs were looked at.
func Measure(ctx context.Context, pool *pgxpool.Pool, before time.Time, step func(runs int64)) ([]Table, error) {
	sum := tables(dbsqlc.RetentionSizesRow{})
	err := due(ctx, pool, before, func(ids []uuid.UUID) error {
		part, err := MeasureRuns(ctx, pool, ids)
		if err != nil {
			return err
		}
		for i := range sum {
			sum[i].Rows += part[i].Rows
			sum[i].Bytes += part[i].Bytes
		}
		step(sum[0].Rows)
		return nil
	})
	return sum, err
}

// MeasureRuns says what is to be blanked of these runs.
func MeasureRuns(ctx context.Context, pool *pgxpool.Pool, ids []uuid.UUID) ([]Table, error) {
	sizes, err := dbsqlc.New().RetentionSizes(ctx, pool, ids)
	if err != nil {
		return nil, fmt.Errorf("measure %d runs: %w", len(ids), err)
	}
	return tables(sizes), nil
}

// tables has the runs first.
func tables(s dbsqlc.RetentionSizesRow) []Table {
	return []Table{
		{"sync_runs", s.Runs, s.RunBytes},
		{"run_search", s.SearchRows, s.SearchBytes},
		{"sync_run_events", s.EventRows, s.EventBytes},
		{"run_calls", s.CallRows, s.CallBytes},
	}
}

// Prune blanks all that ended before a time, a set a commit, and rests as long as each took,
// so that who works at the same time has the database too. Broken off, it has done what step
// was told last; the same again goes on.
func Prune(ctx context.Context, pool *pgxpool.Pool, before time.Time, who string, step func(Blanked)) (Blanked, error) {
	var sum Blanked
	may, err := dbsqlc.New().RetentionMay(ctx, pool)
	if err != nil {
		return sum, fmt.Errorf("ask whether it may: %w", err)
	}
	if may.Filling {
		return sum, errFilling
	}
	why := "ended before " + before.UTC().Format(time.DateOnly)
	err = due(ctx, pool, before, func(ids []uuid.UUID) error {
		began := time.Now()
		done, err := blank(ctx, pool, ids, who, why)
		if err != nil {
			return err
		}
		sum.Runs += done.Runs
		sum.Bytes += done.Bytes
		step(sum)
		return rest(ctx, time.Since(began))
	})
	return sum, err
}

// rest waits unless the context ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
