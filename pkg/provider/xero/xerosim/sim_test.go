package xerosim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/provider/xero/xerosim"
)

const org = "5eed5eed-0000-4000-8000-000000000001"

type bundle struct {
	sim   *xerosim.Sim
	url   string
	clock *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func setup(t *testing.T, change ...func(*xerosim.Config)) bundle {
	t.Helper()
	c := &clock{now: time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)}
	cfg := xerosim.Config{Now: c.Now, Tokens: []string{"good"}, OrgID: org}
	for _, f := range change {
		f(&cfg)
	}
	sim := xerosim.New(cfg)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return bundle{sim: sim, url: server.URL + "/api.xro/2.0", clock: c}
}

type reply struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (b bundle) call(t *testing.T, method, path, key, body string) reply {
	t.Helper()
	req, err := http.NewRequest(method, b.url+path, bytes.NewBufferString(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer good")
	req.Header.Set("xero-tenant-id", org)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	answer, err := loopback.Client.Do(req)
	require.NoError(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	r := reply{status: answer.StatusCode, header: answer.Header, text: string(raw)}
	_ = json.Unmarshal(raw, &r.json) // some answers are no JSON
	return r
}

// errors are the messages of the first element.
func (r reply) errors(list string) string {
	elements, _ := r.json[list].([]any)
	if len(elements) == 0 {
		return ""
	}
	element, _ := elements[0].(map[string]any)
	var texts []string
	faults, _ := element["ValidationErrors"].([]any)
	for _, f := range faults {
		texts = append(texts, f.(map[string]any)["Message"].(string))
	}
	return strings.Join(texts, "; ")
}

func Test_Idempotency_key_is_kept_for_six_minutes_with_errors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	good, other := invoiceWith(contact, nil), invoiceWith(contact, func(i, _ map[string]any) { i["InvoiceNumber"] = "N2" })
	first := b.call(t, "PUT", put, "k", good)
	b.clock.advance(5*time.Minute + 59*time.Second)
	require.Equal(t, first.text, b.call(t, "PUT", put, "k", good).text)
	require.Equal(t, 400, b.call(t, "PUT", put, "k", other).status)
	require.Contains(t, b.call(t, "PUT", put, "k", other).text, "Idempotency Key: k is used with a different request.")
	require.Contains(t, b.call(t, "PUT", "/Invoices", "k", good).text, "used with a different request", "another address")
	b.clock.advance(time.Second)
	require.Contains(t, b.call(t, "PUT", put, "k", good).errors("Invoices"), "must be unique")
	require.Len(t, b.sim.Invoices(), 1)

	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 500, Body: "boom"})
	require.Equal(t, 500, b.call(t, "PUT", put, "e", other).status)
	require.Equal(t, 500, b.call(t, "PUT", put, "e", other).status, "errors are kept too")
	b.clock.advance(6 * time.Minute)
	require.Equal(t, 200, b.call(t, "PUT", put, "e", other).status)

	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 429})
	third := invoiceWith(contact, func(i, _ map[string]any) { i["InvoiceNumber"] = "N3" })
	require.Equal(t, 429, b.call(t, "PUT", put, "l", third).status)
	require.Equal(t, 200, b.call(t, "PUT", put, "l", third).status, "limits are not")
	require.Contains(t, b.call(t, "PUT", put, strings.Repeat("k", 129), third).text, "128")
}

func Test_Put_creates_only_and_post_overwrites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	require.Equal(t, 200, b.call(t, "PUT", put, "", invoiceWith(contact, nil)).status)
	r := b.call(t, "POST", put, "", invoiceWith(contact, func(i, l map[string]any) { l["UnitAmount"] = 1 }))
	require.Equal(t, 200, r.status, r.text)
	require.Len(t, b.sim.Invoices(), 1)
	require.Equal(t, "2.40", b.sim.Total("N1"), "Xero's trap: POST by number overwrites")
	id := b.sim.Invoices()[0].ID
	require.Equal(t, 200, b.call(t, "POST", "/Invoices/"+id, "", `{"Status":"VOIDED"}`).status)
	require.Equal(t, "VOIDED", b.sim.Invoices()[0].Status)
	require.Contains(t, b.call(t, "PUT", put, "", invoiceWith(contact, nil)).errors("Invoices"), "must be unique", "a voided number stays taken")
}

func Test_Malformed_bodies_and_queries_are_refused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{"", "{", "[]", `{"Invoices":{}}`, `{"Invoices":[1]}`, `{"Invoices":[]} x`} {
		r := b.call(t, "PUT", put, "", body)
		require.Equal(t, 400, r.status, body)
		require.Contains(t, r.text, "PostDataInvalidException")
	}
	require.Contains(t, b.call(t, "GET", "/Contacts?where=Name.Contains(%22x%22)", "", "").text, "QueryParseException")
	require.Equal(t, 501, b.call(t, "DELETE", "/Invoices", "", "").status)
	require.Equal(t, 404, b.call(t, "GET", "/Journals", "", "").status)
}

func Test_Token_and_organisation_are_asked_for(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for status, change := range map[int]func(*http.Request){
		401: func(r *http.Request) { r.Header.Set("Authorization", "Bearer bad") },
		403: func(r *http.Request) { r.Header.Del("xero-tenant-id") },
	} {
		req, err := http.NewRequest("GET", b.url+"/Organisation", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer good")
		req.Header.Set("xero-tenant-id", org)
		change(req)
		answer, err := loopback.Client.Do(req)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, status, answer.StatusCode)
	}
}

