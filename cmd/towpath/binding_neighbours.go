package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
)

// adviceFor is who else writes to a binding's organisation, and what to do so that
// their numbers do not clash.
func adviceFor(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) ([]account.Neighbour, string, error) {
	neighbours, err := account.Neighbours(ctx, pool, binding)
	if err != nil || len(neighbours) == 0 {
		return nil, "", err
	}
	tenant, err := dbsqlc.New().TenantGet(ctx, pool, binding.TenantID)
	if err != nil {
		return nil, "", fmt.Errorf("read tenant %s: %w", binding.TenantID, err)
	}
	return neighbours, account.NumberAdvice(tenant.Name, neighbours), nil
}

func printAdvice(io console, id uuid.UUID, advice string) {
	if advice != "" {
		fmt.Fprintf(io.err, "towpath: binding %s: %s\n", id, advice)
	}
}

// tellNeighbours says it of one binding; if it cannot be read, binding status says
// it later.
func tellNeighbours(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) {
	binding, err := dbsqlc.New().BindingGet(ctx, pool, id)
	advice := ""
	if err == nil {
		_, advice, err = adviceFor(ctx, pool, binding)
	}
	if err != nil {
		fmt.Fprintf(io.err, "towpath: whether other shops write to the organisation is not known: %v\n", err)
		return
	}
	printAdvice(io, id, advice)
}
