package demo

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var testToken = secret.NewString("a-token-of-the-tests")

// up starts the whole demo and ends it with the test.
func up(t *testing.T) *Demo {
	t.Helper()
	d, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", BinDir: os.Getenv("PGBIN"), Out: io.Discard, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(d.Stop)
	enter(t, d.page, d.token.Reveal())
	return d
}

func post(t *testing.T, address string, form url.Values, header map[string]string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return do(t, req)
}

func get(t *testing.T, address string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	return do(t, req)
}

// browser is one for all demos: the cookie of each has a name of its own.
var browser = sync.OnceValue(func() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	return loopback.Browser(jar)
})

// enter opens a page by the address that is printed, with its token.
func enter(t *testing.T, page, token string) {
	t.Helper()
	code, raw := get(t, page+"/?token="+token)
	require.Equal(t, http.StatusOK, code, string(raw))
}

func do(t *testing.T, req *http.Request) (int, []byte) {
	t.Helper()
	resp, err := browser().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, body
}

func stateOf(t *testing.T, page string, invoice string) stateView {
	t.Helper()
	code, raw := get(t, page+"/state?invoice="+invoice)
	require.Equal(t, http.StatusOK, code, string(raw))
	var state stateView
	require.NoError(t, json.Unmarshal(raw, &state))
	return state
}

// Each kind of the menu is raised on the page and ends as its hint says; the
// way there has its steps in order.
func Test_Demo_page_shows_how_each_kind_ends(t *testing.T) {
	t.Parallel()
	d := up(t)
	for _, c := range []struct {
		kind, status string
		documents    int // made in the simulated Xero
		steps        []string
	}{
		{"plain", "synced", 1, []string{"Raised", "Outbox row", "Accepted", "Fetching", "Decided: post", "Intent on record", "Posted", "Chip synced"}},
		{"lost", "synced", 1, []string{"Raised", "Intent on record", "Waits", "Taken up again", "Intent on record", "Posted", "Chip synced"}},
		{"offline", "synced", 1, []string{"Raised", "Waits", "Taken up again", "Posted", "Chip synced"}},
		{"twice", "synced", 1, []string{"Raised", "Accepted", "Posted", "Chip synced"}},
		{"free", "skipped", 0, []string{"Raised", "Decided: skip", "Chip skipped"}},
		{"refused", "failed", 0, []string{"Raised", "Intent on record", "Failed", "Chip failed"}},
		{"francs", "pending", 0, []string{"Raised", "Decided: post", "Held"}},
	} {
		before := len(d.xero.Invoices())
		code, raw := post(t, d.page+"/raise", url.Values{"kind": {c.kind}}, nil)
		require.Equal(t, http.StatusOK, code, string(raw))
		var raised struct {
			ID json.Number `json:"id"`
		}
		require.NoError(t, json.Unmarshal(raw, &raised))
		require.Equal(t, "pending", stateOf(t, d.page, raised.ID.String()).Selected.Chip.Status, "%s: at once", c.kind)

		state := settledState(t, d, raised.ID.String(), c.status)
		require.Equal(t, c.status, state.Invoices[0].Chip.Status, c.kind)
		require.Len(t, d.xero.Invoices(), before+c.documents, c.kind)
		rest := state.Selected.Steps
		for _, want := range c.steps {
			for len(rest) > 0 && rest[0].What != want {
				rest = rest[1:]
			}
			require.NotEmpty(t, rest, "%s: %q comes not, or not in order: %+v", c.kind, want, state.Selected.Steps)
			rest = rest[1:]
		}
		if c.status == "synced" {
			code, page := get(t, d.page+state.Selected.Chip.Link)
			require.Equal(t, http.StatusOK, code)
			require.Contains(t, string(page), state.Selected.Chip.Reference)
		}
		code, page := get(t, state.Selected.RunURL)
		require.Equal(t, http.StatusOK, code, "the run's page in the dashboard")
		require.Contains(t, string(page), state.Selected.Number)
	}
	require.Contains(t, reasons(stateOf(t, d.page, "0")), "Email address must be valid", "Xero's own words")
}

