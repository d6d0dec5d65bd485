package magento_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
)

// want is a row of the table: what a shop's behaviour means.
type want struct {
	kind   provider.Kind
	code   string
	reason string
	text   string // in the error's text
	wait   time.Duration
}

var (
	temporary = want{kind: provider.Temporary, code: "http"}
	auth      = want{kind: provider.Auth, code: "auth"}
	gone      = want{kind: provider.Gone, code: "not_found"}
	refused   = want{kind: provider.Refused, code: "validation"}
	limited   = want{kind: provider.RateLimited, code: "rate_limited"}
)

func held(reason string) want {
	return want{kind: provider.Held, code: "http", reason: reason}
}

func (w want) saying(text string) want            { w.text = text; return w }
func (w want) after(wait time.Duration) want      { w.wait = wait; return w }
func says(message string) string                  { return fmt.Sprintf(`{"message":%q}`, message) }
func header(name, value string) map[string]string { return map[string]string{name: value} }

// The table: every behaviour of a shop, and what each call makes of it. A
// behaviour with two faults is for the call and its repeat after a 401.
func Test_Every_behaviour_of_a_shop_has_its_kind_of_failure(t *testing.T) {
	t.Parallel()
	answers, drops, page := magentosim.Answers, magentosim.Drops, magentosim.Maintenance
	json404 := `{"message":"No such entity with %fieldName = %fieldValue","parameters":{"fieldName":"entity_id","fieldValue":42}}`
	for name, c := range map[string]struct {
		faults []magentosim.Fault
		want   want
	}{
		"closed before the answer":   {[]magentosim.Fault{drops(magentosim.CutClose)}, temporary},
		"reset before the answer":    {[]magentosim.Fault{drops(magentosim.CutReset)}, temporary},
		"half-written answer":        {[]magentosim.Fault{drops(magentosim.CutHalf)}, temporary},
		"half-written, took effect":  {[]magentosim.Fault{drops(magentosim.CutHalf).AfterEffect()}, temporary},
		"lost after taking effect":   {[]magentosim.Fault{drops(magentosim.CutClose).AfterEffect()}, temporary},
		"500 after taking effect":    {[]magentosim.Fault{answers(500, says("Internal Error.")).AfterEffect()}, temporary.saying("Internal Error.")},
		"500":                        {[]magentosim.Fault{answers(500, says("Internal Error. Details are available in %1"))}, temporary},
		"502 without body":           {[]magentosim.Fault{answers(502, "")}, temporary.saying("502")},
		"503 maintenance":            {[]magentosim.Fault{page(503)}, temporary.saying("“503 Service Temporarily Unavailable”")},
		"503 with Retry-After":       {[]magentosim.Fault{{Status: 503, Header: header("Retry-After", "7")}}, temporary.after(7 * time.Second)},
		"503 with an absurd wait":    {[]magentosim.Fault{{Status: 503, Header: header("Retry-After", "99999999")}}, temporary.after(24 * time.Hour)},
		"503 with a nonsense wait":   {[]magentosim.Fault{{Status: 503, Header: header("Retry-After", "-5")}}, temporary},
		"200 maintenance":            {[]magentosim.Fault{page(200)}, temporary},
		"429":                        {[]magentosim.Fault{answers(429, says("Too many"))}, limited.saying("Too many")},
		"429 with Retry-After":       {[]magentosim.Fault{{Status: 429, Header: header("Retry-After", "61")}}, limited.after(61 * time.Second)},
		"401 twice":                  {[]magentosim.Fault{magentosim.Unauthorized(), magentosim.Unauthorized()}, auth.saying("isn't authorized to access Byte8_Client::api")},
		"401 then 500":               {[]magentosim.Fault{magentosim.Unauthorized(), answers(500, "")}, temporary},
		"401 of a web server, twice": {[]magentosim.Fault{page(401), page(401)}, auth.saying("web server or firewall")},
		"403":                        {[]magentosim.Fault{answers(403, says("Forbidden"))}, auth},
		"403 of a firewall":          {[]magentosim.Fault{page(403)}, auth.saying("firewall")},
		"404":                        {[]magentosim.Fault{answers(404, json404)}, gone.saying("No such entity with entity_id = 42")},
		"404 of a proxy":             {[]magentosim.Fault{page(404)}, temporary.saying("404")},
		"404 without body":           {[]magentosim.Fault{answers(404, "")}, temporary},
		"404 for the whole module":   {[]magentosim.Fault{answers(404, says("Request does not match any route."))}, held(magento.ReasonModuleMissing)},
		"400":                        {[]magentosim.Fault{answers(400, `{"message":"Invalid %1 of %2","parameters":["id","42"]}`)}, refused.saying("Invalid id of 42")},
		"400 of a proxy":             {[]magentosim.Fault{page(400)}, temporary},
		"400 for plain http":         {[]magentosim.Fault{answers(400, says("Operation allowed only in HTTPS"))}, held(magento.ReasonHTTPSRequired)},
		"408":                        {[]magentosim.Fault{answers(408, says("x"))}, temporary},
		"413 in JSON":                {[]magentosim.Fault{answers(413, says("Too large"))}, refused.saying("Too large")},
		"422 in half a JSON":         {[]magentosim.Fault{answers(422, `{"message":`)}, temporary},
		"302 to another host":        {[]magentosim.Fault{{Status: 302, Header: header("Location", "https://www.shop.example/x?secret=1")}}, temporary.saying("redirects to https://www.shop.example;")},
		"301 without location":       {[]magentosim.Fault{{Status: 301}}, temporary.saying("an unknown place")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.shop.Inject(magentosim.RouteInvoice, c.faults...)
			_, _, err := b.fresh(t).Invoice(t.Context(), 1)
			c.want.check(t, "invoice", err)
			_, _, err = b.fresh(t).Invoice(t.Context(), 1)
			require.NoError(t, err, "the next attempt")

			b.shop.Inject(magentosim.RouteSyncState, c.faults...)
			c.want.check(t, "sync state", b.client.PushSyncState(t.Context(), synced()))
			require.NoError(t, b.client.PushSyncState(t.Context(), synced()), "sent again")

			b.shop.Inject(magentosim.RoutePing, c.faults...)
			_, err = b.fresh(t).Ping(t.Context())
			c.want.check(t, "ping", err)
		})
	}
}

