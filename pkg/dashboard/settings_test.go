package dashboard_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"towpath/pkg/actions"
	"towpath/pkg/clients"
	"towpath/pkg/dashboard"
	"towpath/pkg/loopback"
	"towpath/pkg/outbound"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

// withLedger is a dashboard that can change things, of a binding at a simulated Xero.
func withLedger(t *testing.T, change ...func(*dashboard.Config)) (*bundle, *xerosim.Sim, *httptest.Server) {
	t.Helper()
	box, err := secret.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	private := outbound.Private{All: true}
	b := setup(t, append([]func(*dashboard.Config){func(c *dashboard.Config) {
		jobs, err := riverjobs.NewInserter(c.Pool, slog.New(slog.NewTextHandler(io.Discard, nil)))
		require.NoError(t, err)
		c.Actions = &actions.Actions{Pool: c.Pool, Jobs: jobs, Clients: clients.New(box, private, nil), Box: box, Private: private, BaseURL: "https://towpath.example"}
	}}, change...)...)
	sim := xerosim.New(xerosim.Config{Tokens: []string{"a-token"}})
	ledger := httptest.NewServer(sim)
	t.Cleanup(ledger.Close)
	b.exec(`UPDATE bindings SET api_url = $1, token_sealed = $2`, ledger.URL, box.Seal([]byte("a-token"), secret.Place(secret.BindingToken, b.binding.String())))
	b.exec(`UPDATE tenants SET api_key_sealed = $1`, box.Seal([]byte(strings.Repeat("a", 64)), secret.Place(secret.TenantAPIKey, b.tenant.String())))
	return b, sim, ledger
}

func (b *bundle) settingsPath() string { return "/dashboard/bindings/" + b.binding.String() }

// post sends a form as a browser does.
func (b *bundle) post(path string, values url.Values) answer {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.server.URL+path, strings.NewReader(values.Encode()))
	require.NoError(b.t, err)
	req.SetBasicAuth("ada", thePassword)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	client := loopback.Alone(nil)
	resp, err := client.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// formOf is what a browser would send of the form with this action, as it stands.
func formOf(t *testing.T, body, action string) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	values, found := url.Values{}, false
	attr := func(n *html.Node, name string) (string, bool) {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val, true
			}
		}
		return "", false
	}
	var read func(n *html.Node, inside bool)
	read = func(n *html.Node, inside bool) {
		at, _ := attr(n, "action")
		if n.Type == html.ElementNode && n.Data == "form" {
			inside = strings.HasSuffix(at, action)
			found = found || inside
		}
		name, named := attr(n, "name")
		value, _ := attr(n, "value")
		switch {
		case !inside || !named:
		case n.Data == "input":
			kind, _ := attr(n, "type")
			if _, checked := attr(n, "checked"); kind != "checkbox" || checked {
				values.Add(name, value)
			}
		case n.Data == "select":
			for o := range n.Descendants() {
				if _, chosen := attr(o, "selected"); o.Data == "option" && chosen {
					values.Set(name, func() string { v, _ := attr(o, "value"); return v }())
				}
			}
			if !values.Has(name) {
				values.Set(name, "")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			read(c, inside)
		}
	}
	read(root, false)
	require.True(t, found, "no form with action %s", action)
	return values
}

func (b *bundle) versions() (n int) {
	b.t.Helper()
	require.NoError(b.t, b.pool.QueryRow(b.t.Context(), `SELECT count(*) FROM policies`).Scan(&n))
	return n
}

