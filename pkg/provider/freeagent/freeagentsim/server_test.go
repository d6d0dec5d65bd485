package freeagentsim

import (
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
)

type bundle struct {
	sim *Server
	url string
}

func setup(t *testing.T, cfg Config) *bundle {
	t.Helper()
	cfg.Tokens = []string{"good"}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Date(2026, 4, 29, 12, 0, 0, 0, time.UTC) }
	}
	sim := New(cfg)
	srv := httptest.NewServer(sim)
	t.Cleanup(srv.Close)
	return &bundle{sim: sim, url: srv.URL + "/v2"}
}

// do makes a call as a good client does; change may make it a bad one.
func (b *bundle) do(t *testing.T, method, path, body string, change ...func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(strings.ReplaceAll(body, "BASE", b.url)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer good")
	req.Header.Set("User-Agent", "test")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(req)
	}
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw), resp.Header
}

func TestRequest_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	for name, row := range map[string]struct {
		header, value string
		status        int
	}{
		"Without_token":         {"Authorization", "", 401},
		"With_a_wrong_token":    {"Authorization", "Bearer bad", 401},
		"Without_user_agent":    {"User-Agent", "", 400},
		"When_XML_is_asked_for": {"Accept", "application/xml", 406},
		"When_a_form_is_sent":   {"Content-Type", "application/x-www-form-urlencoded", 415},
	} {
		status, _, _ := b.do(t, "POST", "/contacts", `{"contact":{"organisation_name":"A"}}`, func(r *http.Request) { r.Header.Set(row.header, row.value) })
		require.Equal(t, row.status, status, name)
	}
	require.Empty(t, b.sim.Contacts())
	status, body, _ := b.do(t, "GET", "/nothing", "")
	require.Equal(t, 404, status)
	require.JSONEq(t, `{"errors":{"error":{"message":"Resource not found"}}}`, body)
}

const good = `{"contact":"BASE/contacts/101","dated_on":"2026-04-29","payment_terms_in_days":0,"invoice_items":[{"description":"x","quantity":"2","price":"1.005","sales_tax_rate":20}]}`

func TestInvoice_refused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		old, new string
		status   int
		says     string
	}{
		"Without_terms":              {`"payment_terms_in_days":0,`, ``, 422, "payment_terms_in_days is not a number"},
		"With_words_for_terms":       {`days":0`, `days":"net"`, 422, "payment_terms_in_days is not a number"},
		"Without_contact":            {`"contact":"BASE/contacts/101",`, ``, 422, "Contact can't be blank"},
		"For_an_unknown_contact":     {`contacts/101`, `contacts/9`, 422, "Contact not found for this company"},
		"For_another_hosts_contact":  {`BASE/contacts`, `https://api.freeagent.com/v2/contacts`, 422, "Contact not found for this company"},
		"Without_date":               {`"2026-04-29"`, `""`, 422, "Dated on can't be blank"},
		"With_a_wrong_date":          {`2026-04-29`, `2026-02-30`, 400, "Invalid date supplied: 2026-02-30"},
		"Without_description":        {`"description":"x"`, `"description":" "`, 422, "description can't be blank"},
		"Without_price":              {`"price":"1.005",`, ``, 422, "price is not a number"},
		"With_an_odd_rate":           {`rate":20`, `rate":"17.5"`, 422, "not a rate of this company"},
		"With_a_ratio_for_a_rate":    {`rate":20`, `rate":"0.2"`, 422, "not a rate of this company"},
		"With_an_expense_category":   {`"description":"x"`, `"description":"x","category":"BASE/categories/285"`, 400, "Invalid nominal code"},
		"With_a_bare_nominal_code":   {`"description":"x"`, `"description":"x","category":"001"`, 400, "Invalid nominal code"},
		"With_an_unknown_field":      {`"dated_on"`, `"refrence":"1","dated_on"`, 400, "found unpermitted parameters: refrence"},
		"With_an_unknown_item_field": {`"quantity"`, `"qty"`, 400, "found unpermitted parameters: qty"},
		"With_an_unknown_type":       {`"description":"x"`, `"description":"x","item_type":"Widgets"`, 422, "item_type is not included"},
		"With_items_that_are_none":   {`[{`, `{"0":{`, 400, ""},
		"With_an_unknown_currency":   {`"dated_on"`, `"currency":"XXX","dated_on"`, 422, "Currency is not included"},
		"With_a_zero_exchange_rate":  {`"dated_on"`, `"currency":"EUR","exchange_rate":"0","dated_on"`, 422, "Exchange rate"},
		"For_a_taken_number":         {`"dated_on"`, `"reference":"TAKEN","dated_on"`, 422, "Reference has already been taken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Config{})
			b.sim.AddContact(map[string]string{"organisation_name": "A"})
			status, body, _ := b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, `"dated_on"`, `"reference":"TAKEN","dated_on"`, 1)+`}`)
			require.Equal(t, 201, status, body)
			require.Contains(t, good, row.old)
			status, body, _ = b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, row.old, row.new, 1)+`}`)
			require.Equal(t, row.status, status, body)
			require.Contains(t, body, row.says)
			require.Len(t, b.sim.Invoices(), 1)
		})
	}
}

