package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/monitoring"
	"towpath/pkg/outbound"
	"towpath/pkg/secret"
)

type tenantPair struct {
	database
	printed
	MagentoURL string `required:"" name:"magento-url" placeholder:"URL" help:"The shop's base URL, without /rest."`
	Provider   string `required:"" enum:"${providers}" placeholder:"NAME" help:"Whose module made the code: xero or freeagent."`
	Code       string `placeholder:"CODE" help:"The pairing code from the shop's admin: good once, for 30 minutes ($$TOWPATH_PAIRING_CODE, $$TOWPATH_PAIRING_CODE_FILE)."`
	CodeFile   string `name:"code-file" placeholder:"FILE" help:"A file that holds it; - reads standard input."`
	Name       string `help:"What people call the shop (default: its host; a tenant that is paired again keeps its name)."`
	Tenant     string `placeholder:"TENANT" help:"The tenant to pair again, by its id or name, where the address does not tell which."`
	BaseURL    string `name:"base-url" placeholder:"URL" help:"Where the shop reaches this Towpath, as towpath serve has it ($$TOWPATH_BASE_URL)."`
}

// Help says what happens, in the order in which it does.
func (tenantPair) Help() string {
	return `Hands the shop a key of its own and the address of this Towpath, then asks the shop whether that works.
The key is stored before the shop gets it, so the command may be run again whatever happened. A shop that
is paired already gets a new key; its events are accepted all the while.`
}

// pairedView is the answer of tenant pair.
type pairedView struct {
	tenantView
	Again        bool     `json:"paired_again"`
	ConfirmedBy  string   `json:"confirmed_by"`       // answer, or ping where the answer was lost
	ClockSeconds *float64 `json:"clock_skew_seconds"` // the shop's clock minus ours
	Released     int      `json:"held_runs_released"`
	Warnings     []string `json:"warnings"`
}

// Run checks everything before the shop is asked.
func (c tenantPair) Run(ctx context.Context, io console) error {
	what, warnings, err := c.pairing(io)
	if err != nil {
		return err
	}
	private, err := io.allowPrivate()
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
	if c.Tenant != "" {
		tenant, err := findTenant(ctx, op.Pool, c.Tenant)
		if err != nil {
			return err
		}
		what.Tenant = tenant.ID
	}
	done, err := account.Pairer{Op: op, Box: box, Shops: clients.New(box, private, nil).Shops}.Pair(ctx, what)
	if err != nil {
		return c.notPaired(done, err)
	}
	warnings = append(append(warnings, done.Warnings()...), answers(ctx, what.BaseURL)...)
	return c.print(ctx, io, op.Pool, done, what.BaseURL, warnings)
}

// answers asks our own address from here, which is not where the shop is: no answer
// is worth a word, an answer proves little. The runbooks are what every process serves
// there; /livez may be elsewhere (TOWPATH_METRICS_LISTEN).
func answers(ctx context.Context, base string) []string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+monitoring.Path, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = outbound.New(outbound.Config{AllowPrivate: true}).Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New("it answers " + resp.Status)
		}
	}
	return []string{fmt.Sprintf("no Towpath answers at %s from here (%v); until one does, the shop keeps its events", base, err)}
}

// pairing reads flags and environment.
func (c tenantPair) pairing(io console) (what account.Pairing, warnings []string, err error) {
	what = account.Pairing{Name: c.Name, MagentoURL: c.MagentoURL, Provider: c.Provider}
	private, err := io.allowPrivate()
	if err != nil {
		return what, nil, err
	}
	if err := checkShopURL(c.MagentoURL, private); err != nil {
		return what, nil, err
	}
	if err := checkShopName(c.Name); err != nil {
		return what, nil, err
	}
	if what.BaseURL, err = io.settingOr(c.BaseURL, "TOWPATH_BASE_URL", ""); err != nil {
		return what, nil, err
	}
	what.BaseURL = strings.TrimRight(what.BaseURL, "/")
	if warnings, err = account.CheckBaseURL(what.BaseURL, c.MagentoURL); err != nil {
		return what, nil, wrongUse("TOWPATH_BASE_URL (--base-url): %w", err)
	}
	if what.BaseURL, err = checkBaseURL(what.BaseURL); err != nil { // serve would refuse its path
		return what, nil, err
	}
	what.Code, err = c.code(io)
	return what, warnings, err
}

