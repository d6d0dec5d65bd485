package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/secret"
)

type bindingConnect struct {
	database
	printed
	secretFlags
	BaseURL string `name:"base-url" placeholder:"URL" help:"Where browsers reach this Towpath ($$TOWPATH_BASE_URL): https://..., or http://localhost:PORT."`
	OrgID   string `name:"org-id" placeholder:"ID" help:"The organisation, where a consent reaches several. Once connected, a binding keeps its own."`
	ID      string `arg:"" help:"The binding's id, or its shop's name."`
}

// consentView is the answer of binding connect. A custom connection is made at
// once and has no consent_url.
type consentView struct {
	ID         uuid.UUID  `json:"id"`
	Status     string     `json:"status"`
	ConsentURL string     `json:"consent_url,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	OrgID      string     `json:"org_id,omitempty"`
	Released   int        `json:"held_runs_released"`
}

// Run connects the binding, or prints the URL on which a person does.
func (c bindingConnect) Run(ctx context.Context, io console) error {
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		if _, err := io.sealing(ctx, pool); err != nil {
			return err
		}
		conns, err := io.clients(pool)
		if err != nil {
			return err
		}
		kind, err := c.prepare(ctx, io, pool, binding, conns.Box)
		if err != nil {
			return err
		}
		if kind == oauth.ClientCredentials {
			done, err := connectApp(ctx, io, pool, conns, binding.ID)
			if err != nil {
				return err
			}
			return c.print(io, consentView{ID: binding.ID, Status: "active", OrgID: done.OrgID, Released: done.Released})
		}
		base, err := io.settingOr(c.BaseURL, "TOWPATH_BASE_URL", "http://127.0.0.1:8080")
		if err == nil {
			base, err = checkBaseURL(base)
		}
		if err != nil {
			return err
		}
		address, err := conns.Keeper.Consent(ctx, binding.ID, base)
		if err != nil {
			return err
		}
		until := time.Now().Add(oauth.ConsentLife)
		return c.print(io, consentView{ID: binding.ID, Status: binding.Status, ConsentURL: address, ExpiresAt: &until})
	})
}

// prepare stores what the flags change, and answers how the binding is connected.
func (c bindingConnect) prepare(ctx context.Context, io console, pool *pgxpool.Pool, binding dbsqlc.Binding, box *secret.Box) (string, error) {
	value, err := c.secret(io)
	if err != nil {
		return "", err
	}
	kind, err := account.AppKind(ctx, pool, binding)
	if errors.Is(err, account.ErrNoApp) || errors.Is(err, account.ErrBindingRevoked) {
		return "", fmt.Errorf("binding %[1]s has no app to connect with: it has a fixed token, or is revoked; give it an app: towpath binding change %[1]s --client-id ID --client-secret-file FILE", binding.ID)
	}
	if err != nil {
		return "", err
	}
	err = account.ChangeApp(ctx, pool, box, binding, c.OrgID, secret.NewString(value))
	if errors.Is(err, account.ErrOtherOrganisation) {
		err = fmt.Errorf("binding %s belongs to organisation %s; for another one revoke it and create a new one", binding.ID, binding.OrgID)
	}
	return kind, err
}

func (c bindingConnect) print(io console, v consentView) error {
	if c.JSON {
		return printJSON(io.out, v)
	}
	if v.ConsentURL == "" {
		fmt.Fprintf(io.out, "binding %s is connected to organisation %s; %d held runs released\n", v.ID, v.OrgID, v.Released)
		return nil
	}
	fmt.Fprintf(io.out, "Open this within ten minutes; it works once:\n\n%s\n\n", v.ConsentURL)
	fmt.Fprintln(io.out, "The browser comes back to a Towpath that serves with --roles dashboard.")
	return nil
}
