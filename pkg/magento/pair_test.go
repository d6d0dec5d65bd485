package magento_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/secret"
)

const pairingCode = "c0dec0dec0dec0dec0dec0dec0dec0de"

// pairAt pairs at an address.
func pairAt(t *testing.T, base, code string) error {
	t.Helper()
	client := newClient(t, magento.Config{
		BaseURL: base, TenantID: tenant, APIKey: apiKey,
		HTTP: outbound.New(outbound.Config{AllowPrivate: true, HeaderTimeout: 300 * time.Millisecond}),
	})
	return client.Pair(t.Context(), magento.PairRequest{Provider: "xero", Code: secret.NewString(code), LedgerBaseURL: "https://towpath.example.com"})
}

// problem demands a PairFailure with both texts and no secret.
func problem(t *testing.T, err error) *magento.PairFailure {
	t.Helper()
	var f *magento.PairFailure
	require.ErrorAs(t, err, &f)
	require.NotEmpty(t, f.Problem)
	require.NotEmpty(t, f.What)
	require.NotEmpty(t, f.Do)
	require.NotContains(t, err.Error(), apiKey)
	require.NotContains(t, err.Error(), pairingCode)
	return f
}

// shopAt serves a simulated shop.
func shopAt(t *testing.T, cfg magentosim.Config) (*magentosim.Shop, string) {
	t.Helper()
	shop := magentosim.New(cfg)
	srv := httptest.NewServer(shop)
	t.Cleanup(srv.Close)
	return shop, srv.URL
}

func Test_Pair_gives_the_shop_everything_it_works_with(t *testing.T) {
	t.Parallel()
	shop, base := shopAt(t, magentosim.Config{})
	require.NoError(t, pairAt(t, base+"/", " "+shop.NewPairingCode()+"\n"))
	require.Equal(t, tenant, shop.TenantID())
	require.Equal(t, "https://towpath.example.com", shop.LedgerURL())
	client := newClient(t, magento.Config{BaseURL: base, TenantID: tenant, APIKey: apiKey, HTTP: outbound.New(outbound.Config{AllowPrivate: true})})
	_, err := client.Ping(t.Context())
	require.NoError(t, err)
}

// The module gives one answer to a wrong, a used, an expired and a replaced code.
func Test_Pair_with_a_code_that_is_not_good(t *testing.T) {
	t.Parallel()
	now := time.Now()
	shop, base := shopAt(t, magentosim.Config{Now: func() time.Time { return now }})
	expired := shop.NewPairingCode()
	shop.SetClockOffset(30*time.Minute + time.Second)
	replacedCode := expired
	for _, code := range []string{expired, pairingCode} {
		require.Equal(t, magento.ProblemCode, problem(t, pairAt(t, base, code)).Problem)
	}
	used := shop.NewPairingCode()
	require.Equal(t, magento.ProblemCode, problem(t, pairAt(t, base, replacedCode)).Problem)
	require.NoError(t, pairAt(t, base, used))
	f := problem(t, pairAt(t, base, used))
	require.Equal(t, magento.ProblemCode, f.Problem)
	require.False(t, f.Maybe)
	require.Equal(t, "Invalid or expired pairing code.", f.Detail)
	require.Contains(t, f.What, "mistyped, older than 30 minutes, used already, or replaced by a newer one")
	require.Contains(t, f.Do, "Make a new code in the shop's admin")
	require.Contains(t, f.Do, "https://", "on plain http that may be why")
}

// page is what stands in a shop's place.
func page(title string) string {
	return "<!doctype html><html><head><title>" + title + "</title></head><body>x</body></html>"
}