// Buttons pressed as fast as a machine can: each invoice gets the trouble that
// was meant for it and no other.
func Test_Demo_page_keeps_faults_with_their_invoices(t *testing.T) {
	t.Parallel()
	d := up(t)
	kinds := []struct{ kind, status, step string }{
		{"lost", "synced", "Taken up again"}, {"plain", "synced", "Posted"}, {"refused", "failed", "Failed"},
		{"twice", "synced", "Second delivery: a repeat"}, {"plain", "synced", "Posted"}, {"refused", "failed", "Failed"},
	}
	ids := []string{}
	for _, c := range kinds {
		code, raw := post(t, d.page+"/raise", url.Values{"kind": {c.kind}}, nil)
		require.Equal(t, http.StatusOK, code, string(raw))
		var raised struct {
			ID json.Number `json:"id"`
		}
		require.NoError(t, json.Unmarshal(raw, &raised))
		ids = append(ids, raised.ID.String())
	}
	for i, c := range kinds {
		state := settledState(t, d, ids[i], c.status)
		require.Equal(t, c.status, state.Selected.Chip.Status, "%d %s", i, c.kind)
		steps := map[string]string{}
		for _, s := range state.Selected.Steps {
			steps[s.What] = s.More
		}
		require.Contains(t, steps, c.step, "%d %s", i, c.kind)
		if c.kind == "plain" {
			require.NotContains(t, steps, "Waits", "%d: took another's fault", i)
		}
		if c.kind == "twice" {
			_, run, _ := strings.Cut(state.Selected.RunURL, "/dashboard/sync/")
			run, _, _ = strings.Cut(run, "?")
			require.Contains(t, steps[c.step], run)
		} else {
			require.NotContains(t, steps, "Second delivery: a repeat")
		}
	}
	var runs int
	require.NoError(t, d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sync_runs").Scan(&runs))
	require.Len(t, kinds, runs, "one run each")
}

// Nothing carries the invoices here, so a turn never comes.
func Test_Demo_page_whose_turn_does_not_come(t *testing.T) {
	t.Parallel()
	pool, shop, xero := pgtest.New(t), magentosim.New(magentosim.Config{}), xerosim.New(xerosim.Config{})
	shop.Connect("5d0bd1a2-0000-4000-8000-000000000001", "key", "http://127.0.0.1:1")
	server := httptest.NewServer(newPage(pageConfig{Shop: shop, Xero: xero, Pool: pool, Token: testToken, Turn: 150 * time.Millisecond}))
	t.Cleanup(server.Close)
	enter(t, server.URL, testToken.Reveal())
	raise := func(kind string) (int, string) {
		code, raw := post(t, server.URL+"/raise", url.Values{"kind": {kind}}, nil)
		return code, string(raw)
	}
	code, _ := raise("plain")
	require.Equal(t, http.StatusOK, code)
	code, said := raise("refused")
	require.Equal(t, http.StatusConflict, code)
	require.Contains(t, said, "Invoice "+shop.Invoices()[0].IncrementID+" is still on its way")
	code, _ = raise("twice")
	require.Equal(t, http.StatusConflict, code)
	require.Len(t, shop.Invoices(), 1, "a refused one is not raised")
	code, _ = raise("plain")
	require.Equal(t, http.StatusOK, code, "an ordinary one is")
	pool.Close()
	code, _ = raise("lost")
	require.Equal(t, http.StatusServiceUnavailable, code)
}

// settledState waits until the chip is pending no more; where it stays so, until
// the run is held. On the way there it may wait for other things, such as a free
// call: a reason beside the chip is not the end yet.
func settledState(t *testing.T, d *Demo, invoice, status string) stateView {
	t.Helper()
	var state stateView
	err := d.shop.Wait(t.Context(), func(*magentosim.Shop) bool {
		state = stateOf(t, d.page, invoice)
		return status == "pending" || state.Selected.Chip.Status != "pending"
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state = stateOf(t, d.page, invoice)
		return status != "pending" || slices.ContainsFunc(state.Selected.Steps, func(s stepView) bool { return s.What == "Held" })
	}, time.Minute, 20*time.Millisecond)
	return state
}

func reasons(state stateView) string {
	all := ""
	for _, row := range state.Invoices {
		all += row.Chip.Reason + "\n"
	}
	return all
}

// pageAlone is the page without anything that would carry an invoice.
func pageAlone(t *testing.T) (*httptest.Server, *magentosim.Shop, *pgxpool.Pool) {
	t.Helper()
	pool, shop := pgtest.New(t), magentosim.New(magentosim.Config{})
	shop.Connect("5d0bd1a2-0000-4000-8000-000000000001", "key", "http://127.0.0.1:1")
	server := httptest.NewServer(newPage(pageConfig{Shop: shop, Xero: xerosim.New(xerosim.Config{}), Pool: pool, Token: testToken}))
	t.Cleanup(server.Close)
	enter(t, server.URL, testToken.Reveal())
	return server, shop, pool
}

func Test_Demo_page_refuses(t *testing.T) {
	t.Parallel()
	server, shop, pool := pageAlone(t)
	code, _ := post(t, server.URL+"/raise", url.Values{"kind": {"bogus"}}, nil)
	require.Equal(t, http.StatusBadRequest, code)
	code, _ = post(t, server.URL+"/raise", url.Values{"kind": {"plain"}}, map[string]string{"Sec-Fetch-Site": "cross-site"})
	require.Equal(t, http.StatusForbidden, code)
	code, _ = get(t, server.URL+"/raise?kind=plain")
	require.Equal(t, http.StatusMethodNotAllowed, code)
	require.Empty(t, shop.Invoices())
	code, _ = get(t, server.URL+"/xero/nothing")
	require.Equal(t, http.StatusNotFound, code)
	pool.Close()
	code, _ = get(t, server.URL+"/state")
	require.Equal(t, http.StatusServiceUnavailable, code)
}

func Test_Demo_page_shows_an_invoice_before_anything_happens_to_it(t *testing.T) {
	t.Parallel()
	server, shop, _ := pageAlone(t)
	require.Nil(t, stateOf(t, server.URL, "7").Selected)
	cart := Cart()
	evil := "<script>alert(1)</script>"
	cart.Customer.Company = &evil
	shop.RaiseInvoice(cart)
	code, raw := get(t, server.URL+"/state?invoice=1")
	require.Equal(t, http.StatusOK, code)
	require.NotContains(t, string(raw), "<script>")
	state := stateOf(t, server.URL, "1")
	require.Equal(t, 1, state.Total)
	require.Equal(t, chipView{Status: "pending"}, state.Invoices[0].Chip)
	require.Equal(t, evil, state.Invoices[0].BillTo)
	require.Equal(t, []string{"Raised", "Outbox row"}, []string{state.Selected.Steps[0].What, state.Selected.Steps[1].What})
	require.Empty(t, state.Selected.RunURL)
}

// The page and the dashboard show nothing to who has not the token, whatever they
// say of themselves.
func Test_Demo_is_open_to_who_brings_its_token_only(t *testing.T) {
	t.Parallel()
	d := up(t)
	stranger := loopback.Alone(nil)
	for _, address := range []string{
		d.page + "/", d.page + "/state", d.page + "/?token=", d.page + "/?token=x", d.base + "/dashboard/sync",
		d.base + "/dashboard/sync?token=x",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
			require.NoError(t, err)
			req.Host = "localhost"
			req.Header.Set("Cookie", "towpath-00000000=; towpath=x")
			resp, err := stranger.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Contains(t, []int{http.StatusForbidden, http.StatusMethodNotAllowed}, resp.StatusCode, "%s %s", method, address)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.page+"/raise?kind=plain&token="+d.token.Reveal(), nil)
	require.NoError(t, err)
	resp, err := stranger.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "the token opens a page and does nothing else")
	require.Empty(t, d.shop.Invoices())

	resp, err = stranger.Get(d.page + "/?token=" + d.token.Reveal() + "&a=b")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "/?a=b", resp.Header.Get("Location"), "the token stays in no history")
	require.Len(t, resp.Cookies(), 1)
	require.True(t, resp.Cookies()[0].HttpOnly)
}

func Test_Demo_page_has_nothing_inline(t *testing.T) {
	t.Parallel()
	server, _, _ := pageAlone(t)
	for _, path := range []string{"/", "/page.css", "/page.js"} {
		resp, err := browser().Get(server.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NotContains(t, resp.Header.Get("Content-Security-Policy"), "unsafe")
		if path == "/" {
			require.NotRegexp(t, `<style|\sstyle=|\son[a-z]+="|<script>`, string(body))
			require.Contains(t, string(body), "Towpath's dashboard lead to Xero itself")
			for _, kind := range scenarios() {
				require.Contains(t, string(body), `data-raise="`+kind.Name+`"`)
			}
		}
	}
}

// A free order comes to nothing whatever else is in the cart; the others do not.
func Test_Demo_carts(t *testing.T) {
	t.Parallel()
	for _, kind := range scenarios() {
		for n := range 5 {
			total := kind.cart(n).Invoice(1, time.Unix(0, 0)).GrandTotal
			require.Equal(t, kind.Name == "free", total.Equal(decimal.Zero), "%s %d: %s", kind.Name, n, total)
		}
	}
}
