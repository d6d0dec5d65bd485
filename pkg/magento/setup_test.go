package magento_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
)

const tenant = "7d3c1c3e-5f0a-4f5e-9d5e-0a6b1c2d3e4f"

var apiKey = strings.Repeat("0123456789abcdef", 4)

// bundle is a shop, paired and with invoice 1, and a client of it.
type bundle struct {
	shop   *magentosim.Shop
	client *magento.Client
	cfg    magento.Config

	mu       sync.Mutex
	observed []string
}

func setup(t *testing.T) *bundle {
	now := time.Now().Truncate(time.Second) // one clock that stands still, for both sides
	clock := func() time.Time { return now }
	b := &bundle{shop: magentosim.New(magentosim.Config{Now: clock})}
	srv := httptest.NewServer(b.shop)
	t.Cleanup(srv.Close)
	b.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	b.shop.RaiseInvoice(magentosim.Cart{
		PaymentMethod: "checkmo",
		Items:         []magentosim.Item{{SKU: "A", Name: "Rope", Price: decimal.RequireFromString("16.6583"), Qty: decimal.NewFromInt(3), TaxPercent: decimal.NewFromInt(20)}},
	})
	b.cfg = magento.Config{
		BaseURL: srv.URL + "/", TenantID: tenant, APIKey: apiKey, Now: clock,
		HTTP: outbound.New(outbound.Config{AllowPrivate: true, HeaderTimeout: 5 * time.Second}),
		Observe: func(operation, code string, elapsed time.Duration) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.observed = append(b.observed, operation+" "+code)
		},
	}
	b.client = newClient(t, b.cfg)
	return b
}

// fresh is a client without kept connections: on those, net/http repeats a GET
// by itself, and a fault would not show.
func (b *bundle) fresh(t *testing.T) *magento.Client {
	cfg := b.cfg
	cfg.HTTP = outbound.New(outbound.Config{AllowPrivate: true, HeaderTimeout: 5 * time.Second})
	return newClient(t, cfg)
}

func newClient(t *testing.T, cfg magento.Config) *magento.Client {
	client, err := magento.New(cfg)
	require.NoError(t, err)
	return client
}

// synced is a sync state of invoice 1.
func synced() magento.SyncState {
	return magento.SyncState{
		EntityType: magento.EntityInvoice, EntityID: 1, Provider: "xero", Status: magento.Synced,
		ProviderEntityID: "0a0a", ProviderReference: "INV-1", LastSyncAt: time.Date(2026, 4, 29, 10, 11, 12, 999, time.UTC),
	}
}

// failureOf demands that err is a Failure and holds no secret.
func failureOf(t *testing.T, err error) *provider.Failure {
	var f *provider.Failure
	require.ErrorAs(t, err, &f)
	require.NotContains(t, err.Error(), apiKey)
	require.NotContains(t, err.Error(), "Bearer")
	require.NotContains(t, err.Error(), "eyJ")
	require.NotEmpty(t, f.Code)
	require.NotEmpty(t, f.Message)
	return f
}
