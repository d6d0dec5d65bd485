package main

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
)

func printAdvice(io console, id uuid.UUID, advice string) {
	if advice != "" {
		io.warn("binding %s: %s", id, advice)
	}
}

// tellNeighbours says it of one binding; if it cannot be read, binding status says
// it later.
func tellNeighbours(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) {
	binding, err := dbsqlc.New().BindingGet(ctx, pool, id)
	advice := ""
	if err == nil {
		_, advice, err = account.Advice(ctx, pool, binding)
	}
	if err != nil {
		io.warn("whether other shops write to the organisation is not known: %v", err)
		return
	}
	printAdvice(io, id, advice)
}
