package magento_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider"
	"towpath/pkg/secret"
)

func Test_Invoice_is_read_as_the_shop_says_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw, inv, err := b.client.Invoice(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "100000001", inv.IncrementID)
	require.Equal(t, "16.6583", inv.Lines[0].UnitPrice.String())
	require.Contains(t, string(raw), `"unit_price":16.6583`)
	require.Equal(t, []string{"invoice 200"}, b.observed)
}

func Test_Invoice_that_never_was_is_gone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, err := b.client.Invoice(t.Context(), 99)
	gone.saying("No such entity with entity_id = 99").check(t, "invoice", err)
}

func Test_Every_attempt_has_a_new_token(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 5 {
		_, _, err := b.client.Invoice(t.Context(), 1)
		require.NoError(t, err, "the shop refuses a used jti")
	}
}

func Test_PaymentMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	methods, err := b.client.PaymentMethods(t.Context())
	require.NoError(t, err)
	require.Contains(t, methods, magento.PaymentMethod{Code: "checkmo", Label: "Check / Money order", IsActive: true})

	b.shop.Inject(magentosim.RoutePaymentMethods, magentosim.Answers(404, says("Request does not match any route.")))
	methods, err = b.client.PaymentMethods(t.Context())
	require.NoError(t, err)
	require.Nil(t, methods, "an old module: unknown")

	b.shop.Inject(magentosim.RoutePaymentMethods, magentosim.Answers(200, "[]"))
	methods, err = b.client.PaymentMethods(t.Context())
	require.NoError(t, err)
	require.NotNil(t, methods, "none")
	require.Empty(t, methods)

	b.shop.Inject(magentosim.RoutePaymentMethods, magentosim.Maintenance(404))
	_, err = b.client.PaymentMethods(t.Context())
	temporary.check(t, "a proxy's 404", err)
}

func Test_Ping_tells_the_shops_time_in_every_form(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.SetClockOffset(-time.Minute)
	at, err := b.client.Ping(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(-time.Minute), at, 3*time.Second)

	want := time.Date(2026, 4, 29, 10, 11, 12, 0, time.UTC)
	for _, body := range []string{
		`{"ok":true,"tenant_id":"x","server_time":"2026-04-29T12:11:12+02:00"}`,
		`{"ok":true,"server_time":"2026-04-29 10:11:12"}`,
		`[true,"` + tenant + `","2026-04-29T10:11:12Z"]`,
	} {
		b.shop.Inject(magentosim.RoutePing, magentosim.Answers(200, body))
		at, err = b.client.Ping(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, at, body)
	}
	b.shop.Inject(magentosim.RoutePing, magentosim.Answers(200, `{"ok":true}`))
	at, err = b.client.Ping(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(-time.Minute), at, 3*time.Second, "from Date")
}

func Test_PushSyncState_arrives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.client.PushSyncState(t.Context(), synced()))
	chip := b.shop.Chip("invoice", 1)
	require.Equal(t, "synced", chip.Status)
	require.Equal(t, "0a0a", chip.ProviderEntityID)
	require.Equal(t, "INV-1", chip.ProviderReference)
	require.Empty(t, chip.SkipReason)
	require.Equal(t, time.Date(2026, 4, 29, 10, 11, 12, 0, time.UTC), chip.LastSyncAt)
}

func Test_PushSyncState_cuts_to_64_characters_on_a_rune(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := synced()
	s.Status, s.SkipReason, s.ErrorCode = magento.Failed, strings.Repeat("é", 65), strings.Repeat("x", 63)+"\xff…z"
	require.NoError(t, b.client.PushSyncState(t.Context(), s))
	chip := b.shop.Chip("invoice", 1)
	require.Equal(t, strings.Repeat("é", 64), chip.SkipReason)
	require.Equal(t, strings.Repeat("x", 63)+"�", chip.ErrorCode)
}

func Test_PushSyncState_takes_any_2xx_of_the_module(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, f := range []magentosim.Fault{
		magentosim.Answers(200, ""), magentosim.Answers(200, "[]"), magentosim.Answers(200, "null"),
		magentosim.Answers(200, "true"), magentosim.Answers(202, "{}"), {Status: 204},
	} {
		b.shop.Inject(magentosim.RouteSyncState, f)
		require.NoError(t, b.client.PushSyncState(t.Context(), synced()), f)
	}
}

func Test_PushSyncState_refuses_what_must_not_be_sent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, change := range map[string]func(*magento.SyncState){
		"no end state":   func(s *magento.SyncState) { s.Status = 0 },
		"no such state":  func(s *magento.SyncState) { s.Status = 4 },
		"no entity":      func(s *magento.SyncState) { s.EntityID = 0 },
		"unknown entity": func(s *magento.SyncState) { s.EntityType = "order" },
		"no provider":    func(s *magento.SyncState) { s.Provider = "" },
		"no time":        func(s *magento.SyncState) { s.LastSyncAt = time.Time{} },
	} {
		s := synced()
		change(&s)
		require.Equal(t, provider.Bug, failureOf(t, b.client.PushSyncState(t.Context(), s)).Kind, name)
	}
	require.Zero(t, b.shop.Calls(magentosim.RouteSyncState))
}

func Test_New_refuses_incomplete_settings(t *testing.T) {
	t.Parallel()
	good := magento.Config{BaseURL: "https://shop.example.com", TenantID: tenant, APIKey: apiKey, HTTP: loopback.Client}
	newClient(t, good)
	for name, change := range map[string]func(*magento.Config){
		"no url":    func(c *magento.Config) { c.BaseURL = "" },
		"bad url":   func(c *magento.Config) { c.BaseURL = "https://u:" + apiKey + "@shop.example.com" },
		"no tenant": func(c *magento.Config) { c.TenantID = "" },
		"no key":    func(c *magento.Config) { c.APIKey = "" },
		"no client": func(c *magento.Config) { c.HTTP = nil },
	} {
		cfg := good
		change(&cfg)
		_, err := magento.New(cfg)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), apiKey)
	}
}

func Test_Prints_hold_no_secret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pair := magento.PairRequest{Provider: "xero", Code: secret.NewString("SECRET"), LedgerBaseURL: "https://l.example"}
	for _, v := range []any{b.client, b.cfg, &b.cfg, pair, &pair} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, v)
			require.NotContains(t, text, apiKey)
			require.NotContains(t, text, "SECRET")
		}
	}
	raw, err := json.Marshal(pair)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "SECRET")
}

func Test_Operations_are_all_that_is_observed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, _ = b.client.Invoice(t.Context(), 1)
	_, _, _ = b.client.Payment(t.Context(), 1) // it is not paid
	_, _, _ = b.client.CreditMemo(t.Context(), 1)
	_, _, _ = b.client.Customer(t.Context(), 1)
	_, _, _ = b.client.Product(t.Context(), 1)
	_, _ = b.client.PaymentMethods(t.Context())
	_, _ = b.client.Ping(t.Context())
	_ = b.client.PushSyncState(t.Context(), synced())
	_ = b.client.Pair(t.Context(), magento.PairRequest{Provider: "xero", Code: secret.NewString("x"), LedgerBaseURL: "https://l.example"})
	require.Equal(t, []string{
		"invoice 200", "payment 404", "creditmemo 404", "customer 404", "product 404",
		"payment_methods 200", "ping 200", "sync_state 200", "pair 401",
	}, b.observed)
	require.Len(t, magento.Operations(), len(b.observed))
}
