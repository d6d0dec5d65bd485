package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
)

type bindingChange struct {
	database
	printed
	ID     string `arg:"" help:"The binding's id, or its shop's name."`
	APIURL string `name:"api-url" placeholder:"URL" help:"Where the provider answers."`
	OrgID  string `name:"org-id" placeholder:"UUID" help:"The organisation. What was synced to another one stays known there, and is not looked for here."`
	appFlags
}

// Help says what an app changes.
func (bindingChange) Help() string {
	return `With --client-id and --client-secret-file a binding of a fixed token becomes one of an app, or gets another app;
organisation, settings and what was synced stay. A custom connection is connected at once; for a person's consent
"towpath binding connect ID" follows. A fixed token serves until then.`
}

// Run changes address, organisation or app; a mistake is mended without revoking
// the binding.
func (c bindingChange) Run(ctx context.Context, io console) error {
	if err := c.check(io); err != nil {
		return err
	}
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		op, err := io.operator(pool)
		if err != nil {
			return err
		}
		released := 0
		if c.APIURL != "" || c.OrgID != "" {
			if released, err = account.ChangeBinding(ctx, op, binding.ID, optional(c.APIURL), optional(c.OrgID)); err != nil {
				return ifRevoked(binding.ID, err)
			}
		}
		if c.isApp() {
			err = c.replaceApp(ctx, io, pool, binding.ID)
		} else {
			readReference(ctx, io, pool, binding.ID)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printBinding(ctx, io, pool, binding.ID)
		}
		fmt.Fprintf(io.out, "binding %s changed; held runs released: %d\n", binding.ID, released)
		return nil
	})
}

// check judges the flags before the database is asked.
func (c bindingChange) check(io console) error {
	if c.APIURL == "" && c.OrgID == "" && !c.isApp() {
		return wrongUse("name what to change: --api-url, --org-id, or the app by --client-id, --client-secret-file, --identity-url")
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
	return nil
}

// replaceApp stores the app and connects it where that needs no person. If the
// process stops in between, binding connect goes on.
func (c bindingChange) replaceApp(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) error {
	box, err := io.sealing(ctx, pool)
	if err != nil {
		return err
	}
	private, err := io.allowPrivate()
	if err != nil {
		return err
	}
	app, err := c.app(io)
	if err != nil {
		return err
	}
	kind, err := account.ReplaceApp(ctx, pool, box, id, app, private)
	if err != nil {
		return ifRevoked(id, asFlag(err))
	}
	if kind != oauth.ClientCredentials {
		fmt.Fprintf(io.err, "Now connect it: towpath binding connect %s\n", id)
		return nil
	}
	conns, err := io.clients(pool)
	if err != nil {
		return err
	}
	if _, err := connectApp(ctx, io, pool, conns, id); err != nil {
		return fmt.Errorf("the app is stored, but not connected yet: %w; then: towpath binding connect %s", err, id)
	}
	return nil
}