func TestInvoice_stored_in_the_wires_forms(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.sim.AddContact(map[string]string{"organisation_name": "A"})
	status, body, header := b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, `"dated_on"`, `"status":"Sent","dated_on"`, 1)+`}`)
	require.Equal(t, 201, status)
	require.Equal(t, b.url+"/invoices/102", header.Get("Location"))
	var shown struct{ Invoice map[string]any }
	require.NoError(t, json.Unmarshal([]byte(body), &shown))
	require.Equal(t, "Draft", shown.Invoice["status"], "a status in the body is ignored")
	require.Equal(t, "2.02", shown.Invoice["net_value"], "the price is rounded to 1.01 first")
	require.Equal(t, "0.4", shown.Invoice["sales_tax_value"])
	require.Equal(t, "2.42", shown.Invoice["total_value"])
	require.InDelta(t, 0, shown.Invoice["payment_terms_in_days"], 0, "integers are numbers")
	require.NotContains(t, shown.Invoice, "comments", "what is not set is absent")
	total, found := b.sim.Total("001")
	require.True(t, found)
	require.Equal(t, "2.42", total.String())
}

func TestInvoice_quantity_is_0_unless_sent(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.sim.AddContact(map[string]string{"organisation_name": "A"})
	b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, `"quantity":"2",`, ``, 1)+`}`)
	require.True(t, b.sim.Invoices()[0].Total.IsZero())
}

func TestInvoice_transitions(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.sim.AddContact(map[string]string{"organisation_name": "A"})
	b.do(t, "POST", "/invoices", `{"invoice":`+good+`}`)
	b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, "2026-04-29", "2026-01-01", 1)+`}`)
	b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, "1.005", "0", 1)+`}`)
	b.do(t, "POST", "/invoices", `{"invoice":`+strings.Replace(good, "1.005", "-1", 1)+`}`)
	b.do(t, "POST", "/invoices", `{"invoice":`+good[:strings.Index(good, "[")]+`[]}}`)
	for i, want := range []struct {
		status int
		says   string
	}{{200, "Open"}, {200, "Overdue"}, {200, "Zero Value"}, {422, "Draft"}, {403, "Draft"}} {
		path := "/invoices/" + string(rune('2'+i)) + "/transitions/mark_as_sent"
		path = strings.Replace(path, "/invoices/", "/invoices/10", 1)
		for range 2 {
			status, _, _ := b.do(t, "PUT", path, "")
			require.Equal(t, want.status, status, i)
			require.Equal(t, want.says, b.sim.Invoices()[i].Status)
		}
	}
	status, _, _ := b.do(t, "PUT", "/invoices/102/transitions/mark_as_draft", "")
	require.Equal(t, 200, status)
	require.Equal(t, "Draft", b.sim.Invoices()[0].Status)
	status, _, _ = b.do(t, "PUT", "/invoices/999/transitions/mark_as_sent", "")
	require.Equal(t, 404, status)
	status, body, _ := b.do(t, "GET", "/invoices?view=draft&nested_invoice_items=true", "")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"quantity":"2.0"`)
	require.NotContains(t, body, "invoices/103\"")
}

func TestContact_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.sim.AddContact(map[string]string{"organisation_name": "A", "email": "a@example.com"})
	for contact, says := range map[string]string{
		`{"first_name":"Ada"}`:                              "last_name can't be blank",
		`{"organisation_name":"B","email":"A@example.com"}`: "Email has already been taken",
		`{"organisation_name":"B","country":"GB"}`:          "Country is not included in the list",
		`{"organisation_name":"B","company":"x"}`:           "found unpermitted parameters: company",
		`{"organisation_name":7}`:                           "does not match expected type",
		`[]`:                                                "param is missing",
	} {
		status, body, _ := b.do(t, "POST", "/contacts", `{"contact":`+contact+`}`)
		require.GreaterOrEqual(t, status, 400)
		require.Contains(t, body, says)
	}
	require.Len(t, b.sim.Contacts(), 1)
}

func TestContacts_listed_by_page(t *testing.T) {
	t.Parallel()
	b := setup(t, RealFreeAgent(Config{}))
	for range 5 {
		b.sim.AddContact(map[string]string{"organisation_name": "A", "email": "a@example.com"})
	}
	b.sim.AddContact(map[string]string{"organisation_name": "H", "status": "Hidden"})
	_, body, header := b.do(t, "GET", "/contacts?email=b@example.com&per_page=2&page=2", "")
	require.Equal(t, "5", header.Get("X-Total-Count"), "hidden ones are not in the default view, the filter is ignored")
	require.Contains(t, header.Get("Link"), `page=3&per_page=2>; rel="next"`)
	require.Contains(t, body, "/contacts/103")
	_, body, header = b.do(t, "GET", "/contacts?view=all&per_page=2&page=9", "")
	require.Equal(t, "6", header.Get("X-Total-Count"))
	require.JSONEq(t, `{"contacts":[]}`, body)
	require.NotContains(t, header.Get("Link"), "next")
}

func TestFault_happens_once_at_its_operation(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.sim.Inject(Fault{Operation: ContactCreate, Skip: 1, After: true, Status: 500})
	status, _, _ := b.do(t, "GET", "/company", "")
	require.Equal(t, 200, status)
	for _, want := range []int{201, 500, 201} {
		status, _, _ = b.do(t, "POST", "/contacts", `{"contact":{"organisation_name":"A"}}`)
		require.Equal(t, want, status)
	}
	require.Len(t, b.sim.Contacts(), 3)
	require.Equal(t, 3, b.sim.Count(ContactCreate))
	require.Zero(t, b.sim.Pending())
}

func TestRound_half_away_from_zero(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"1.005": "1.01", "-1.005": "-1.01", "1.0049": "1.0", "0": "0.0", "2.675": "2.68", "100": "100.0"} {
		r, ok := new(big.Rat).SetString(in)
		require.True(t, ok)
		require.Equal(t, want, show(round(r, 2)), in)
	}
}