func (w want) check(t *testing.T, call string, err error) {
	f := failureOf(t, err)
	require.Equal(t, w.kind, f.Kind, "%s: %v", call, err)
	require.Equal(t, w.code, f.Code, call)
	require.Equal(t, w.reason, f.Reason, call)
	require.Equal(t, w.wait, f.RetryAfter, call)
	require.Contains(t, err.Error(), w.text, call)
	require.NotContains(t, err.Error(), "secret=1", call)
	require.LessOrEqual(t, len(f.Detail), 2000)
}

func Test_Answer_is_no_document(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want want
	}{
		"empty":                {"", temporary},
		"a JSON string":        {`"hello"`, temporary},
		"JSON cut short":       {`{"magento_id":1,"incre`, temporary},
		"JSON and more":        {`{} <html>`, temporary},
		"PHP's empty array":    {`[]`, want{kind: provider.Bug, code: "internal", text: "cannot be understood"}},
		"nothing needed":       {`{}`, want{kind: provider.Bug, code: "internal"}},
		"an amount beyond all": {`{"magento_id":1,"grand_total":1e400}`, want{kind: provider.Bug, code: "internal", text: "The shop's invoice cannot be understood: decode invoice: grand_total: amount 1e400 is out of range"}},
		"text for a customer":  {`{"magento_id":1,"customer":"Bob"}`, want{kind: provider.Bug, code: "internal", text: "customer: string where an object is expected"}},
		"another invoice":      {`{"magento_id":2,"increment_id":"2","currency":"GBP","created_at":"2026-04-29T10:11:12Z","state":"open","subtotal":0,"tax_amount":0,"shipping_amount":0,"shipping_tax_amount":0,"discount_amount":0,"grand_total":0}`, want{kind: provider.Bug, code: "internal", text: "asked for invoice 1, the shop answered with invoice 2"}},
		"larger than allowed":  {strings.Repeat(" ", 8<<20) + `{}`, temporary.saying("too large")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(200, c.body))
			_, _, err := b.client.Invoice(t.Context(), 1)
			c.want.check(t, name, err)
		})
	}
}

func Test_Unreachable_shops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(b.shop)
	untrusted.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	for url, want := range map[string]want{
		"http://" + listener.Addr().String(): temporary.saying("did not answer in time"),
		"http://" + closed.Addr().String():   temporary.saying("could not be reached"),
		"http://no-such-shop.invalid":        temporary.saying("does not resolve"),
		untrusted.URL:                        temporary.saying("certificate is not valid"),
	} {
		cfg := b.cfg
		cfg.BaseURL = url
		cfg.HTTP = outbound.New(outbound.Config{AllowPrivate: true, HeaderTimeout: 50 * time.Millisecond})
		_, _, err := newClient(t, cfg).Invoice(t.Context(), 1)
		want.check(t, url, err)
	}
	require.Contains(t, b.observed, "invoice timeout")
	require.Contains(t, b.observed, "invoice error")

	cfg := b.cfg
	cfg.HTTP = outbound.New(outbound.Config{})
	_, err = newClient(t, cfg).Ping(t.Context())
	held(magento.ReasonAddressRefused).check(t, "private", err)
}

func Test_Shop_with_a_wrong_clock_is_held_not_told_to_pair_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		b.shop.SetClockOffset(off)
		_, _, err := b.client.Invoice(t.Context(), 1)
		held(magento.ReasonClockSkew).check(t, off.String(), err)
		require.Contains(t, err.Error(), "differ by 10m0s")
	}
	for _, off := range []time.Duration{-110 * time.Second, 170 * time.Second} {
		b.shop.SetClockOffset(off)
		_, _, err := b.client.Invoice(t.Context(), 1)
		require.NoError(t, err, "a shop %s off is served", off)
	}
}

// net/http sends a GET again when a kept connection is closed under it. If the
// shop had served the first, it refuses the second's token as used: that 401
// says nothing about the key, and a new token gets the document.
func Test_Request_sent_twice_by_the_transport_is_no_auth_failure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.client.Ping(t.Context()) // opens the connection that is kept
	require.NoError(t, err)
	b.shop.Inject(magentosim.RouteInvoice, magentosim.Drops(magentosim.CutClose).AfterEffect())
	_, inv, err := b.client.Invoice(t.Context(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, inv.MagentoID)
	require.Equal(t, 3, b.shop.Calls(magentosim.RouteInvoice), "lost, used token, new token")
}

func Test_Drifted_keys_are_auth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.Connect(tenant, strings.Repeat("f", 64), "http://ledger.invalid")
	_, _, err := b.client.Invoice(t.Context(), 1)
	auth.saying("pair the shop again").check(t, "drifted", err)
	require.Equal(t, 2, b.shop.Calls(magentosim.RouteInvoice), "asked with a second token")
}
