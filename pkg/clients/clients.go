// Package clients makes the clients of shops and ledgers out of their rows. It is
// the one place where a sealed secret is opened, and the one that knows which
// provider folder speaks a wire.
package clients

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/metrics"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent"
	"towpath/pkg/provider/specs"
	"towpath/pkg/provider/xero"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

// Factory makes clients; New fills in what every process has alike.
type Factory struct {
	Box       *secret.Box
	Providers *http.Client
	Shops     *http.Client
	Metrics   *metrics.Metrics // nil: nothing is counted, as in a command
	Keeper    *oauth.Keeper    // of the tokens of apps; nil where no call is made
}

// New makes a factory; private says on which private addresses shops and providers
// may be.
func New(box *secret.Box, private outbound.Private, m *metrics.Metrics) Factory {
	return Factory{
		Box: box, Metrics: m,
		// Fifty documents in one call take their time; longestCall of riverjobs is longer.
		Providers: outbound.New(outbound.Config{Private: private, HeaderTimeout: 35 * time.Second, Timeout: 40 * time.Second}),
		// A shop answers within a second; one that trickles must not keep a worker long.
		Shops: outbound.New(outbound.Config{Private: private, HeaderTimeout: 12 * time.Second, Timeout: 15 * time.Second}),
	}
}

// NewKeeper makes the token manager of this factory's clients and has them use it;
// what it connects releases held runs.
func (f *Factory) NewKeeper(op *riverjobs.Operator, cfg oauth.Config) error {
	cfg.Pool, cfg.Box, cfg.HTTP, cfg.Release = op.Pool, f.Box, f.Providers, op.ReleaseHeld
	if f.Metrics != nil {
		cfg.Observe = f.Metrics.ProviderRequest
	}
	var err error
	f.Keeper, err = oauth.New(cfg)
	return err
}

// Shop makes the client of a tenant's shop, as the jobs know it.
func (f Factory) Shop(tenant dbsqlc.Tenant) (riverjobs.Shop, error) {
	shop, err := f.Magento(tenant)
	if err != nil {
		return nil, err // not a nil client in an interface
	}
	return shop, nil
}

// Magento makes the client of a tenant's shop.
func (f Factory) Magento(tenant dbsqlc.Tenant) (*magento.Client, error) {
	if len(tenant.ApiKeySealed) == 0 { // forgotten, since no key at hand opened it
		return nil, &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth,
			Message: "the key of this shop is lost; pair it again: towpath tenant pair --tenant " + tenant.ID.String()}
	}
	key, err := f.Box.Open(tenant.ApiKeySealed, secret.Place(secret.TenantAPIKey, tenant.ID.String()))
	if err != nil {
		return nil, fmt.Errorf("open the key of tenant %s: %w", tenant.ID, err)
	}
	cfg := magento.Config{BaseURL: tenant.MagentoUrl, TenantID: tenant.ID.String(), APIKey: string(key), HTTP: f.Shops, Now: time.Now}
	if f.Metrics != nil {
		cfg.Observe = f.Metrics.ShopRequest
	}
	return magento.New(cfg)
}

// Ledger makes the client of a binding's provider; permit is asked before each call.
func (f Factory) Ledger(binding dbsqlc.Binding, permit provider.Permit) (riverjobs.Ledger, error) {
	observe := func(operation, code string, took time.Duration) {
		if f.Metrics != nil {
			f.Metrics.ProviderRequest(binding.Provider, operation, code, took)
		}
	}
	token := func(context.Context) (string, error) {
		raw, err := f.Box.Open(binding.TokenSealed, secret.Place(secret.BindingToken, binding.ID.String()))
		if err != nil {
			return "", fmt.Errorf("open the token of binding %s: %w", binding.ID, err)
		}
		return string(raw), nil
	}
	client := f.Providers
	if binding.TokenSealed == nil && f.Keeper != nil { // an app's, not a fixed one
		source := f.Keeper.Source(binding.ID)
		token, client = source.Token, source.Client(f.Providers)
	}
	switch binding.Wire {
	case provider.WireV2:
		return freeagent.New(freeagent.Config{
			BaseURL: binding.ApiUrl, Token: token, HTTP: client, Now: time.Now, Observe: observe, Permit: permit,
			MatchContacts: specs.Wire(binding.Provider, binding.Wire).TwinContacts,
		})
	case provider.WireAccounting:
		return xero.New(xero.Config{BaseURL: binding.ApiUrl, OrgID: binding.OrgID, Shop: binding.TenantID.String(), Token: token,
			HTTP: client, Now: time.Now, Observe: observe, Permit: permit})
	}
	return nil, fmt.Errorf("make client of binding %s: nothing speaks wire %q", binding.ID, binding.Wire)
}
