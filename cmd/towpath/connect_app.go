package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/secret"
)

// secretFlags is how an app's secret is given.
type secretFlags struct {
	ClientSecret     string `name:"client-secret" placeholder:"SECRET" help:"The app's client secret; better by --client-secret-file."`
	ClientSecretFile string `name:"client-secret-file" placeholder:"FILE" help:"A file that holds it, so that it stays out of the process list."`
}

// secret is empty where none is given.
func (f secretFlags) secret(io console) (string, error) {
	return io.secretFlag("client-secret", f.ClientSecret, f.ClientSecretFile)
}

// appFlags is how the app is given that gets and renews the tokens.
type appFlags struct {
	ClientID string `name:"client-id" placeholder:"ID" help:"Instead of a token: the client id of an app that gets and renews tokens."`
	secretFlags
	Grant       string `placeholder:"KIND" help:"client_credentials (a custom connection of Xero: no browser; the default with a secret) or authorization_code (an app that needs a person's consent; the default without one, and for freeagent)."`
	IdentityURL string `name:"identity-url" placeholder:"URL" help:"Where Xero's identity server answers (default: Xero's own)."`
}

func (f appFlags) isApp() bool {
	return f.ClientID != "" || f.Grant != "" || f.IdentityURL != "" || f.secretFlags != secretFlags{}
}

func (f appFlags) app(io console) (account.App, error) {
	value, err := f.secret(io)
	return account.App{ClientID: f.ClientID, Secret: secret.NewString(value), Grant: f.Grant, IdentityURL: f.IdentityURL}, err
}

// createApp stores a binding with an app instead of a token. It waits for its
// connection; where that needs no browser it is made at once, and if it cannot
// be made now, binding connect does it.
func (c bindingCreate) createApp(ctx context.Context, io console) error {
	if c.tokenFlags != (tokenFlags{}) {
		return wrongUse("a token and an app are both given; give one of them")
	}
	row, private, err := c.row(io)
	if err != nil {
		return err
	}
	app, err := c.app(io)
	if err != nil {
		return err
	}
	if err := app.Check(row.Provider, private); err != nil {
		return asFlag(err)
	}
	if _, err := io.box(); err != nil { // before the database is asked
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	box, err := io.sealing(ctx, pool)
	if err != nil {
		return err
	}
	tenant, err := findTenant(ctx, pool, c.Tenant)
	if err != nil {
		return err
	}
	row.TenantID = tenant.ID
	conns, err := io.clients(pool)
	if err != nil {
		return err
	}
	kind, err := account.CreateAppBinding(ctx, pool, box, row, app, private)
	if err != nil {
		return bindingStored(row, err)
	}
	if kind == oauth.ClientCredentials {
		if done, err := connectApp(ctx, io, pool, conns, row.ID); err != nil {
			io.warn("not connected yet: %v", err)
		} else if !c.JSON {
			fmt.Fprintf(io.out, "connected to %s (%s)\n", done.OrgName, done.OrgID)
		}
	}
	return c.printApp(ctx, io, pool, row, kind)
}

func (c bindingCreate) printApp(ctx context.Context, io console, pool *pgxpool.Pool, row dbsqlc.BindingInsertParams, kind string) error {
	binding, err := dbsqlc.New().BindingGet(ctx, pool, row.ID)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	if c.JSON {
		return printJSON(io.out, viewBinding(binding))
	}
	fmt.Fprintf(io.out, "binding %s created (%s, wire %s)\n", binding.ID, binding.Provider, binding.Wire)
	if binding.Status == "needs_consent" {
		fmt.Fprintf(io.out, "Now connect it (%s): towpath binding connect %s\n", kind, binding.ID)
	}
	fmt.Fprintf(io.out, "Then its settings: towpath binding policy set %s --file policy.json\n", binding.ID)
	return nil
}

// connectApp connects a binding whose app needs no browser, and reads what its
// settings may refer to; if that cannot be had now, the first run asks again.
func connectApp(ctx context.Context, io console, pool *pgxpool.Pool, conns clients.Factory, id uuid.UUID) (oauth.Connected, error) {
	done, err := conns.Keeper.ConnectApp(ctx, id)
	if err == nil {
		readReference(ctx, io, pool, id)
	}
	return done, err
}
