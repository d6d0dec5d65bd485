package magentosim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/loopback"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/shopjwt"
)

const tenant = "7d3c1c3e-5f0a-4f5e-9d5e-0a6b1c2d3e4f"

var apiKey = strings.Repeat("0123456789abcdef", 4)

// stand is a shop under a clock that only the test moves.
type stand struct {
	shop *magentosim.Shop
	url  string
	now  time.Time
}

func setup(t *testing.T, cfg magentosim.Config) *stand {
	st := &stand{now: time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)}
	start := st.now
	cfg.Now = func() time.Time { return start }
	st.shop = magentosim.New(cfg)
	srv := httptest.NewServer(st.shop)
	t.Cleanup(srv.Close)
	st.url = srv.URL + "/rest/V1/byte8"
	return st
}

// pass moves the shop's clock.
func (st *stand) pass(d time.Duration) {
	st.now = st.now.Add(d)
	st.shop.SetClockOffset(st.now.Sub(time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)))
}

// call makes a request with the token given, none if empty.
func (st *stand) call(t *testing.T, method, path, token, body string) (int, string) {
	req, err := http.NewRequestWithContext(t.Context(), method, st.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

// token is one that the shop accepts now.
func (st *stand) token(t *testing.T) string {
	token, err := shopjwt.Mint(apiKey, tenant, st.now)
	require.NoError(t, err)
	return token
}

func Test_Token_is_good_once(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	status, _ := st.call(t, "GET", "/ping", st.token(t), "")
	require.Equal(t, 401, status, "not paired")
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")

	token := st.token(t)
	status, body := st.call(t, "GET", "/ping", token, "")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"ok":true,"tenant_id":"`+tenant+`","server_time":"2026-04-29T10:00:00Z"}`, body)
	status, body = st.call(t, "GET", "/ping", token, "")
	require.Equal(t, 401, status, "used")
	require.JSONEq(t, `{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Byte8_Client::api"}}`, body)

	for name, token := range map[string]string{"none": "", "nonsense": "x", "the other direction": shopToken(t, st.now)} {
		status, _ = st.call(t, "GET", "/ping", token, "")
		require.Equal(t, 401, status, name)
	}
	token = st.token(t)
	st.shop.SetClockOffset(-121 * time.Second)
	status, _ = st.call(t, "GET", "/ping", token, "")
	require.Equal(t, 401, status, "nbf one second ahead of the shop's clock")
	st.shop.SetClockOffset(-120 * time.Second)
	status, _ = st.call(t, "GET", "/ping", token, "")
	require.Equal(t, 200, status)
	st.shop.Disconnect()
	status, _ = st.call(t, "GET", "/ping", st.token(t), "")
	require.Equal(t, 401, status)
}

func shopToken(t *testing.T, now time.Time) string {
	token, err := shopjwt.MintShop(apiKey, tenant, now)
	require.NoError(t, err)
	return token
}

func Test_Pairing_code(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	pair := func(code, key, url string) int {
		body, err := json.Marshal(map[string]string{"pairing_code": code, "tenant_id": tenant, "byte8_api_key": key, "ledger_base_url": url})
		require.NoError(t, err)
		status, _ := st.call(t, "POST", "/xero_accounting/setup/pair", "", string(body))
		return status
	}
	const ledger = "https://ledger.example.com/"
	require.Equal(t, 401, pair("anything", apiKey, ledger), "none pending")
	first := st.shop.NewPairingCode()
	require.Regexp(t, `^[0-9a-f]{32}$`, first)
	code := st.shop.NewPairingCode()
	require.Equal(t, 401, pair(first, apiKey, ledger), "replaced by a newer one")
	require.Equal(t, 400, pair(code, " ", ledger))
	require.Equal(t, 400, pair(code, apiKey, "ledger.example.com"))
	st.pass(30*time.Minute + time.Second)
	require.Equal(t, 401, pair(code, apiKey, ledger), "expired")
	code = st.shop.NewPairingCode()
	st.pass(30 * time.Minute)
	require.Equal(t, 200, pair(code, apiKey, ledger))
	require.Equal(t, 401, pair(code, apiKey, ledger), "used")
	require.Equal(t, tenant, st.shop.TenantID())
	status, _ := st.call(t, "GET", "/ping", st.token(t), "")
	require.Equal(t, 200, status)
}

func Test_Raised_invoice_has_row_and_pending_chip_at_once(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	inv := st.shop.RaiseInvoice(magentosim.Cart{
		Customer: canon.Contact{MagentoID: 7, Email: "a@example.com"}, WebsiteID: 2, StoreID: 3,
		Items: []magentosim.Item{{SKU: "A", Price: dec("10"), Qty: dec("2"), TaxPercent: dec("20")}},
	})
	require.Equal(t, "pending", inv.Chip.Status)
	require.Equal(t, st.now, inv.Chip.ChangedAt)
	require.Equal(t, "24.00", inv.GrandTotal)
	require.Equal(t, "a@example.com", inv.Customer)
	require.Len(t, inv.Outbox, 1)
	row := inv.Outbox[0]
	require.Equal(t, "invoice.created:1", row.Key)
	require.Equal(t, magentosim.RowPending, row.Status)
	require.JSONEq(t, `{"magento_entity_id":1,"website_id":2,"store_id":3,"occurred_at":"2026-04-29T10:00:00Z",
		"payload":{"increment_id":"100000001","paid":false}}`, string(row.Body))

	status, body := st.call(t, "GET", "/invoice/1", st.token(t), "")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"grand_total":24`)
	status, body = st.call(t, "GET", "/customer/7", st.token(t), "")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"email":"a@example.com"`)
	for path, want := range map[string]int{"/invoice/2": 404, "/invoice/x": 400, "/customer/0": 404, "/payment/1": 404, "/nothing": 404} {
		status, body = st.call(t, "GET", path, st.token(t), "")
		require.Equal(t, want, status, path)
		require.Contains(t, body, `{"message":`, path)
	}
}

func Test_Paid_invoices(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	open := st.shop.RaiseInvoice(magentosim.Cart{PaymentMethod: "checkmo"})
	require.NoError(t, st.shop.MarkPaid(open.ID))
	require.Error(t, st.shop.MarkPaid(open.ID), "once")
	paid := st.shop.RaiseInvoice(magentosim.Cart{State: canon.StatePaid})
	for _, id := range []int64{open.ID, paid.ID} {
		view, found := st.shop.Invoice(id)
		require.True(t, found)
		require.Equal(t, "paid", view.State)
		require.Len(t, view.Outbox, 2)
		require.Equal(t, "invoice.paid", view.Outbox[1].Event)
	}
	_, body := st.call(t, "GET", "/invoice/1", st.token(t), "")
	require.Contains(t, body, `"state":"paid"`)
	status, body := st.call(t, "GET", "/payment/1", st.token(t), "")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"method":"checkmo"`)
	require.Equal(t, []int64{2, 1}, []int64{st.shop.Invoices()[0].ID, st.shop.Invoices()[1].ID}, "newest first")
}

func Test_Canonical_samples_are_raised_unchanged_but_for_numbers(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{Events: []string{"invoice.created"}})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	for _, sample := range canontest.Samples(t) {
		inv, err := st.shop.RaiseCanonical(sample.Raw)
		require.NoError(t, err)
		_, body := st.call(t, "GET", "/invoice/"+jsonText(t, inv.ID), st.token(t), "")
		got, err := canon.DecodeInvoice([]byte(body))
		require.NoError(t, err)
		require.EqualValues(t, inv.ID, got.MagentoID)
		require.Equal(t, inv.IncrementID, got.IncrementID)
		want := sample.Invoice
		want.MagentoID, want.IncrementID = got.MagentoID, got.IncrementID
		require.Equal(t, string(magentosim.CanonicalJSON(want)), string(magentosim.CanonicalJSON(got)), sample.Name)
	}
	require.Len(t, st.shop.Outbox(), 17, "only the events asked for")

	sample := canontest.Named(t, "plain_vat")
	exact, err := st.shop.RaiseExact(sample.Raw)
	require.NoError(t, err)
	_, body := st.call(t, "GET", "/invoice/"+jsonText(t, exact.ID), st.token(t), "")
	require.Equal(t, string(sample.Raw), body, "byte for byte")
	_, err = st.shop.RaiseExact(sample.Raw)
	require.Error(t, err, "taken")
	require.Equal(t, exact.ID+1, st.shop.RaiseInvoice(magentosim.Cart{}).ID)
	_, err = st.shop.RaiseCanonical([]byte(`[]`))
	require.Error(t, err)
}

func jsonText(t *testing.T, v any) string {
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

func Test_SyncState_is_strict(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	push := func(change map[string]any) (int, string) {
		body := map[string]any{
			"entity_type": "invoice", "magento_entity_id": 42, "provider": "xero", "sync_status": "synced",
			"provider_entity_id": "guid", "provider_reference": nil, "skip_reason": nil, "error_code": nil, "last_sync_at": "2026-04-29T10:11:12Z",
		}
		for name, value := range change {
			body[name] = value
		}
		return st.call(t, "POST", "/sync-state", st.token(t), jsonText(t, body))
	}
	for _, change := range []map[string]any{
		{"sync_status": "pending"},
		{"sync_status": "done"},
		{"entity_type": "order"},
		{"magento_entity_id": 0},
		{"magento_entity_id": -1},
		{"magento_entity_id": "x"},
		{"provider": "quickbooks"},
		{"provider_entity_id": strings.Repeat("a", 65)},
		{"provider_reference": strings.Repeat("a", 65)},
		{"skip_reason": strings.Repeat("é", 65)},
		{"error_code": strings.Repeat("a", 65)},
		{"last_sync_at": "yesterday"},
		{"last_sync_at": nil},
	} {
		status, body := push(change)
		require.Equal(t, 400, status, "%v: %s", change, body)
	}
	require.Empty(t, st.shop.Told("invoice", 42))

	status, body := push(map[string]any{"sync_status": "failed", "error_code": strings.Repeat("é", 64), "provider_entity_id": nil})
	require.Equal(t, 200, status)
	require.Equal(t, "[]", body)
	st.pass(time.Second)
	status, _ = push(nil)
	require.Equal(t, 200, status)
	told := st.shop.Told("invoice", 42)
	require.Equal(t, []string{"failed", "synced"}, []string{told[0].Status, told[1].Status})
	require.Equal(t, st.now, told[1].At)
	require.Equal(t, "synced", st.shop.Chip("invoice", 42).Status, "the last one wins")
	status, _ = push(map[string]any{"provider": "freeagent", "sync_status": "skipped"})
	require.Equal(t, 200, status)
	require.Equal(t, "synced", st.shop.Chip("invoice", 42).Status, "another provider's chip is another chip")
}

func Test_WaitChip_wakes_when_told(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	inv := st.shop.RaiseInvoice(magentosim.Cart{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := st.shop.WaitChip(cancelled, inv.ID)
	require.ErrorIs(t, err, context.Canceled)

	type result struct {
		chip magentosim.Chip
		err  error
	}
	woken := make(chan result, 1)
	go func() {
		chip, err := st.shop.WaitChip(t.Context(), inv.ID)
		woken <- result{chip, err}
	}()
	status, _ := st.call(t, "POST", "/sync-state", st.token(t), `{"entity_type":"invoice","magento_entity_id":1,"provider":"xero",
		"sync_status":"skipped","skip_reason":"zero_value_invoice","last_sync_at":"2026-04-29T10:11:12Z"}`)
	require.Equal(t, 200, status)
	got := <-woken
	require.NoError(t, got.err)
	require.Equal(t, "zero_value_invoice", got.chip.SkipReason)
}

func Test_Production_demands_https(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{Production: true})
	status, body := st.call(t, "GET", "/ping", "x", "")
	require.Equal(t, 401, status)
	require.Contains(t, body, "isn't authorized", "it does not say why")
	code := st.shop.NewPairingCode()
	status, _ = st.call(t, "POST", "/xero_accounting/setup/pair", "",
		`{"pairing_code":"`+code+`","tenant_id":"`+tenant+`","byte8_api_key":"k","ledger_base_url":"https://l.example"}`)
	require.Equal(t, 401, status)
	require.Empty(t, st.shop.TenantID())
}

func Test_A_shop_without_the_module_has_no_such_route(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{NoModule: true})
	status, body := st.call(t, "POST", "/xero_accounting/setup/pair", "", "{}")
	require.Equal(t, 404, status)
	require.JSONEq(t, `{"message":"Request does not match any route."}`, body)
}

func Test_Other_documents_are_put_and_served(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	for _, kind := range []string{"creditmemo", "customer", "product"} {
		st.shop.Put(kind, 5, []byte(`{"magento_id":5,"price":1.50}`))
		status, body := st.call(t, "GET", "/"+kind+"/5", st.token(t), "")
		require.Equal(t, 200, status)
		require.Equal(t, `{"magento_id":5,"price":1.50}`, body)
	}
	require.True(t, st.shop.Enqueue("creditmemo.created", 5, []any{}))
	require.False(t, st.shop.Enqueue("creditmemo.created", 5, []any{}), "the key is in the outbox")
	require.Equal(t, "pending", st.shop.Chip("creditmemo", 5).Status)
	require.True(t, bytes.Contains(st.shop.Outbox()[0].Body, []byte(`"payload":[]`)))
}
