package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
	"towpath/pkg/refdata"
)

// partnerTime is how long one shop or ledger may take for all that is asked of it.
const partnerTime = 30 * time.Second

const partners about = "partners"

// partners asks every shop, and the ledger of every live binding.
func (c Config) partners(ctx context.Context) []Finding {
	made, err := c.Clients()
	if err != nil {
		return []Finding{partners.blind("clients", err)}
	}
	queries := dbsqlc.New()
	tenants, err := queries.TenantList(ctx, c.Pool)
	if err != nil {
		return []Finding{partners.blind("tenants", err)}
	}
	rows, err := queries.CallBudgetList(ctx, c.Pool)
	if err != nil {
		return []Finding{partners.blind("bindings", err)}
	}
	if len(tenants) == 0 {
		return []Finding{partners.warn("tenants", "towpath tenant pair --help", "no shop is paired")}
	}
	backlogs := quota.Backlogs(rows)
	found := each(len(tenants), func(i int) []Finding {
		ctx, cancel := context.WithTimeout(ctx, partnerTime)
		defer cancel()
		return c.shop(ctx, made, tenants[i])
	})
	return append(found, each(len(backlogs), func(i int) []Finding {
		ctx, cancel := context.WithTimeout(ctx, partnerTime)
		defer cancel()
		return c.ledger(ctx, made, backlogs[i])
	})...)
}

// shop asks /ping, and the ways to pay that the shop offers.
func (c Config) shop(ctx context.Context, made clients.Factory, tenant dbsqlc.Tenant) []Finding {
	shop := about("shop " + tenant.Name)
	var found []Finding
	if inClear(tenant.MagentoUrl) {
		found = append(found, shop.warn("https", "towpath tenant change "+tenant.ID.String()+" --magento-url https://...", "%s is not https: its documents travel in clear", tenant.MagentoUrl))
	}
	if tenant.ConnectionStatus == "pending" {
		return append(found, shop.warn("paired", "towpath tenant pair --tenant "+tenant.ID.String(), "it waits to be paired"))
	}
	client, err := made.Magento(tenant)
	if err != nil {
		return append(found, shop.wrong("answers", "towpath tenant pair --tenant "+tenant.ID.String(), "%v", err))
	}
	asked := c.Now()
	theirs, err := client.Ping(ctx)
	if err != nil {
		return append(found, shop.wrong("answers", "see whether the shop is up, and its key the one it was paired with: towpath tenant pair --tenant "+tenant.ID.String(),
			"%s: %s", tenant.MagentoUrl, provider.AsFailure(err).Message))
	}
	found = append(found, shop.ok("answers", "%s takes our key", tenant.MagentoUrl))
	if !theirs.IsZero() {
		// Its time is in whole seconds; half of one is the error that is least.
		found = append(found, clock(shop, theirs.Add(time.Second/2).Sub(asked.Add(c.Now().Sub(asked)/2))))
	}
	methods, err := client.PaymentMethods(ctx)
	if err != nil {
		return append(found, shop.warn("payment_methods", "", "its ways to pay could not be asked for: %s", provider.AsFailure(err).Message))
	}
	return append(found, c.mapped(ctx, shop, tenant, methods)...)
}

// inClear is whether what is asked of an address can be read on the way.
func inClear(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// mapped compares the ways to pay with the settings of the shop's bindings: what is
// neither mapped nor has a default account will be held.
func (c Config) mapped(ctx context.Context, shop about, tenant dbsqlc.Tenant, methods []magento.PaymentMethod) []Finding {
	bindings, err := dbsqlc.New().BindingLiveByTenant(ctx, c.Pool, tenant.ID)
	if err != nil {
		return []Finding{shop.blind("payment_methods", err)}
	}
	var found []Finding
	for _, binding := range bindings {
		settings, err := settingsOf(ctx, c.Pool, binding.ID, binding.PolicyVersion)
		if err != nil {
			return []Finding{shop.blind("payment_methods", err)}
		}
		var missing []string
		for _, m := range methods {
			if _, known := settings.PaymentMethodMap[m.Code]; m.IsActive && !known && settings.DefaultBankAccountID == nil {
				missing = append(missing, m.Code)
			}
		}
		slices.Sort(missing)
		if len(missing) > 0 {
			found = append(found, shop.warn("payment_methods", "towpath binding policy edit "+binding.ID.String()+": payment_method_map (null: leave open) or default_bank_account_id",
				"payments by %s will be held: the settings say no account for them", strings.Join(missing, ", ")))
		}
	}
	if len(found) == 0 {
		return []Finding{shop.ok("payment_methods", "every way to pay has an account, or is left open on purpose")}
	}
	return found
}

func settingsOf(ctx context.Context, pool *pgxpool.Pool, binding uuid.UUID, version int32) (policy.Policy, error) {
	row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding, Version: version})
	if err != nil {
		return policy.Policy{}, fmt.Errorf("read settings of binding %s: %w", binding, err)
	}
	settings, _, err := policy.Parse(row.Policy)
	return settings, err
}