// code is the pairing code. It is a credential, but the call that follows uses it
// up: unlike a lasting secret it may come by flag without a warning.
func (c tenantPair) code(console console) (secret.String, error) {
	var code string
	var err error
	switch {
	case c.Code != "" && c.CodeFile != "":
		err = wrongUse("--code and --code-file are both set; give one of them")
	case c.CodeFile == "-":
		var raw []byte
		raw, err = io.ReadAll(io.LimitReader(console.in, 4096))
		code = string(raw)
	case c.CodeFile != "":
		if code, err = console.secretFile(c.CodeFile); err != nil {
			err = fmt.Errorf("--code-file: %w", err)
		}
	default:
		code, err = console.settingOr(c.Code, "TOWPATH_PAIRING_CODE", "")
	}
	if code = strings.TrimSpace(code); err == nil && code == "" {
		err = wrongUse("no pairing code: make one in the shop's admin and give it by --code, --code-file or TOWPATH_PAIRING_CODE")
	}
	return secret.NewString(code), err
}

// notPaired adds to why a shop was not paired what that leaves.
func (c tenantPair) notPaired(done account.Paired, err error) error {
	var several *account.SeveralTenantsError
	var failed *magento.PairFailure
	switch {
	case errors.Is(err, account.ErrNoTenant):
		return fmt.Errorf("there is no tenant %s (see: towpath tenant list)", c.Tenant)
	case errors.As(err, &several):
		return wrongUse("%w; say by --tenant which one is paired", several)
	case !errors.As(err, &failed):
		return err
	case failed.Maybe && done.Again:
		return fmt.Errorf("maybe paired: %w\nUntil that is known, events are accepted with the key before and with the new one (tenant %s)", err, done.Tenant.ID)
	case failed.Maybe:
		return fmt.Errorf("maybe paired: %w\nThe tenant is %s; it waits to be paired, and the shop's first event would settle it", err, done.Tenant.ID)
	case done.Again:
		return fmt.Errorf("not paired: %w\nNothing has changed for tenant %s", err, done.Tenant.ID)
	}
	return fmt.Errorf("not paired: %w", err)
}

func (c tenantPair) print(ctx context.Context, io console, pool *pgxpool.Pool, done account.Paired, base string, warnings []string) error {
	for _, warning := range warnings {
		io.warn("%s", warning)
	}
	if c.JSON {
		view := pairedView{tenantView: viewTenant(done.Tenant), Again: done.Again, ConfirmedBy: "answer", Released: done.Released, Warnings: append([]string{}, warnings...)}
		if done.ByPing {
			view.ConfirmedBy = "ping"
		}
		if done.Clock != nil {
			seconds := done.Clock.Seconds()
			view.ClockSeconds = &seconds
		}
		return printJSON(io.out, view)
	}
	word := "paired"
	if done.Again {
		word = "paired again, with a new key"
	}
	fmt.Fprintf(io.out, "%s is %s: tenant %s\n", done.Tenant.MagentoUrl, word, done.Tenant.ID)
	if done.ByPing {
		fmt.Fprintln(io.out, "No answer said so; the shop knows the key, which shows it.")
	}
	if done.Clock != nil {
		fmt.Fprintf(io.out, "The shop answers our calls; its clock is %s.\n", account.ClockText(*done.Clock))
	}
	fmt.Fprintf(io.out, "Whether the shop reaches %s was not checked; raise an invoice and see: towpath runs list\n", base)
	return c.printNext(ctx, io, pool, done)
}

// printNext says what comes after pairing.
func (c tenantPair) printNext(ctx context.Context, io console, pool *pgxpool.Pool, done account.Paired) error {
	bindings, err := dbsqlc.New().BindingLiveByTenant(ctx, pool, done.Tenant.ID)
	if err != nil {
		return fmt.Errorf("find bindings: %w", err)
	}
	for _, b := range bindings {
		if b.Provider == c.Provider {
			fmt.Fprintf(io.out, "Its %s binding %s goes on; held runs released: %d\n", b.Provider, b.ID, done.Released)
			return nil
		}
	}
	fmt.Fprintf(io.out, "Next, bind it to its account; until then the shop keeps its events and sends them again:\n"+
		"  towpath binding create --tenant %s --provider %s --client-id ID --client-secret-file FILE\n", done.Tenant.ID, c.Provider)
	return nil
}
