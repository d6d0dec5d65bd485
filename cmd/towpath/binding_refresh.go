package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/refdata"
)

type bindingRefresh struct {
	database
	printed
	ID string `arg:"" help:"The binding's id, or its shop's name."`
}

// Run reads the provider's reference data now. Settings that refer to something
// that is gone are named, and the exit code is 1.
func (c bindingRefresh) Run(ctx context.Context, io console) error {
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		if _, err := io.sealing(ctx, pool); err != nil {
			return err
		}
		conns, err := io.clients(pool)
		if err != nil {
			return err
		}
		if err := refdata.Refresh(ctx, pool, binding, conns); err != nil {
			return err
		}
		if binding, err = dbsqlc.New().BindingGet(ctx, pool, binding.ID); err != nil {
			return fmt.Errorf("read binding: %w", err)
		}
		faults, err := refdata.Faults(ctx, pool, binding)
		if err != nil {
			return err
		}
		return c.print(io, refreshed{ID: binding.ID, ReferenceAt: binding.ReferenceAt, SettingsFaults: append([]policy.FieldError{}, faults...)})
	})
}

// refreshed is the answer of binding refresh.
type refreshed struct {
	ID             uuid.UUID           `json:"id"`
	ReferenceAt    *time.Time          `json:"reference_at"`
	SettingsFaults []policy.FieldError `json:"settings_faults"`
}

func (c bindingRefresh) print(io console, done refreshed) error {
	if c.JSON {
		if err := printJSON(io.out, done); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(io.out, "binding %s: reference data read\n", done.ID)
		printFaults(io, done.SettingsFaults)
	}
	if len(done.SettingsFaults) > 0 {
		return errSilent
	}
	return nil
}

func printFaults(io console, faults []policy.FieldError) {
	for _, f := range faults {
		fmt.Fprintf(io.err, "%s: %s: %s\n", f.Field, f.Code, f.Message)
	}
}
