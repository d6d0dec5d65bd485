package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"towpath/pkg/account"
)

type tenantChange struct {
	database
	printed
	Name       string `help:"What people call the shop."`
	MagentoURL string `name:"magento-url" placeholder:"URL" help:"The shop's base URL, without /rest."`
	ID         string `arg:"" help:"The tenant's id or name."`
}

// tenantChanged is the answer of tenant change.
type tenantChanged struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	MagentoURL string    `json:"magento_url"`
	Released   int       `json:"held_runs_released"`
}

// Run changes what is given, and releases the shop's held runs.
func (c tenantChange) Run(ctx context.Context, io console) error {
	if strings.TrimSpace(c.Name) == "" && c.MagentoURL == "" {
		return wrongUse("nothing to change: give --name or --magento-url")
	}
	if err := checkShopName(c.Name); err != nil {
		return err
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
	op, err := c.operator(ctx, io)
	if err != nil {
		return err
	}
	defer op.Pool.Close()
	found, err := findTenant(ctx, op.Pool, c.ID)
	if err != nil {
		return err
	}
	id := found.ID
	tenant, released, err := account.ChangeTenant(ctx, op, id, optional(strings.TrimSpace(c.Name)), optional(c.MagentoURL))
	if err != nil {
		return ifNoTenant(id, err)
	}
	changed := tenantChanged{ID: id, Name: tenant.Name, MagentoURL: tenant.MagentoUrl, Released: released}
	if c.JSON {
		return printJSON(io.out, changed)
	}
	fmt.Fprintf(io.out, "tenant %s is %s at %s; held runs released: %d\n", id, changed.Name, changed.MagentoURL, changed.Released)
	return nil
}

// ifNoTenant says where the tenants are to be found.
func ifNoTenant(id uuid.UUID, err error) error {
	if errors.Is(err, account.ErrNoTenant) {
		return fmt.Errorf("there is no tenant %s (see: towpath tenant list)", id)
	}
	return err
}
