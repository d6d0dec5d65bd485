package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/refdata"
	"towpath/pkg/secret"
)

type bindingToken struct {
	database
	printed
	tokenFlags
	Keep bool   `help:"Store the token though the provider refuses it now."`
	ID   string `arg:"" help:"The binding's id, or its shop's name."`
}

// tokenSaved is the answer to binding token.
type tokenSaved struct {
	bindingView
	Released int `json:"held_runs_released"`
}

// Run tries the token, stores it and releases the held runs in one transaction.
func (c bindingToken) Run(ctx context.Context, io console) error {
	token, err := io.secretFlag("token", c.Token, c.TokenFile)
	if err != nil {
		return err
	}
	if token == "" {
		return wrongUse("no access token: give it by --token-file FILE; to change to an app: towpath binding change ID --client-id ID --client-secret-file FILE")
	}
	if _, err := io.box(); err != nil { // before the database is asked
		return err
	}
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		box, err := io.sealing(ctx, pool)
		if err != nil {
			return err
		}
		op, err := io.operator(pool)
		if err != nil {
			return err
		}
		if binding.Status == "revoked" {
			return ifRevoked(binding.ID, account.ErrBindingRevoked)
		}
		sealed := box.Seal([]byte(token), secret.Place(secret.BindingToken, binding.ID.String()))
		unproven, err := c.try(ctx, io, pool, binding, sealed)
		if err != nil {
			return err
		}
		saved, released, err := account.SaveToken(ctx, op, binding.ID, sealed)
		if err != nil {
			return ifRevoked(binding.ID, err)
		}
		if unproven != nil {
			io.warn("whether %s takes the token is not proven (%v): the binding is called active until a call shows it; if the token is refused then, it needs consent again and its runs are held again",
				binding.ApiUrl, unproven)
			tellNeighbours(ctx, io, pool, binding.ID)
		} else {
			readReference(ctx, io, pool, binding.ID)
		}
		if c.JSON {
			return printJSON(io.out, tokenSaved{viewBinding(saved), released})
		}
		fmt.Fprintf(io.out, "binding %s has a new token; held runs released: %d\n", binding.ID, released)
		return nil
	})
}

// try asks the provider whether it takes the token. One that it refuses is not
// stored: it would end what the token before may still do. A provider that does
// not answer says nothing of the token: unproven says why.
func (c bindingToken) try(ctx context.Context, io console, pool *pgxpool.Pool, binding dbsqlc.Binding, sealed []byte) (unproven, err error) {
	conns, err := io.clients(pool)
	if err != nil || c.Keep {
		return nil, err
	}
	binding.TokenSealed = sealed
	unproven = refdata.Try(ctx, pool, binding, conns)
	if err := unproven; err != nil && provider.AsFailure(err).Kind == provider.Auth {
		return nil, fmt.Errorf("the token was not stored: %s refuses it (%w); check that it is of organisation %q and not expired, or say --keep",
			binding.ApiUrl, err, binding.OrgID)
	}
	return unproven, nil
}