func Test_Settings_are_chosen_out_of_what_the_ledger_has_and_shown_before_they_are_saved(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t)
	path := b.settingsPath()
	require.Contains(t, readable(b.get(path+"/settings").body), "What Xero has is not read yet")
	read := b.post(path+"/refresh", nil)
	require.Equal(t, http.StatusSeeOther, read.status, readable(read.body))
	b.add("succeeded", columns{"canonical": `{"payment_method":"checkmo","store_id":3,"website_id":1}`})

	page := b.get(path + "/settings")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, `<option value="200">200 Sales</option>`)
	require.Contains(t, readable(page.body), "Seen in recent events: stores 3.")
	values := formOf(t, page.body, path+"/settings")
	require.Equal(t, "checkmo", values.Get("payment_method_map.0.key"), "a method that came is there to be mapped")
	unchanged := b.post(path+"/settings", values)
	require.Equal(t, http.StatusSeeOther, unchanged.status, readable(unchanged.body))
	require.Contains(t, unchanged.header.Get("Location"), "told=same")

	values.Set("default_xero_revenue_account_code", "200")
	values.Set("tax_rate_map.0.key", "20.00")
	values.Set("tax_rate_map.0.value", "OUTPUT2")
	values.Set("payment_method_map.0.value", "null")
	values["sync_unpaid_invoices"] = []string{"false"}
	review := b.post(path+"/settings", values)
	require.Equal(t, http.StatusOK, review.status, readable(review.body))
	for _, want := range []string{
		`Revenue account default_xero_revenue_account_code before "" after "200"`, `Tax rates: 20.00 tax_rate_map.20.00 before not there after "OUTPUT2"`,
		"Accounts of the payment methods: checkmo payment_method_map.checkmo before not there after null", "Unpaid invoices too sync_unpaid_invoices before true after false",
	} {
		require.Contains(t, readable(review.body), want)
	}
	require.Equal(t, 1, b.versions(), "nothing is saved by looking")

	tried := b.post(path+"/settings/what-if", formOf(t, review.body, "/settings/what-if"))
	require.Equal(t, http.StatusOK, tried.status)
	require.Contains(t, readable(tried.body), "of the newest documents looked at")
	again := b.post(path+"/settings/edit", formOf(t, review.body, "/settings/edit"))
	require.Equal(t, "200", formOf(t, again.body, path+"/settings").Get("default_xero_revenue_account_code"))

	saved := b.post(path+"/settings/save", formOf(t, tried.body, "/settings/save"))
	require.Equal(t, http.StatusSeeOther, saved.status, readable(saved.body))
	after := readable(b.get(saved.header.Get("Location")[len(""):]).body)
	require.Contains(t, after, "Version 2 is saved and in force.")
	require.Contains(t, after, "Version 2 In force")
	require.Contains(t, after, "UTC ada 4 settings")
	twice := b.post(path+"/settings/save", formOf(t, tried.body, "/settings/save"))
	require.Equal(t, http.StatusConflict, twice.status)
	require.Equal(t, 2, b.versions())

	// The old one again.
	old := b.get(path + "/versions/1")
	require.Contains(t, readable(old.body), "What restoring it would change")
	review = b.post(path+"/settings/review", formOf(t, old.body, "/settings/review"))
	require.Contains(t, readable(review.body), `default_xero_revenue_account_code before "200" after ""`)
	require.Contains(t, readable(review.body), "every document is held (missing_mapping)")
	require.Equal(t, http.StatusSeeOther, b.post(path+"/settings/save", formOf(t, review.body, "/settings/save")).status)
	require.Equal(t, 3, b.versions())
	require.Equal(t, http.StatusNotFound, b.get(path+"/versions/9").status)
}

func Test_Wrong_settings_are_named_at_their_inputs_and_nothing_is_saved(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t)
	path := b.settingsPath()
	require.Equal(t, http.StatusSeeOther, b.post(path+"/refresh", nil).status)
	values := formOf(t, b.get(path+"/settings").body, path+"/settings")
	values.Set("default_xero_revenue_account_code", "9999")
	values.Set("default_xero_payment_terms_days", "soon")
	values.Set("tax_rate_map.1.key", `<script>alert(1)</script>`)
	values.Set("tax_rate_map.1.value", "OUTPUT2")
	values.Set("invoice_number_prefix_by_store.0.key", "1")
	values.Set("invoice_number_prefix_by_store.0.value", "é")
	values.Set("b2c_consolidation.fallback_contact_email", "nobody")
	wrong := b.post(path+"/settings", values)
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	page := readable(wrong.body)
	for _, want := range []string{
		"Nothing was saved: 5 settings have to be put right", `Revenue account: the ledger has no account "9999"`, "Due after days: write a whole number from 0 to 365",
		"Tax rates: script alert(1) /script: write the rate", "Number prefix, by store: 1: write letters", "One contact for consumers: Its e-mail: write an e-mail address",
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, wrong.body, "<script>alert")
	for _, at := range []string{`href="#default_xero_revenue_account_code"`, `href="#invoice_number_prefix_by_store.0.value"`, `href="#b2c_consolidation.fallback_contact_email"`} {
		require.Contains(t, wrong.body, at)
	}
	typed := formOf(t, wrong.body, path+"/settings")
	require.Equal(t, "soon", typed.Get("default_xero_payment_terms_days"), "what was typed is there to be put right")
	require.Equal(t, "9999", typed.Get("default_xero_revenue_account_code"))
	require.Equal(t, 1, b.versions())

	require.Equal(t, http.StatusBadRequest, b.post(path+"/settings/save", url.Values{"version": {"1"}, "settings": {"no JSON"}}).status)
	require.Equal(t, http.StatusUnprocessableEntity, b.post(path+"/settings/save", url.Values{"version": {"1"}, "settings": {`{"nonsense":1}`}}).status)
	require.Equal(t, http.StatusBadRequest, b.post(path+"/settings/save", url.Values{"settings": {`{}`}}).status)
	var current string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT policy::text FROM policies`).Scan(&current))
	same := b.post(path+"/settings/save", url.Values{"version": {"1"}, "settings": {current}})
	require.Equal(t, http.StatusOK, same.status)
	require.Contains(t, readable(same.body), "There is nothing to save")
	require.Equal(t, http.StatusNotFound, b.post("/dashboard/bindings/"+uuid.NewString()+"/settings/save", url.Values{"version": {"1"}, "settings": {`{}`}}).status)
	require.Equal(t, 1, b.versions())
}

func Test_Of_two_who_save_settings_the_second_sees_what_the_first_did(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t)
	path := b.settingsPath()
	require.Equal(t, http.StatusSeeOther, b.post(path+"/refresh", nil).status)
	first := formOf(t, b.get(path+"/settings").body, path+"/settings")
	second := formOf(t, b.get(path+"/settings").body, path+"/settings")
	first.Set("default_xero_revenue_account_code", "200")
	first.Set("tax_rate_map.0.key", "20.00")
	first.Set("tax_rate_map.0.value", "OUTPUT2")
	review := b.post(path+"/settings", first)
	require.Equal(t, http.StatusSeeOther, b.post(path+"/settings/save", formOf(t, review.body, "/settings/save")).status)

	second.Set("invoice_number_prefix", "M-")
	second.Set("tax_rate_map.0.key", "0.00")
	second.Set("tax_rate_map.0.value", "ZERORATEDOUTPUT")
	moved := b.post(path+"/settings", second)
	require.Equal(t, http.StatusConflict, moved.status)
	require.Contains(t, readable(moved.body), "You began with version 1; ada saved version 2")
	require.Equal(t, 2, b.versions())
	review = b.post(path+"/settings/review", formOf(t, moved.body, "/settings/review"))
	require.NotContains(t, readable(review.body), "default_xero_revenue_account_code", "the first one's stays")
	require.Equal(t, http.StatusSeeOther, b.post(path+"/settings/save", formOf(t, review.body, "/settings/save")).status)
	var code, prefix, rates string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT policy ->> 'default_xero_revenue_account_code', policy ->> 'invoice_number_prefix', policy ->> 'tax_rate_map'
		FROM policies WHERE version = 3`).Scan(&code, &prefix, &rates))
	require.Equal(t, []string{"200", "M-"}, []string{code, prefix})
	require.JSONEq(t, `{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"}`, rates)
}

