package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/outbound"
	"towpath/pkg/provider/specs"
	"towpath/pkg/secret"
)

type bindingCommand struct {
	Create  bindingCreate  `cmd:"" help:"Bind a tenant to its account at a provider."`
	List    bindingList    `cmd:"" help:"List the bindings."`
	Status  bindingStatus  `cmd:"" help:"What waits for each live binding, how long that takes at most, the calls left, and settings that no longer fit."`
	Change  bindingChange  `cmd:"" help:"Change where a binding's provider answers, or its organisation; its held runs are released at once."`
	Token   bindingToken   `cmd:"" help:"Give a binding a new access token; its held runs are released at once."`
	Connect bindingConnect `cmd:"" help:"Connect a binding of an app: prints the consent URL, or connects at once where no consent is needed."`
	Refresh bindingRefresh `cmd:"" help:"Read the provider's accounts, tax rates and the like anew, and check the settings against them."`
	Revoke  bindingRevoke  `cmd:"" help:"End a binding; what was synced stays known."`
	Policy  policyCommand  `cmd:"" help:"A binding's settings."`
}

type bindingCreate struct {
	database
	printed
	Tenant   string `required:"" placeholder:"TENANT" help:"The tenant's id or name."`
	Provider string `required:"" enum:"${providers}" placeholder:"NAME" help:"xero or freeagent."`
	Wire     string `placeholder:"WIRE" help:"accounting (Xero's Accounting API, the default for xero) or v2 (the default for freeagent)."`
	APIURL   string `name:"api-url" placeholder:"URL" help:"Where the provider answers (default: the provider's own address)."`
	OrgID    string `name:"org-id" placeholder:"UUID" help:"The organisation: Xero's tenant id."`
	tokenFlags
	appFlags
}

// Help is shown below the flags by --help.
func (bindingCreate) Help() string {
	return `Where the provider refuses the token, or does not answer, the binding is made all the same, with a warning:
its status is needs_consent where it was refused. Give it another one by "binding token ID --token-file FILE".`
}

// bindingView is a binding as the commands print it.
type bindingView struct {
	ID            uuid.UUID  `json:"id"`
	TenantID      uuid.UUID  `json:"tenant_id"`
	Provider      string     `json:"provider"`
	Wire          string     `json:"wire"`
	Status        string     `json:"status"`
	APIURL        string     `json:"api_url"`
	OrgID         string     `json:"org_id"`
	PolicyVersion int32      `json:"policy_version"`
	ReferenceAt   *time.Time `json:"reference_at"`
	CreatedAt     time.Time  `json:"created_at"`
	RevokedAt     *time.Time `json:"revoked_at"`
}

func viewBinding(b dbsqlc.Binding) bindingView {
	return bindingView{ID: b.ID, TenantID: b.TenantID, Provider: b.Provider, Wire: b.Wire, Status: b.Status, APIURL: b.ApiUrl,
		OrgID: b.OrgID, PolicyVersion: b.PolicyVersion, ReferenceAt: b.ReferenceAt, CreatedAt: b.CreatedAt, RevokedAt: b.RevokedAt}
}

// printBinding prints it as it is now.
func printBinding(ctx context.Context, io console, pool *pgxpool.Pool, id uuid.UUID) error {
	binding, err := dbsqlc.New().BindingGet(ctx, pool, id)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	return printJSON(io.out, viewBinding(binding))
}

