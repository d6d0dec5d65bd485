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
	ByHand bool   `name:"by-hand" help:"Needed: the shop takes a key by hand. The published modules do not; pair those again."`
	ID     string `arg:"" help:"The tenant's id or name."`
}

// Help says for whom this is.
func (tenantRotateKey) Help() string {
	return `For a shop that takes a key by hand, one of your own making. The published modules get their key by pairing
and have no field for one: give such a shop a new key with "towpath tenant pair --tenant ID" and a new code.`
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
	if !c.ByHand {
		return wrongUse("a shop with the published modules cannot take a key by hand and would be cut off; pair it again: "+
			"towpath tenant pair --tenant %s --magento-url URL --provider NAME --code CODE\nFor a shop that does take one, say --by-hand", quoted(c.ID))
	}
	key, made, err := c.key(io)
	if err != nil {
		return err
	}
	if _, err := io.box(); err != nil { // before the database is asked
		return err
	}
	op, err := c.operator(ctx, io)
	if err != nil {
		return err
	}
	defer op.Pool.Close()
	box, err := io.sealing(ctx, op.Pool)
	if err != nil {
		return err
	}
	tenant, err := findTenant(ctx, op.Pool, c.ID)
	if err != nil {
		return err
	}
	id := tenant.ID
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
	fmt.Fprintf(io.out, "tenant %s has a new key; held runs released: %d\n", id, saved.Released)
	if made {
		fmt.Fprintf(io.out, "api_key %s\nIt is not shown again: give it to the shop now.\n", key)
	}
	return nil
}
