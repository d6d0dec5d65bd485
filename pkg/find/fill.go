package find

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

const (
	fillSet  = 500
	fillRest = 250 * time.Millisecond
	fillLook = time.Minute // how long until it is tried again: it failed, or another process fills
)

// Filler adds the runs of before 0012 to what is searched, newest first, in small steps
// with rests between them. Several processes may run one: one of them works.
type Filler struct {
	Pool   *pgxpool.Pool
	Logger *slog.Logger
}

// Run fills until nothing is left or the context ends. A step that fails is tried again.
func (f *Filler) Run(ctx context.Context) {
	for {
		rest := fillRest
		switch done, err := f.step(ctx); {
		case done:
			return
		case errors.Is(err, errAnother):
			rest = fillLook
		case err != nil && ctx.Err() == nil:
			f.Logger.WarnContext(ctx, "add earlier runs to the search", "error", err)
			rest = fillLook
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

var errAnother = errors.New("another process is at it")

// step adds one set. Rows and position are one commit: if the process dies before it,
// the set is done again.
func (f *Filler) step(ctx context.Context) (done bool, err error) {
	tx, err := f.Pool.Begin(ctx)
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	queries := dbsqlc.New()
	at, err := queries.RunSearchFillGet(ctx, tx)
	if errors.Is(err, pgx.ErrNoRows) {
		left, err := queries.RunSearchFillLeft(ctx, tx)
		if err != nil {
			return false, fmt.Errorf("read position: %w", err)
		}
		if left {
			return false, errAnother
		}
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read position: %w", err)
	}
	runs, err := queries.RunSearchFillNext(ctx, tx, dbsqlc.RunSearchFillNextParams{BeforeAt: at.BeforeAt, BeforeID: at.BeforeID, MaxRows: fillSet})
	if err != nil {
		return false, fmt.Errorf("read runs: %w", err)
	}
	if len(runs) == 0 {
		if err := queries.RunSearchFillEnd(ctx, tx); err != nil {
			return false, fmt.Errorf("note the end: %w", err)
		}
		return true, tx.Commit(ctx)
	}
	if err := add(ctx, tx, runs); err != nil {
		return false, err
	}
	return false, tx.Commit(ctx)
}

func add(ctx context.Context, tx pgx.Tx, runs []dbsqlc.RunSearchFillNextRow) error {
	queries := dbsqlc.New()
	var rows dbsqlc.RunSearchInsertManyParams
	for _, r := range runs {
		if len(r.Canonical) == 0 {
			continue // not read yet: T2 writes its row
		}
		facts := Of(r.Canonical)
		rows.RunID, rows.ReceivedAt = append(rows.RunID, r.ID), append(rows.ReceivedAt, r.ReceivedAt)
		rows.Number, rows.Customer = append(rows.Number, facts.Number), append(rows.Customer, facts.Customer)
		rows.Amount, rows.Currency = append(rows.Amount, facts.Amount), append(rows.Currency, facts.Currency)
		rows.Terms = append(rows.Terms, facts.Lines())
	}
	if err := queries.RunSearchInsertMany(ctx, tx, rows); err != nil {
		return fmt.Errorf("add %d runs: %w", len(rows.RunID), err)
	}
	last := runs[len(runs)-1]
	if err := queries.RunSearchFillMove(ctx, tx, dbsqlc.RunSearchFillMoveParams{BeforeAt: last.ReceivedAt, BeforeID: last.ID}); err != nil {
		return fmt.Errorf("note position: %w", err)
	}
	return nil
}
