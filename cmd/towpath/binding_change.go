package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
)

type bindingChange struct {
	database
	printed
	ID     string `arg:"" help:"The binding's id."`
	APIURL string `name:"api-url" placeholder:"URL" help:"Where the provider answers."`
	OrgID  string `name:"org-id" placeholder:"UUID" help:"The organisation. What was synced to another one stays known there, and is not looked for here."`
}

// Run changes the address; a mistake is mended without revoking the binding.
func (c bindingChange) Run(ctx context.Context, io console) error {
	if c.APIURL == "" && c.OrgID == "" {
		return wrongUse("name what to change: --api-url or --org-id")
	}
	if c.OrgID != "" {
		if _, err := uuid.Parse(c.OrgID); err != nil {
			return wrongUse("--org-id is %q; use a UUID", c.OrgID)
		}
	}
	if c.APIURL != "" {
		private, err := io.allowPrivate()
		if err != nil {
			return err
		}
		if err := private.CheckURL(c.APIURL); err != nil {
			return wrongUse("--api-url: %w", err)
		}
	}
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		op, err := io.operator(pool)
		if err != nil {
			return err
		}
		released, err := account.ChangeBinding(ctx, op, binding.ID, optional(c.APIURL), optional(c.OrgID))
		if err != nil {
			return ifRevoked(binding.ID, err)
		}
		readReference(ctx, io, pool, binding.ID)
		if c.JSON {
			return printBinding(ctx, io, pool, binding.ID)
		}
		fmt.Fprintf(io.out, "binding %s changed; held runs that look again: %d\n", binding.ID, released)
		return nil
	})
}