func Test_Pair_judges_every_answer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  magentosim.Fault
		problem magento.Problem
		maybe   bool
		what    string // what and do hold these
		do      string
	}{
		"no_module":           {magentosim.Answers(404, says("Request does not match any route.")), magento.ProblemModule, false, "its Byte8 module for xero is not installed", "byte8/magento-xero-accounting"},
		"page_404":            {magentosim.Fault{Status: 404, Body: page("Not Found"), HTML: true}, magento.ProblemNotMagento, false, "is not Magento's REST API (status 404)", "Secure Base URL"},
		"page_200":            {magentosim.Fault{Status: 200, Body: page("Welcome"), HTML: true}, magento.ProblemNotMagento, true, "is not Magento's REST API (status 200)", "Secure Base URL"},
		"other_json_200":      {magentosim.Answers(200, `{"hello":"world"}`), magento.ProblemNotMagento, true, "is not Magento's REST API", "Secure Base URL"},
		"other_json_404":      {magentosim.Answers(404, `{"error":"no"}`), magento.ProblemNotMagento, false, "status 404", "Secure Base URL"},
		"page_405":            {magentosim.Fault{Status: 405, Body: page("Method Not Allowed"), HTML: true}, magento.ProblemNotMagento, false, "status 405", "Secure Base URL"},
		"production":          {magentosim.Unauthorized(), magento.ProblemHTTPS, false, "in production mode it wants https", "https://127.0.0.1"},
		"magento_says_https":  {magentosim.Answers(400, says("Operation allowed only in HTTPS")), magento.ProblemHTTPS, false, "wants https", "https://127.0.0.1"},
		"http_to_a_tls_port":  {magentosim.Fault{Status: 400, Body: page("400 The plain HTTP request was sent to HTTPS port"), HTML: true}, magento.ProblemHTTPS, false, "wants https", "https://127.0.0.1"},
		"password":            {magentosim.Fault{Status: 401, Body: page("401"), HTML: true, Header: header("WWW-Authenticate", `Basic realm="staging"`)}, magento.ProblemPassword, false, "HTTP basic authentication", "/rest/V1/byte8"},
		"page_401":            {magentosim.Maintenance(401), magento.ProblemBlocked, false, "refuses our call (status 401)", "Let /rest/V1/byte8 through"},
		"firewall":            {magentosim.Fault{Status: 403, Body: page("Access denied"), HTML: true}, magento.ProblemBlocked, false, "firewall", "Let /rest/V1/byte8 through"},
		"too_many":            {magentosim.Answers(429, ""), magento.ProblemBusy, false, "called less often", "Wait a minute"},
		"maintenance":         {magentosim.Maintenance(503), magento.ProblemUnavailable, true, "answers 503", "un the same command again"},
		"error_after_effect":  {magentosim.Answers(500, "{}").AfterEffect(), magento.ProblemUnavailable, true, "answers 500", "with the same code"},
		"blank_field":         {magentosim.Answers(400, says("ledger_base_url must be an absolute http(s) URL.")), magento.ProblemRefused, false, "status 400", "TOWPATH_BASE_URL"},
		"docs_say_422":        {magentosim.Answers(422, says("Expired")), magento.ProblemCode, false, "pairing code", "new code"},
		"to_www":              {magentosim.Fault{Status: 301, Header: header("Location", "https://www.shop.example/shop/rest/V1/byte8/xero_accounting/setup/pair")}, magento.ProblemRedirect, false, "redirects to https://www.shop.example/shop", "--magento-url https://www.shop.example/shop if"},
		"to_somewhere_else":   {magentosim.Fault{Status: 302, Header: header("Location", "https://parked.example/?from=shop")}, magento.ProblemRedirect, false, "redirects to https://parked.example", "if that is your shop"},
		"redirect_to_nowhere": {magentosim.Fault{Status: 301}, magento.ProblemRedirect, false, "without saying where", "browser"},
		"answer_lost":         {magentosim.Drops(magentosim.CutClose).AfterEffect(), magento.ProblemAnswerLost, true, "its answer was lost", "with the same code"},
		"reset":               {magentosim.Drops(magentosim.CutReset), magento.ProblemAnswerLost, true, "its answer was lost", "with the same code"},
		"half_an_answer":      {magentosim.Drops(magentosim.CutHalf), magento.ProblemAnswerLost, true, "its answer was lost", "with the same code"},
		"no_answer_in_time":   {magentosim.Waits(magentosim.NewGate()), magento.ProblemAnswerLost, true, "its answer was lost", "with the same code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop, base := shopAt(t, magentosim.Config{})
			shop.Inject(magentosim.RoutePair, c.answer)
			f := problem(t, pairAt(t, base, shop.NewPairingCode()))
			require.Equal(t, c.problem, f.Problem, f.Error())
			require.Equal(t, c.maybe, f.Maybe, f.Error())
			require.Contains(t, f.What, c.what)
			require.Contains(t, f.Do, c.do)
			require.Equal(t, 1, shop.Calls(magentosim.RoutePair), "never repeated")
		})
	}
}

