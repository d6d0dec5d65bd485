package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

type tenantRotateKey struct {
	database
	printed
	ID     string `arg:"" help:"The tenant's id."`
	APIKey string `name:"api-key" placeholder:"KEY" help:"The key that the shop has, 64 hex characters (default: a new one, printed once)."`
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
	key, made, err := tenantCreate{APIKey: c.APIKey}.key()
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
	sealed := box.Seal([]byte(key), secret.Place(secret.TenantAPIKey, id.String()))
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		queries := dbsqlc.New()
		n, err := queries.TenantSetKey(ctx, tx, dbsqlc.TenantSetKeyParams{ID: id, ApiKeySealed: sealed})
		if err != nil {
			return fmt.Errorf("store key: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("there is no tenant %s (see: towpath tenant list)", id)
		}
		saved.Released, err = releaseTenant(ctx, tx, op, id)
		return err
	})
	if err != nil {
		return err
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

// releaseTenant lets the held runs of all live bindings of a shop look again.
func releaseTenant(ctx context.Context, tx pgx.Tx, op *riverjobs.Operator, id uuid.UUID) (int, error) {
	bindings, err := dbsqlc.New().BindingLiveByTenant(ctx, tx, id)
	if err != nil {
		return 0, fmt.Errorf("find bindings: %w", err)
	}
	total := 0
	for _, b := range bindings {
		released, err := op.ReleaseHeld(ctx, tx, b.ID, b.PolicyVersion)
		if err != nil {
			return total, err
		}
		total += released
	}
	return total, nil
}

func isNoRow(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
