package main

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/riverjobs"
)

// operator is the hand of the person at the command line.
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
