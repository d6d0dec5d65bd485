package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

type tenantChange struct {
	database
	printed
	Name       string `help:"What people call the shop."`
	MagentoURL string `name:"magento-url" placeholder:"URL" help:"The shop's base URL, without /rest."`
	ID         string `arg:"" help:"The tenant's id."`
}

// tenantChanged is the answer of tenant change.
type tenantChanged struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	MagentoURL string    `json:"magento_url"`
	Released   int       `json:"held_runs_released"`
}

// Run changes what is given, and lets the shop's held runs look again, in one
// transaction.
func (c tenantChange) Run(ctx context.Context, io console) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return wrongUse("%q is no tenant id; use a UUID (see: towpath tenant list)", c.ID)
	}
	if strings.TrimSpace(c.Name) == "" && c.MagentoURL == "" {
		return wrongUse("nothing to change: give --name or --magento-url")
	}
	private, err := io.allowPrivate()
	if err != nil {
		return err
	}
	if c.MagentoURL != "" {
		if err := checkShopURL(c.MagentoURL, private); err != nil {
			return err
		}
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
	changed := tenantChanged{ID: id}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		row, err := dbsqlc.New().TenantChange(ctx, tx, dbsqlc.TenantChangeParams{ID: id, Name: optional(strings.TrimSpace(c.Name)), MagentoUrl: optional(c.MagentoURL)})
		if isNoRow(err) {
			return fmt.Errorf("there is no tenant %s (see: towpath tenant list)", id)
		}
		if err != nil {
			return fmt.Errorf("change tenant: %w", err)
		}
		changed.Name, changed.MagentoURL = row.Name, row.MagentoUrl
		changed.Released, err = releaseTenant(ctx, tx, op, id)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, changed)
	}
	fmt.Fprintf(io.out, "tenant %s is %s at %s; held runs that look again: %d\n", id, changed.Name, changed.MagentoURL, changed.Released)
	return nil
}