func Test_Settings_are_shown_and_say_why_there_are_no_choices_when_the_ledger_is_away(t *testing.T) {
	t.Parallel()
	b, _, ledger := withLedger(t)
	path := b.settingsPath()
	b.exec(`UPDATE policies SET policy = '{"default_xero_revenue_account_code":"260"}'`)
	ledger.Close()
	away := b.post(path+"/refresh", nil)
	require.Equal(t, http.StatusBadGateway, away.status)
	require.Contains(t, readable(away.body), "Xero could not be asked now")
	values := formOf(t, away.body, path+"/settings")
	require.Equal(t, "260", values.Get("default_xero_revenue_account_code"))
	values.Set("default_xero_revenue_account_code", "200")
	review := b.post(path+"/settings", values)
	require.Equal(t, http.StatusOK, review.status, readable(review.body))
	require.Contains(t, readable(review.body), "no account, tax type, theme or tracking option was checked")
}

func Test_Settings_of_wire_v2_have_its_own_choices_and_keep_those_of_the_other(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t)
	path := b.settingsPath()
	b.exec(`UPDATE bindings SET provider = 'freeagent', wire = 'v2', reference_at = now(),
		reference = '{"categories":[{"url":"https://api.freeagent.com/v2/categories/001","nominal_code":"001","description":"Sales"}],"accounts":[{"id":"https://api.freeagent.com/v2/bank_accounts/1","name":"Current","type":"BANK","status":"ACTIVE"}]}'`)
	b.exec(`UPDATE policies SET policy = '{"default_xero_revenue_account_code":"260","default_xero_payment_terms_days":7}'`)
	values := formOf(t, b.get(path+"/settings").body, path+"/settings")
	values.Set("default_income_category_url", "https://api.freeagent.com/v2/categories/001")
	values.Set("charges_account_code", "https://api.freeagent.com/v2/categories/001")
	values.Set("default_bank_account_id", "https://api.freeagent.com/v2/bank_accounts/1")
	values.Set("item_type_map.0.key", "virtual")
	values.Set("item_type_map.0.value", "Services")
	review := b.post(path+"/settings", values)
	require.Equal(t, http.StatusOK, review.status, readable(review.body))
	require.NotContains(t, readable(review.body), "default_xero_")
	require.Equal(t, http.StatusSeeOther, b.post(path+"/settings/save", formOf(t, review.body, "/settings/save")).status)
	var code string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT policy ->> 'default_xero_revenue_account_code' FROM policies WHERE version = 2`).Scan(&code))
	require.Equal(t, "260", code)
}