// Run stores the binding with the default policy, then asks the provider for
// its reference data; if that cannot be had now, the first run asks again.
func (c bindingCreate) Run(ctx context.Context, io console) error {
	if c.isApp() {
		return c.createApp(ctx, io)
	}
	row, _, err := c.row(io)
	if err != nil {
		return err
	}
	token, err := c.token(io)
	if err != nil {
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
	tenant, err := findTenant(ctx, pool, c.Tenant)
	if err != nil {
		return err
	}
	row.TenantID = tenant.ID
	row.TokenSealed = box.Seal([]byte(token), secret.Place(secret.BindingToken, row.ID.String()))
	if err := bindingStored(row, account.CreateBinding(ctx, pool, row)); err != nil {
		return err
	}
	binding, err := dbsqlc.New().BindingGet(ctx, pool, row.ID)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	if binding.OrgID == "" && specs.Wire(binding.Provider, binding.Wire).NamesOrganisation {
		io.warn("no --org-id: that is right for a custom connection only, any other token reaches no organisation without it")
	}
	readReference(ctx, io, pool, binding.ID)
	if c.JSON {
		return printBinding(ctx, io, pool, binding.ID)
	}
	fmt.Fprintf(io.out, "binding %s created (%s, wire %s)\n", binding.ID, binding.Provider, binding.Wire)
	fmt.Fprintf(io.out, "Now its settings: towpath binding policy set %s --file policy.json\n", binding.ID)
	return nil
}

// row checks what is said of the binding, apart from its tenant and its token or app.
func (c bindingCreate) row(io console) (dbsqlc.BindingInsertParams, outbound.Private, error) {
	private, err := io.allowPrivate()
	if err != nil {
		return dbsqlc.BindingInsertParams{}, private, err
	}
	row, err := account.NewBinding{Provider: c.Provider, Wire: c.Wire, APIURL: c.APIURL, OrgID: c.OrgID}.Row(private)
	return row, private, asFlag(err)
}

// asFlag names a refused field as the flag that it was given by.
func asFlag(err error) error {
	var field *account.FieldError
	if errors.As(err, &field) {
		return wrongUse("--%s%s", field.Field, field.Text)
	}
	return err
}

// tokenFlags is how a token is given.
type tokenFlags struct {
	Token     string `placeholder:"TOKEN" help:"A fixed access token; better by --token-file."`
	TokenFile string `placeholder:"FILE" help:"A file that holds the token, so that it stays out of the process list."`
}

func (c tokenFlags) token(io console) (string, error) {
	token, err := io.secretFlag("token", c.Token, c.TokenFile)
	if err == nil && token == "" {
		err = wrongUse("no access token: give it by --token-file for trying things out, or for good an app by --client-id and --client-secret-file")
	}
	return token, err
}

// bindingStored says what to do where a binding was not stored.
func bindingStored(row dbsqlc.BindingInsertParams, err error) error {
	switch {
	case errors.Is(err, account.ErrNoTenant):
		return fmt.Errorf("there is no tenant %s (see: towpath tenant list)", row.TenantID)
	case errors.Is(err, account.ErrBindingExists):
		return fmt.Errorf("tenant %s has a live %s binding already (see: towpath binding list); change that one (binding change, token, connect): while there is none, the shop keeps its events and sends them again, for about five days", row.TenantID, row.Provider)
	}
	return asFlag(err)
}

// ifRevoked says what to do where a binding is revoked.
func ifRevoked(id uuid.UUID, err error) error {
	if errors.Is(err, account.ErrBindingRevoked) {
		return fmt.Errorf("binding %s is revoked; create another (see: towpath binding create --help)", id)
	}
	return err
}

type bindingList struct {
	database
	printed
}

// Run prints the bindings, oldest first.
func (c bindingList) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	list, err := dbsqlc.New().BindingList(ctx, pool)
	if err != nil {
		return fmt.Errorf("list bindings: %w", err)
	}
	shops, err := shopNames(ctx, pool)
	if err != nil {
		return err
	}
	headings := []string{"id", "tenant", "provider", "wire", "status", "api_url", "org_id", "policy"}
	view := func(b dbsqlc.Binding) listedBinding { return listedBinding{viewBinding(b), shops[b.TenantID]} }
	return printList(io, c.JSON, list, view, headings, func(b dbsqlc.Binding) []string {
		return []string{b.ID.String(), shops[b.TenantID], b.Provider, b.Wire, b.Status, b.ApiUrl, b.OrgID, fmt.Sprint(b.PolicyVersion)}
	})
}

// listedBinding is a binding with the name of its shop.
type listedBinding struct {
	bindingView
	Tenant string `json:"tenant"`
}

// shopNames are the names of all shops, by tenant.
func shopNames(ctx context.Context, pool *pgxpool.Pool) (map[uuid.UUID]string, error) {
	tenants, err := dbsqlc.New().TenantList(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	names := make(map[uuid.UUID]string, len(tenants))
	for _, t := range tenants {
		names[t.ID] = t.Name
	}
	return names, nil
}

type bindingRevoke struct {
	database
	printed
	Yes bool   `help:"Do it without asking."`
	ID  string `arg:"" help:"The binding's id, or its shop's name."`
}

// ask says what a revocation ends, and wants a yes.
func (c bindingRevoke) ask(ctx context.Context, io console, pool *pgxpool.Pool, binding dbsqlc.Binding) error {
	if c.Yes || binding.Status == "revoked" {
		return nil
	}
	waiting, _, err := account.WaitingRuns(ctx, pool, binding.ID)
	if err != nil {
		return err
	}
	what := "the shop's new events would wait in its outbox until another binding is made. A wrong token, app, address or organisation is mended by binding token or binding change"
	if waiting > 0 {
		what = counted(int(waiting), "run") + " of this binding not done would be held (binding_revoked) for good, and " + what
	}
	return io.confirm(what, "Revoke it?", "not revoked")
}

// Run revokes the binding; its token is forgotten, its runs and xrefs stay.
func (c bindingRevoke) Run(ctx context.Context, io console) error {
	return withBinding(ctx, io, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		if err := c.ask(ctx, io, pool, binding); err != nil {
			return err
		}
		err := account.RevokeBinding(ctx, pool, binding.ID)
		if errors.Is(err, account.ErrBindingRevoked) {
			return fmt.Errorf("binding %s is revoked already", binding.ID)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printBinding(ctx, io, pool, binding.ID)
		}
		fmt.Fprintf(io.out, "binding %s revoked\n", binding.ID)
		return nil
	})
}

// withBinding opens the database and reads the binding.
func withBinding(ctx context.Context, io console, db database, name string, do func(*pgxpool.Pool, dbsqlc.Binding) error) error {
	pool, err := db.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	binding, err := findBinding(ctx, pool, name)
	if err != nil {
		return err
	}
	return do(pool, binding)
}