func Test_Pair_at_a_shop_in_production_mode(t *testing.T) {
	t.Parallel()
	shop := magentosim.New(magentosim.Config{Production: true})
	plain := httptest.NewServer(shop)
	t.Cleanup(plain.Close)
	code := shop.NewPairingCode()
	require.Equal(t, magento.ProblemHTTPS, problem(t, pairAt(t, plain.URL, code)).Problem)

	tls := httptest.NewTLSServer(shop)
	t.Cleanup(tls.Close)
	client := newClient(t, magento.Config{BaseURL: tls.URL, TenantID: tenant, APIKey: apiKey, HTTP: tls.Client()})
	require.NoError(t, client.Pair(t.Context(), magento.PairRequest{Provider: "xero", Code: secret.NewString(code), LedgerBaseURL: "https://l.example"}),
		"the code is as good as it was")
}

func Test_Pair_tells_why_no_connection_comes_about(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, plain := shopAt(t, magentosim.Config{})
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	tlsAddress := strings.TrimPrefix(tls.URL, "https://")
	_, port, err := net.SplitHostPort(tlsAddress)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		base    string
		problem magento.Problem
		what    string
		do      string
	}{
		"name":          {"https://no-such-shop.invalid", magento.ProblemName, "no-such-shop.invalid does not resolve", "spelled"},
		"nothing_there": {"http://" + nobody, magento.ProblemNoListener, "Nothing listens at " + nobody, "host and port"},
		"authority":     {tls.URL, magento.ProblemCertificate, "no authority that this machine trusts", "SSL_CERT_FILE"},
		"other_name":    {"https://localhost:" + port, magento.ProblemCertificate, "it is for another name", "Mend the certificate"},
		"no_tls":        {strings.Replace(plain, "http:", "https:", 1), magento.ProblemNoTLS, "does not speak TLS", "Check the port"},
		"tls_as_plain":  {"http://" + tlsAddress, magento.ProblemHTTPS, "wants https", "https://127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := problem(t, pairAt(t, c.base, pairingCode))
			require.Equal(t, c.problem, f.Problem, f.Error())
			require.False(t, f.Maybe, "nothing was sent, or nothing that Magento has read")
			require.Contains(t, f.What, c.what)
			require.Contains(t, f.Do, c.do)
			require.NotRegexp(t, `dial tcp|lookup |x509|Post "`, f.Error(), "words, not Go's")
		})
	}
}

func Test_Pair_calls_no_private_address_unless_told_to(t *testing.T) {
	t.Parallel()
	_, base := shopAt(t, magentosim.Config{})
	client := newClient(t, magento.Config{BaseURL: base, TenantID: tenant, APIKey: apiKey, HTTP: outbound.New(outbound.Config{})})
	f := problem(t, client.Pair(t.Context(), magento.PairRequest{Provider: "xero", Code: secret.NewString(pairingCode), LedgerBaseURL: "https://l.example"}))
	require.Equal(t, magento.ProblemAddress, f.Problem)
	require.Contains(t, f.Do, "TOWPATH_ALLOW_PRIVATE_URLS")
}

func Test_Pair_knows_the_modules_of_its_providers_only(t *testing.T) {
	t.Parallel()
	shop, base := shopAt(t, magentosim.Config{Provider: "freeagent"})
	client := newClient(t, magento.Config{BaseURL: base, TenantID: tenant, APIKey: apiKey, HTTP: outbound.New(outbound.Config{AllowPrivate: true})})
	for provider, want := range map[string]magento.Problem{"xero": magento.ProblemModule, "quickbooks": magento.ProblemRefused, "freeagent": ""} {
		err := client.Pair(t.Context(), magento.PairRequest{Provider: provider, Code: secret.NewString(shop.NewPairingCode()), LedgerBaseURL: "https://l.example"})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, want, problem(t, err).Problem, fmt.Sprint(err))
	}
}
