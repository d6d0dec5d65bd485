package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/outbound"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

type tenantCommand struct {
	Pair   tenantPair   `cmd:"" help:"Pair a shop by the code that its admin made: the way a real shop is connected. Again: a new key for it."`
	Create tenantCreate `cmd:"" help:"Add a shop whose key is put into it by hand; the published modules take one from tenant pair only."`
	List   tenantList   `cmd:"" help:"List the shops."`
	Change tenantChange `cmd:"" help:"Change a shop's name or address; its held runs are released at once."`
	Delete tenantDelete `cmd:"" help:"Delete a shop of which nothing was ever accepted; one with runs is refused."`

	RotateKey tenantRotateKey `cmd:"" name:"rotate-key" help:"Give a shop another key; its held runs are released at once."`
}

type tenantCreate struct {
	database
	printed
	Name       string `required:"" help:"What people call the shop."`
	MagentoURL string `required:"" name:"magento-url" placeholder:"URL" help:"The shop's base URL, without /rest."`
	ID         string `name:"id" placeholder:"UUID" help:"The tenant's id, where the shop has one already (default: a new one)."`
	Force      bool   `help:"Also where there is a shop of this name and address."`
	apiKeyFlags
}

var apiKeyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// tenantView is a tenant as the commands print it.
type tenantView struct {
	ID               uuid.UUID `json:"id"`
	Name             string    `json:"name"`
	MagentoURL       string    `json:"magento_url"`
	ConnectionStatus string    `json:"connection_status"`
	CreatedAt        time.Time `json:"created_at"`
	APIKey           string    `json:"api_key,omitempty"` // only when it was made here
}

func viewTenant(t dbsqlc.Tenant) tenantView {
	return tenantView{ID: t.ID, Name: t.Name, MagentoURL: t.MagentoUrl, ConnectionStatus: t.ConnectionStatus, CreatedAt: t.CreatedAt}
}

// Run checks everything before it stores anything.
func (c tenantCreate) Run(ctx context.Context, io console) error {
	if err := checkShopName(c.Name); err != nil {
		return err
	}
	if strings.TrimSpace(c.Name) == "" {
		return wrongUse("--name is empty; give the name that people know the shop by")
	}
	id, err := c.id()
	if err != nil {
		return err
	}
	key, made, err := c.key(io)
	if err != nil {
		return err
	}
	private, err := io.allowPrivate()
	if err != nil {
		return err
	}
	if err := checkShopURL(c.MagentoURL, private); err != nil {
		return err
	}
	if _, err := io.box(); err != nil { // before the database is asked
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	box, err := io.sealing(ctx, pool)
	if err != nil {
		return err
	}
	if err := c.checkTwins(ctx, io, pool, id); err != nil {
		return err
	}
	tenant, err := account.CreateTenant(ctx, pool, box, account.Tenant{
		ID: id, Name: c.Name, MagentoURL: c.MagentoURL, APIKey: secret.NewString(key), Connected: true,
	})
	if errors.Is(err, account.ErrTenantExists) {
		return fmt.Errorf("tenant %s exists already", id)
	}
	if err != nil {
		return err
	}
	view := viewTenant(tenant)
	if made {
		view.APIKey = key
	}
	return c.print(io, view)
}

// checkTwins refuses a shop that is there already, and says whom it might be taken for.
func (c tenantCreate) checkTwins(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) error {
	both, similar, err := account.Twins(ctx, pool, id, c.Name, c.MagentoURL)
	if err != nil {
		return err
	}
	if len(both) > 0 && !c.Force {
		return fmt.Errorf("tenant %s has this name and address already (%s at %s); for a second one, say --force", both[0].ID, both[0].Name, both[0].MagentoUrl)
	}
	for _, t := range append(both, similar...) {
		io.warn("tenant %s is %s at %s; where names or addresses are alike, commands want the id", t.ID, t.Name, t.MagentoUrl)
	}
	return nil
}

// checkShopName checks a shop's name.
func checkShopName(name string) error {
	if err := account.CheckShopName(name); err != nil {
		return wrongUse("--name: %w", err)
	}
	return nil
}

// checkShopURL checks a shop's base URL.
func checkShopURL(raw string, private outbound.Private) error {
	if err := account.CheckShopURL(raw, private); err != nil {
		return wrongUse("--magento-url: %w", err)
	}
	return nil
}

func (c tenantCreate) print(io console, view tenantView) error {
	if c.JSON {
		return printJSON(io.out, view)
	}
	fmt.Fprintf(io.out, "tenant %s created\n", view.ID)
	if view.APIKey != "" {
		fmt.Fprintf(io.out, "api_key %s\nIt is not shown again: give it to the shop now.\n", view.APIKey)
	}
	return nil
}

func (c tenantCreate) id() (uuid.UUID, error) {
	if c.ID == "" {
		return uuid.New(), nil
	}
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return id, wrongUse("--id is %q; use a UUID, or leave it out to have one made", c.ID)
	}
	return id, nil
}

// apiKeyFlags is how a shop's key is given.
type apiKeyFlags struct {
	APIKey     string `name:"api-key" placeholder:"KEY" help:"The master key that the shop has, 64 hex characters (default: a new one, printed once); better by --api-key-file."`
	APIKeyFile string `name:"api-key-file" placeholder:"FILE" help:"A file that holds it, so that it stays out of the process list."`
}

// key is the shop's, or a new one where none is given.
func (f apiKeyFlags) key(io console) (key string, made bool, err error) {
	key, err = io.secretFlag("api-key", f.APIKey, f.APIKeyFile)
	switch {
	case err != nil:
		return "", false, err
	case key == "":
		return shopjwt.NewAPIKey(), true, nil
	case !apiKeyForm.MatchString(key):
		return "", false, wrongUse("--api-key (or what --api-key-file holds) must be 64 lower-case hex characters (256 random bits); leave it out to have one made")
	}
	return key, false, nil
}

type tenantList struct {
	database
	printed
}

// Run prints the tenants, oldest first.
func (c tenantList) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	tenants, err := dbsqlc.New().TenantList(ctx, pool)
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	return printList(io, c.JSON, tenants, viewTenant, []string{"id", "name", "magento_url", "connection_status", "created_at"}, func(t dbsqlc.Tenant) []string {
		return []string{t.ID.String(), t.Name, t.MagentoUrl, t.ConnectionStatus, t.CreatedAt.Format(time.RFC3339)}
	})
}
