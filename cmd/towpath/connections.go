package main

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
	"towpath/pkg/provider/xero"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

// connections makes the clients of shops and ledgers out of their rows: the one
// place where a sealed secret is opened.
type connections struct {
	box     *secret.Box
	http    *http.Client // to providers
	shops   *http.Client
	now     func() time.Time
	metrics *metrics.Metrics // may be nil: a command counts nothing
	keeper  *oauth.Keeper    // of the tokens of apps; nil where no call is made
}

func newConnections(box *secret.Box, private outbound.Private, m *metrics.Metrics) connections {
	return connections{
		box: box, now: time.Now, metrics: m,
		// Fifty documents in one call take their time; longestCall of riverjobs is longer.
		http: outbound.New(outbound.Config{Private: private, HeaderTimeout: 35 * time.Second, Timeout: 40 * time.Second}),
		// A shop answers within a second; one that trickles must not keep a worker long.
		shops: outbound.New(outbound.Config{Private: private, HeaderTimeout: 12 * time.Second, Timeout: 15 * time.Second}),
	}
}

// shop makes the client of a tenant's shop.
func (c connections) shop(tenant dbsqlc.Tenant) (riverjobs.Shop, error) {
	key, err := c.box.Open(tenant.ApiKeySealed, secret.Place(secret.TenantAPIKey, tenant.ID.String()))
	if err != nil {
		return nil, fmt.Errorf("open the key of tenant %s: %w", tenant.ID, err)
	}
	cfg := magento.Config{BaseURL: tenant.MagentoUrl, TenantID: tenant.ID.String(), APIKey: string(key), HTTP: c.shops, Now: c.now}
	if c.metrics != nil {
		cfg.Observe = c.metrics.ShopRequest
	}
	return magento.New(cfg)
}

// ledger makes the client of a binding's provider; permit is asked before each call.
func (c connections) ledger(binding dbsqlc.Binding, permit provider.Permit) (riverjobs.Ledger, error) {
	observe := func(operation, code string, took time.Duration) {
		if c.metrics != nil {
			c.metrics.ProviderRequest(binding.Provider, operation, code, took)
		}
	}
	token := func(context.Context) (string, error) {
		raw, err := c.box.Open(binding.TokenSealed, secret.Place(secret.BindingToken, binding.ID.String()))
		if err != nil {
			return "", fmt.Errorf("open the token of binding %s: %w", binding.ID, err)
		}
		return string(raw), nil
	}
	client := c.http
	if binding.TokenSealed == nil && c.keeper != nil { // an app's, not a fixed one
		source := c.keeper.Source(binding.ID)
		token, client = source.Token, source.Client(c.http)
	}
	if binding.Wire == wireV2 {
		return freeagent.New(freeagent.Config{
			BaseURL: binding.ApiUrl, Token: token, HTTP: client, Now: c.now, Observe: observe, Permit: permit,
			// FreeAgent itself accepts a second contact with one e-mail.
			MatchContacts: binding.Provider == "freeagent",
		})
	}
	return xero.New(xero.Config{BaseURL: binding.ApiUrl, OrgID: binding.OrgID, Shop: binding.TenantID.String(), Token: token, HTTP: client, Now: c.now, Observe: observe, Permit: permit})
}
