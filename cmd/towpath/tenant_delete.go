package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
)

type tenantDelete struct {
	database
	printed
	Yes bool   `help:"Do it without asking."`
	ID  string `arg:"" help:"The tenant's id or name."`
}

// Help says what is deleted, and what is not.
func (tenantDelete) Help() string {
	return `For a shop that was made by mistake: nothing it sent was ever accepted. Its bindings, their settings and tokens
go with it. A shop with runs is refused, since their history is kept; end its bindings by "binding revoke".`
}

// tenantDeleted is the answer of tenant delete.
type tenantDeleted struct {
	ID         uuid.UUID   `json:"id"`
	BindingIDs []uuid.UUID `json:"binding_ids"`
}

// Run says what goes, asks, and deletes.
func (c tenantDelete) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	tenant, err := findTenant(ctx, pool, c.ID)
	if err != nil {
		return err
	}
	if err := account.CheckUnused(ctx, pool, tenant.ID); err != nil {
		return ifUsed(tenant.ID, err)
	}
	bindings, err := dbsqlc.New().BindingByTenant(ctx, pool, tenant.ID)
	if err != nil {
		return fmt.Errorf("list bindings: %w", err)
	}
	if !c.Yes {
		what := fmt.Sprintf("tenant %s (%s at %s) and its key would be forgotten, with %s; what the shop sends from then on is refused",
			tenant.ID, tenant.Name, tenant.MagentoUrl, counted(len(bindings), "binding"))
		if err := io.confirm(what, "Delete it?", "not deleted"); err != nil {
			return err
		}
	}
	if err := account.DeleteTenant(ctx, pool, tenant.ID); err != nil {
		return ifNoTenant(tenant.ID, ifUsed(tenant.ID, err))
	}
	if c.JSON {
		return printJSON(io.out, tenantDeleted{ID: tenant.ID, BindingIDs: bindings})
	}
	fmt.Fprintf(io.out, "tenant %s deleted, with %s\n", tenant.ID, counted(len(bindings), "binding"))
	return nil
}

// ifUsed says where the runs are, and what ends a shop that has some.
func ifUsed(id uuid.UUID, err error) error {
	var used *account.InUseError
	if errors.As(err, &used) {
		return fmt.Errorf("tenant %s is not deleted: %w (see: towpath runs list --tenant %[1]s); what ends it: towpath binding revoke", id, used)
	}
	return err
}
