package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
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
		sealed := box.Seal([]byte(token), secret.Place(secret.BindingToken, binding.ID.String()))
		saved, released, err := account.SaveToken(ctx, op, binding.ID, sealed)
		if err != nil {
			return ifRevoked(binding.ID, err)
		}
		readReference(ctx, io, pool, binding.ID)
		if c.JSON {
			return printJSON(io.out, tokenSaved{viewBinding(saved), released})
		}
		fmt.Fprintf(io.out, "binding %s has a new token; held runs that look again: %d\n", binding.ID, released)
		return nil
	})
}
