package account

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/riverjobs"
)

// CreateBinding stores a binding, version 1 of its policy, and what also stores
// in the same transaction. ErrNoTenant, ErrBindingExists.
func CreateBinding(ctx context.Context, pool *pgxpool.Pool, row dbsqlc.BindingInsertParams, also ...func(pgx.Tx) error) error {
	queries := dbsqlc.New()
	if _, err := queries.TenantGet(ctx, pool, row.TenantID); isNoRow(err) {
		return ErrNoTenant
	}
	err := pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		if err := queries.BindingInsert(ctx, tx, row); err != nil {
			return err
		}
		err := queries.PolicyInsert(ctx, tx, dbsqlc.PolicyInsertParams{BindingID: row.ID, Version: 1, Policy: policy.Encode(policy.Default())})
		for _, store := range also {
			if err == nil {
				err = store(tx)
			}
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.BindingCreated, Tenant: row.TenantID, Binding: row.ID,
			After: map[string]any{"provider": row.Provider, "wire": row.Wire, "api_url": row.ApiUrl, "org_id": row.OrgID}})
	})
	if isDuplicate(err) {
		return ErrBindingExists
	}
	if err != nil {
		return fmt.Errorf("store binding: %w", err)
	}
	return nil
}

// WaitingRuns counts a binding's runs that have not ended, and those that are held.
func WaitingRuns(ctx context.Context, db dbsqlc.DBTX, id uuid.UUID) (open, held int64, err error) {
	row, err := dbsqlc.New().SyncRunCountOpen(ctx, db, id)
	if err != nil {
		return 0, 0, fmt.Errorf("count open runs: %w", err)
	}
	return row.Open, row.Held, nil
}

// RevokeBinding ends a binding; its token is forgotten, its runs and xrefs stay.
// ErrBindingRevoked where that has been done.
func RevokeBinding(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	return pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		queries := dbsqlc.New()
		before, err := queries.BindingLock(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("lock binding: %w", err)
		}
		n, err := queries.BindingRevoke(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("revoke binding: %w", err)
		}
		if n == 0 {
			return ErrBindingRevoked
		}
		return audit.Write(ctx, tx, audit.Who(ctx), audit.Entry{Action: audit.BindingRevoked, Tenant: before.TenantID, Binding: id,
			Before: map[string]any{"status": before.Status}, After: map[string]any{"status": "revoked"}})
	})
}

// ChangeBinding sets the address and the organisation that are given, and
// releases the held runs: a mistake is mended without revoking the binding.
// ErrBindingRevoked.
func ChangeBinding(ctx context.Context, op *riverjobs.Operator, id uuid.UUID, apiURL, orgID *string) (released int, err error) {
	err = pgdb.InTx(ctx, op.Pool, func(tx pgx.Tx) error {
		before, err := dbsqlc.New().BindingLock(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("lock binding: %w", err)
		}
		n, err := dbsqlc.New().BindingSetAddress(ctx, tx, dbsqlc.BindingSetAddressParams{ID: id, ApiUrl: apiURL, OrgID: orgID})
		if err != nil {
			return fmt.Errorf("change binding: %w", err)
		}
		if n == 0 {
			return ErrBindingRevoked
		}
		var after dbsqlc.Binding
		if after, released, err = releaseBinding(ctx, tx, op, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, op.Who, audit.Entry{Action: audit.BindingChanged, Tenant: before.TenantID, Binding: id,
			Before: map[string]any{"api_url": before.ApiUrl, "org_id": before.OrgID}, After: map[string]any{"api_url": after.ApiUrl, "org_id": after.OrgID}})
	})
	return released, err
}

// SaveToken stores a sealed access token and releases the held runs.
// ErrBindingRevoked.
func SaveToken(ctx context.Context, op *riverjobs.Operator, id uuid.UUID, sealed []byte) (binding dbsqlc.Binding, released int, err error) {
	err = pgdb.InTx(ctx, op.Pool, func(tx pgx.Tx) error {
		n, err := dbsqlc.New().BindingSetToken(ctx, tx, dbsqlc.BindingSetTokenParams{ID: id, TokenSealed: sealed})
		if err != nil {
			return fmt.Errorf("store token: %w", err)
		}
		if n == 0 {
			return ErrBindingRevoked
		}
		if binding, released, err = releaseBinding(ctx, tx, op, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, op.Who, audit.Entry{Action: audit.TokenReplaced, Tenant: binding.TenantID, Binding: id})
	})
	return binding, released, err
}

// releaseBinding releases a binding's held runs, under its policy of now.
func releaseBinding(ctx context.Context, tx pgx.Tx, op *riverjobs.Operator, id uuid.UUID) (dbsqlc.Binding, int, error) {
	binding, err := dbsqlc.New().BindingGet(ctx, tx, id)
	if err != nil {
		return binding, 0, fmt.Errorf("read binding: %w", err)
	}
	released, err := op.ReleaseHeld(ctx, tx, id, binding.PolicyVersion)
	return binding, released, err
}
