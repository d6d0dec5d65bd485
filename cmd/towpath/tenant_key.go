package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"towpath/pkg/account"
)

type tenantRotateKey struct {
	database
	printed
	apiKeyFlags
	ID string `arg:"" help:"The tenant's id."`
}

// keySaved is the answer to rotate-key.
type keySaved struct {
	ID       uuid.UUID `json:"id"`
	APIKey   string    `json:"api_key,omitempty"` // only when it was made here
	Released int       `json:"held_runs_released"`
}

// Run stores the key and releases the tenant's held runs in one transaction.
// From then on the old key's tokens are refused, so the shop gets its key first
// where it makes one, and at once where it is made here.
func (c tenantRotateKey) Run(ctx context.Context, io console) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return wrongUse("%q is no tenant id; use a UUID (see: towpath tenant list)", c.ID)
	}
	key, made, err := c.key(io)
	if err != nil {
		return err
	}
	box, err := io.box()
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	op, err := io.operator(pool)
	if err != nil {
		return err
	}
	saved := keySaved{ID: id}
	if made {
		saved.APIKey = key
	}
	if saved.Released, err = account.ReplaceKey(ctx, op, box, id, key); err != nil {
		return ifNoTenant(id, err)
	}
	if c.JSON {
		return printJSON(io.out, saved)
	}
	fmt.Fprintf(io.out, "tenant %s has a new key; held runs that look again: %d\n", id, saved.Released)
	if made {
		fmt.Fprintf(io.out, "api_key %s\nIt is not shown again: give it to the shop now.\n", key)
	}
	return nil
}
