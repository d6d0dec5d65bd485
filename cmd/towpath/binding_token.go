package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

type bindingToken struct {
	database
	printed
	tokenFlags
	ID string `arg:"" help:"The binding's id."`
}

// tokenSaved is the answer to binding token.
type tokenSaved struct {
	bindingView
	Released int `json:"held_runs_released"`
}

// Run stores the token and releases the held runs in one transaction.
func (c bindingToken) Run(ctx context.Context, io console) error {
	token, err := c.token(io)
	if err != nil {
		return err
	}
	box, err := io.box()
	if err != nil {
		return err
	}
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		op, err := io.operator(pool)
		if err != nil {
			return err
		}
		saved, err := saveToken(ctx, op, binding, box.Seal([]byte(token), secret.Place(secret.BindingToken, binding.ID.String())))
		if err != nil {
			return err
		}
		readReference(ctx, io, pool, binding.ID)
		if c.JSON {
			return printJSON(io.out, saved)
		}
		fmt.Fprintf(io.out, "binding %s has a new token; held runs that look again: %d\n", binding.ID, saved.Released)
		return nil
	})
}

func saveToken(ctx context.Context, op *riverjobs.Operator, binding dbsqlc.Binding, sealed []byte) (tokenSaved, error) {
	var saved tokenSaved
	err := pgx.BeginFunc(ctx, op.Pool, func(tx pgx.Tx) error {
		queries := dbsqlc.New()
		n, err := queries.BindingSetToken(ctx, tx, dbsqlc.BindingSetTokenParams{ID: binding.ID, TokenSealed: sealed})
		if err != nil {
			return fmt.Errorf("store token: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("binding %s is revoked; create another (see: towpath binding create --help)", binding.ID)
		}
		binding, err = queries.BindingGet(ctx, tx, binding.ID)
		if err != nil {
			return fmt.Errorf("read binding: %w", err)
		}
		saved.bindingView = viewBinding(binding)
		saved.Released, err = op.ReleaseHeld(ctx, tx, binding.ID, binding.PolicyVersion)
		return err
	})
	return saved, err
}