func Test_Lists_filter_page_and_hide_lines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	for _, n := range []string{"A", "B", "C"} {
		body := invoiceWith(contact, func(i, _ map[string]any) { i["InvoiceNumber"], i["Reference"] = n, "ref "+n })
		require.Equal(t, 200, b.call(t, "PUT", put, "", body).status)
	}
	count := func(query string) int {
		return len(b.call(t, "GET", "/Invoices?"+query, "", "").json["Invoices"].([]any))
	}
	require.Equal(t, 3, count(""))
	require.Equal(t, 2, count("InvoiceNumbers=A,c"))
	require.Equal(t, 1, count("where=Reference%3D%3D%22ref%20B%22%20AND%20Type%3D%3D%22ACCREC%22"))
	require.Equal(t, 1, count("page=2&pageSize=2"))
	require.NotContains(t, b.call(t, "GET", "/Invoices", "", "").text, "Widget")
	require.Contains(t, b.call(t, "GET", "/Invoices?page=1", "", "").text, "Widget")
	one := b.call(t, "GET", "/Invoices/A", "", "").text
	require.Contains(t, one, `"Date":"/Date(1777420800000+0000)/"`)
	require.Contains(t, one, `"DateString":"2026-04-29T00:00:00"`)
	require.Contains(t, one, `"Total":24.01`)
	require.Equal(t, 404, b.call(t, "GET", "/Invoices/Z", "", "").status)
}

func Test_Contact_names_and_numbers_are_unique(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := func(number, name string) string {
		raw, _ := json.Marshal(map[string]any{"Contacts": []any{map[string]any{"ContactNumber": number, "Name": name}}})
		return b.call(t, "PUT", "/Contacts?summarizeErrors=false", "", string(raw)).errors("Contacts")
	}
	require.Empty(t, contact("1", "Ada"))
	require.Contains(t, contact("2", "ADA"), "The contact name ADA is already assigned to another contact.")
	require.Contains(t, contact("1", "Bob"), "Another contact has this contact number")
	b.sim.ArchiveContact(b.sim.Contacts()[0].ID)
	require.Empty(t, contact("2", "Ada"), "archived names are free")
	require.Contains(t, contact("1", "Bob"), "matched an archived contact", "archived numbers are not")
	require.Contains(t, contact("3", " Bob"), "not valid")
	require.Contains(t, contact("3", "Bob <b>"), "not valid")
	require.Contains(t, contact(strings.Repeat("1", 51), "Bob"), "50")
	require.Equal(t, 404, b.call(t, "GET", "/Contacts/9", "", "").status)
	require.NotContains(t, b.call(t, "GET", "/Contacts", "", "").text, "ARCHIVED")
	require.Contains(t, b.call(t, "GET", "/Contacts?includeArchived=true", "", "").text, "ARCHIVED")
}

func Test_Limits_answer_429_with_Xeros_headers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.Limits = xerosim.Limits{PerMinute: 2, PerDay: 3} })
	require.Equal(t, "1", b.call(t, "GET", "/Currencies", "", "").header.Get("X-MinLimit-Remaining"))
	require.Equal(t, 200, b.call(t, "GET", "/Currencies", "", "").status)
	r := b.call(t, "GET", "/Currencies", "", "")
	require.Equal(t, 429, r.status)
	require.Equal(t, "minute", r.header.Get("X-Rate-Limit-Problem"))
	require.NotEmpty(t, r.header.Get("Retry-After"))
	b.clock.advance(time.Minute)
	require.Equal(t, "0", b.call(t, "GET", "/Currencies", "", "").header.Get("X-DayLimit-Remaining"))
	require.Equal(t, "day", b.call(t, "GET", "/Currencies", "", "").header.Get("X-Rate-Limit-Problem"))
	require.Equal(t, 5, b.sim.Calls("GET /Currencies"))
}

func Test_Sixth_call_at_once_is_too_many(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.Limits = xerosim.Limits{Concurrent: 5} })
	release := make(chan struct{})
	b.sim.Inject(xerosim.Fault{Operation: "GET /Currencies", Times: 5, Hang: release})
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { b.call(t, "GET", "/Currencies", "", "") })
	}
	require.Eventually(t, func() bool { return b.sim.MostInFlight() == 5 }, 5*time.Second, time.Millisecond)
	r := b.call(t, "GET", "/Organisation", "", "")
	close(release)
	wg.Wait()
	require.Equal(t, 429, r.status)
	require.Equal(t, "concurrent", r.header.Get("X-Rate-Limit-Problem"))
	require.Empty(t, r.header.Get("Retry-After"))
}

func Test_Plan_cap_and_faults_strike_as_often_as_told(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	b.sim.SetApprovalsLeft(1)
	number := func(n string) string {
		return invoiceWith(contact, func(i, _ map[string]any) { i["InvoiceNumber"] = n })
	}
	require.Empty(t, b.call(t, "PUT", put, "", number("A")).errors("Invoices"))
	require.Contains(t, b.call(t, "PUT", put, "", number("B")).errors("Invoices"), "limit of invoices")
	b.sim.Inject(xerosim.Fault{Status: 503, Times: 2, Body: "The Organisation is offline"})
	for _, want := range []int{503, 503, 200} {
		require.Equal(t, want, b.call(t, "GET", "/Organisation", "", "").status)
	}
	b.sim.Hide("Currencies")
	require.Equal(t, 404, b.call(t, "GET", "/Currencies", "", "").status)
}
