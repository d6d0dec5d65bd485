package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/provider"
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

// operator opens the database for a command that changes runs; its pool is the
// caller's to close.
func (d database) operator(ctx context.Context, io console) (*riverjobs.Operator, error) {
	pool, err := d.open(ctx, io)
	if err != nil {
		return nil, err
	}
	op, err := io.operator(pool)
	if err != nil {
		pool.Close()
	}
	return op, err
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
// be had now: the first run asks for it, unless the connection is refused. By then the
// organisation is known, so it says who else writes to it.
func readReference(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) {
	made, err := io.clients(pool)
	var binding dbsqlc.Binding
	if err == nil {
		if binding, err = dbsqlc.New().BindingGet(ctx, pool, id); err == nil {
			err = refdata.Refresh(ctx, pool, binding, made)
		}
	}
	switch {
	case err == nil:
	case provider.AsFailure(err).Kind == provider.Auth:
		io.warn("%s refuses the connection (%v); its runs are held until that is mended: %s", binding.ApiUrl, err, reconnect(binding))
	default:
		io.warn("the accounts and tax rates at %s are not known yet (%v); the first run reads them, and shows whether the connection works", binding.ApiUrl, err)
	}
	tellNeighbours(ctx, io, pool, id)
}

// reconnect is the command that mends a refused connection.
func reconnect(binding dbsqlc.Binding) string {
	if binding.TokenSealed != nil {
		return fmt.Sprintf("towpath binding token %s --token-file FILE (or binding change, if the address or the organisation is wrong)", binding.ID)
	}
	return fmt.Sprintf("towpath binding connect %s", binding.ID)
}
