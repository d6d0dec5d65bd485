package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/refdata"
	"towpath/riverjobs"
)

// operator acts for the person at the command line.
func (c console) operator(pool *pgxpool.Pool) (*riverjobs.Operator, error) {
	logger, err := c.logger()
	if err != nil {
		return nil, err
	}
	client, err := riverjobs.NewInserter(pool, logger)
	if err != nil {
		return nil, err
	}
	return &riverjobs.Operator{Pool: pool, Client: client, Who: c.who()}, nil
}

// clients makes the clients of shops and ledgers, with the tokens of apps.
func (c console) clients(pool *pgxpool.Pool) (clients.Factory, error) {
	box, err := c.box()
	if err != nil {
		return clients.Factory{}, err
	}
	private, err := c.allowPrivate()
	if err != nil {
		return clients.Factory{}, err
	}
	op, err := c.operator(pool)
	if err != nil {
		return clients.Factory{}, err
	}
	made := clients.New(box, private, nil)
	return made, made.NewKeeper(op, oauth.Config{})
}

// readReference reads what the settings may refer to, and says where that cannot
// be had now: the first run asks again. By then the organisation is known, so it
// says who else writes to it.
func readReference(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) {
	made, err := io.clients(pool)
	if err == nil {
		var binding dbsqlc.Binding
		if binding, err = dbsqlc.New().BindingGet(ctx, pool, id); err == nil {
			err = refdata.Refresh(ctx, pool, binding, made)
		}
	}
	if err != nil {
		fmt.Fprintf(io.err, "towpath: the provider's accounts and tax rates are not known yet (%v); the first run asks again\n", err)
	}
	tellNeighbours(ctx, io, pool, id)
}
