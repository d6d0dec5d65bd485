package restored

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
)

// Restore is a time that the database went back, as far as it is known.
type Restore struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`   // noticed
	What   string    `json:"what"` // dumped, missing or told
	BackTo time.Time `json:"back_to"`
}

// Why says how it is known, for people.
func (r Restore) Why() string {
	return map[string]string{
		"dumped":  "its rows came out of a dump",
		"missing": "what was committed before is not there",
		"told":    "a person said so",
	}[r.What]
}

// Open are those that nobody has acknowledged, the oldest first.
func Open(ctx context.Context, db dbsqlc.DBTX) ([]Restore, error) {
	rows, err := queries.RestoreOpen(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("list restores: %w", err)
	}
	open := make([]Restore, len(rows))
	for i, row := range rows {
		open[i] = Restore(row)
	}
	return open, nil
}

// Tell is a person's word that the database was restored as it was at that time.
func Tell(ctx context.Context, pool *pgxpool.Pool, backTo time.Time) error {
	return change(ctx, pool, audit.Entry{Action: audit.RestoreTold, After: map[string]any{"back_to": backTo.UTC()}}, func(tx pgx.Tx) error {
		return queries.RestoreTell(ctx, tx, backTo)
	})
}

// Acknowledge ends the telling of all that was noticed so far; it answers how many. Writes
// go on looking first.
func Acknowledge(ctx context.Context, pool *pgxpool.Pool) (n int, err error) {
	open, err := Open(ctx, pool)
	if err != nil || len(open) == 0 {
		return 0, err
	}
	return len(open), change(ctx, pool, audit.Entry{Action: audit.RestoreAcknowledged, After: map[string]any{"back_to": open[0].BackTo.UTC()}}, func(tx pgx.Tx) error {
		return queries.RestoreMark(ctx, tx, "acknowledged")
	})
}

func change(ctx context.Context, pool *pgxpool.Pool, entry audit.Entry, make func(tx pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := make(tx); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Who(ctx), entry)
	})
	if err != nil {
		return fmt.Errorf("note a restore: %w", err)
	}
	return nil
}