// ledger asks whether the ledger takes the binding's token and still has what its
// settings name, and looks at the calls that are left.
func (c Config) ledger(ctx context.Context, made clients.Factory, backlog quota.Backlog) []Finding {
	binding, err := dbsqlc.New().BindingGet(ctx, c.Pool, backlog.ID)
	ledger := about("binding " + backlog.ID.String())
	if err != nil {
		return []Finding{ledger.blind("answers", err)}
	}
	var found []Finding
	err = refdata.Try(ctx, c.Pool, binding, made)
	switch f := provider.AsFailure(err); {
	case err == nil:
		found = append(found, ledger.ok("answers", "%s takes the token; organisation %s", binding.Provider, binding.OrgID))
	case f.Kind == provider.Auth:
		found = append(found, ledger.wrong("answers", reconnect(binding), "%s", f.Message))
	case f.Kind == provider.RateLimited:
		found = append(found, ledger.warn("answers", "wait, and ask again", "not asked: %s", f.Message))
	default:
		found = append(found, ledger.wrong("answers", "see whether "+binding.ApiUrl+" is up", "%s", f.Message))
	}
	if binding.TokenSealed != nil {
		found = append(found, ledger.warn("token", "towpath binding change "+binding.ID.String()+" --client-id ID --client-secret-file FILE", "its token is a fixed one: nothing renews it when it expires"))
	}
	found = append(found, c.settings(ctx, ledger, binding)...)
	return append(found, calls(ledger, backlog))
}

// reconnect is the command that mends a connection which the ledger refuses.
func reconnect(binding dbsqlc.Binding) string {
	if binding.TokenSealed != nil {
		return "give it a new token: towpath binding token " + binding.ID.String() + " --token-file FILE"
	}
	return "towpath binding connect " + binding.ID.String()
}

func (c Config) settings(ctx context.Context, ledger about, binding dbsqlc.Binding) []Finding {
	faults, err := refdata.Faults(ctx, c.Pool, binding)
	if err != nil {
		return []Finding{ledger.blind("settings", err)}
	}
	var found []Finding
	for _, f := range faults {
		found = append(found, ledger.wrong("settings", "towpath binding policy edit "+binding.ID.String(), "%s: %s", f.Field, f.Message))
	}
	set, err := settingsOf(ctx, c.Pool, binding.ID, binding.PolicyVersion)
	switch {
	case err != nil:
		found = append(found, ledger.blind("settings", err))
	case binding.Wire == provider.WireAccounting && set.RevenueAccountCode == "":
		found = append(found, ledger.warn("settings", "towpath binding policy edit "+binding.ID.String(), "default_xero_revenue_account_code is not set: every document is held (missing_mapping) until it is"))
	}
	if len(found) == 0 {
		found = append(found, ledger.ok("settings", "the ledger has everything that they name"))
	}
	_, advice, err := account.Advice(ctx, c.Pool, binding)
	switch {
	case err != nil:
		found = append(found, ledger.blind("neighbours", err))
	case advice != "":
		found = append(found, ledger.warn("neighbours", "give each shop an invoice_number_prefix of its own", "%s", advice))
	}
	return found
}

// calls looks at the budget: a tenth of the day's calls left is little.
func calls(ledger about, b quota.Backlog) Finding {
	wait := time.Duration(b.Seconds * float64(time.Second)).Round(time.Minute)
	switch {
	case b.DayLeft != nil && *b.DayLeft == 0:
		return ledger.wrong("calls", "wait for the ledger's next day; what waits goes on by itself", "no call is left today; %d runs wait", b.ToFetch+b.ToPost)
	case b.DayLeft != nil && *b.DayLeft < b.CallsPerDay()/10:
		return ledger.warn("calls", "hold back backfills until the ledger's next day", "%d of %d calls are left today", *b.DayLeft, b.CallsPerDay())
	case wait > time.Hour:
		return ledger.warn("calls", "wait; what waits goes on by itself", "what waits takes up to %s by the ledger's limits", wait)
	}
	return ledger.ok("calls", "%d of %d calls of this minute are used; %d runs wait", b.CallsUsed, b.CallsPerMinute, b.ToFetch+b.ToPost)
}
