package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/oauth"
)

type secretsForget struct {
	database
	printed
	Yes bool `help:"Do it; without it is only said what would be forgotten."`
}

// forgotten is the answer of secrets forget.
type forgotten struct {
	Done    bool              `json:"done"`
	Lost    int64             `json:"lost"`
	Columns []oauth.Forgotten `json:"columns"`
}

// Run forgets all of it or nothing.
func (c secretsForget) Run(ctx context.Context, io console) error {
	box, err := io.box()
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	done := forgotten{Done: c.Yes}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		done.Columns, err = oauth.Forget(ctx, tx, box, c.Yes)
		return err
	})
	if err != nil {
		return err
	}
	for _, column := range done.Columns {
		done.Lost += column.Lost
	}
	if err := c.print(io, done); err != nil {
		return err
	}
	if done.Lost > 0 && !c.Yes {
		fmt.Fprintln(io.err, "towpath: nothing was changed. A backup of the key is better; if it is gone for good, say --yes.")
		return errSilent
	}
	return nil
}

func (c secretsForget) print(io console, done forgotten) error {
	if c.JSON {
		return printJSON(io.out, done)
	}
	rows := [][]string{}
	for _, column := range done.Columns {
		rows = append(rows, []string{column.Column, fmt.Sprint(column.Lost)})
	}
	if err := printTable(io.out, []string{"column", "not opened"}, rows); err != nil {
		return err
	}
	if done.Done && done.Lost > 0 {
		fmt.Fprint(io.out, "forgotten. Now each shop: towpath tenant pair (or rotate-key --by-hand); each binding: towpath binding token ID --token-file FILE, "+
			"or of an app: towpath binding connect ID --client-secret-file FILE\n")
	}
	return nil
}
