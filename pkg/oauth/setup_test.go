package oauth_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/loopback"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
)

func TestMain(m *testing.M) {
	if raw := os.Getenv(otherProcess); raw != "" {
		actAsOtherProcess(raw)
	}
	pgtest.Main(m)
}

const (
	key       = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	orgUK     = "8b7f6a54-0c1d-4e2f-9a3b-5c6d7e8f9012"
	orgUS     = "0d5b1f0e-7a53-4c1c-8f0e-2b6a9d3c4e5f"
	appSecret = "the-apps-client-secret-0123456789"
	getToken  = "POST /connect/token"
)

// The apps that the simulated identity server knows.
const (
	webApp    = "WEBAPP"
	nativeApp = "NATIVEAPP"
	customApp = "CUSTOMAPP"
)

// bundle is a keeper on a database of its own with a simulated Xero.
type bundle struct {
	pool     *pgxpool.Pool
	box      *secret.Box
	identity *xerosim.Identity
	sim      *xerosim.Sim
	xero     *httptest.Server
	base     string // this Towpath's own address
	keeper   *oauth.Keeper
	pages    *oauth.Pages
	browser  *http.Client
	binding  uuid.UUID
	logs     *buffer
	counts   *counter
	clock    *clock // of the identity server
	paused   *clock // of the keeper
	released []uuid.UUID
}

// setup makes a bundle with one binding of the app, not connected yet.
func setup(t *testing.T, app string) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), box: boxOf(t, key), logs: &buffer{}, counts: &counter{seen: map[string]int{}},
		clock: &clock{now: time.Now()}, paused: &clock{now: time.Now()}}
	mux := http.NewServeMux()
	towpath := httptest.NewServer(mux)
	t.Cleanup(towpath.Close)
	b.base = strings.Replace(towpath.URL, "127.0.0.1", "localhost", 1)
	redirects := []string{b.base + oauth.CallbackPath}
	b.identity = xerosim.NewIdentity(xerosim.IdentityConfig{Now: b.clock.Now, Apps: []xerosim.App{
		{ID: webApp, Secret: appSecret, Redirects: redirects},
		{ID: nativeApp, Redirects: redirects},
		{ID: customApp, Secret: appSecret, Custom: orgUK},
	}}, xerosim.Organisation{ID: orgUK, Name: "Demo Company (UK)"}, xerosim.Organisation{ID: orgUS, Name: "Demo <b>Company</b> (US)"})
	b.sim = xerosim.New(xerosim.Config{})
	b.xero = httptest.NewServer(b.identity.Guard(b.sim))
	t.Cleanup(b.xero.Close)
	b.keeper = b.newKeeper(t, outbound.New(outbound.Config{AllowPrivate: true}))
	b.pages = oauth.NewPages(b.keeper, b.base)
	mux.HandleFunc("GET "+oauth.StartPath, func(w http.ResponseWriter, r *http.Request) { b.pages.Start(w, r) })
	mux.HandleFunc("GET "+oauth.CallbackPath, func(w http.ResponseWriter, r *http.Request) { b.pages.Callback(w, r) })
	b.browser = newBrowser(t)
	b.binding = b.newBinding(t, app, "")
	return b
}

// newBrowser keeps cookies.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return loopback.Browser(jar)
}

func boxOf(t require.TestingT, keys string) *secret.Box {
	box, err := secret.ParseKeys(keys)
	require.NoError(t, err)
	return box
}

func (b *bundle) newKeeper(t *testing.T, client *http.Client) *oauth.Keeper {
	t.Helper()
	keeper, err := oauth.New(oauth.Config{
		Pool: b.pool, Box: b.box, HTTP: client, Now: b.paused.Now, Count: b.counts.count, CallTimeout: 15 * time.Second,
		Logger: slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Release: func(_ context.Context, _ pgx.Tx, id uuid.UUID, version int32) (int, error) {
			b.released = append(b.released, id)
			return 40 + int(version), nil
		},
	})
	require.NoError(t, err)
	return keeper
}

// newBinding stores a tenant and its binding of an app, as binding create does.
func (b *bundle) newBinding(t *testing.T, app, orgID string) uuid.UUID {
	t.Helper()
	q, ctx, id, tenant := dbsqlc.New(), t.Context(), uuid.New(), uuid.New()
	require.NoError(t, q.TenantInsert(ctx, b.pool, dbsqlc.TenantInsertParams{ID: tenant, Name: "shop", MagentoUrl: "https://shop.example",
		ApiKeySealed: b.box.Seal([]byte("the-shops-api-key"), secret.Place(secret.TenantAPIKey, tenant.String())), ConnectionStatus: "active"}))
	require.NoError(t, q.BindingInsert(ctx, b.pool, dbsqlc.BindingInsertParams{ID: id, TenantID: tenant, Provider: "xero",
		Wire: "accounting", ApiUrl: b.xero.URL, OrgID: orgID}))
	require.NoError(t, q.PolicyInsert(ctx, b.pool, dbsqlc.PolicyInsertParams{BindingID: id, Version: 1, Policy: policy.Encode(policy.Default())}))
	b.exec(t, `UPDATE bindings SET status = 'needs_consent' WHERE id = $1`, id)
	row := dbsqlc.OAuthGrantInsertParams{BindingID: id, Kind: oauth.AuthorizationCode, ClientID: app, IdentityUrl: b.xero.URL}
	if app != nativeApp {
		row.ClientSecretSealed = oauth.SealClientSecret(b.box, id, appSecret)
	}
	if app == customApp {
		row.Kind = oauth.ClientCredentials
	}
	require.NoError(t, q.OAuthGrantInsert(ctx, b.pool, row))
	return id
}

// connected is setup with the consent given.
func connected(t *testing.T) *bundle {
	t.Helper()
	b := setup(t, webApp)
	b.consent(t, b.binding)
	return b
}

// consent gives the consent as a browser does, and wants it to work.
func (b *bundle) consent(t *testing.T, binding uuid.UUID) {
	t.Helper()
	status, page := b.browse(t, b.consentURL(t, binding))
	require.Equal(t, http.StatusOK, status, page)
}

// link is what a person is given to follow.
func (b *bundle) link(t *testing.T, binding uuid.UUID) string {
	t.Helper()
	address, err := b.keeper.Consent(t.Context(), binding, b.base)
	require.NoError(t, err)
	return address
}

// consentURL is the provider's address that the browser is led to.
func (b *bundle) consentURL(t *testing.T, binding uuid.UUID) string {
	t.Helper()
	return b.callback(t, oauth.GoOn(b.link(t, binding)))
}

// browse follows an address and its redirects.
func (b *bundle) browse(t *testing.T, address string) (status int, page string) {
	t.Helper()
	resp, err := b.browser.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

// callback is where an address would send the browser, such as the identity
// server's after the consent.
func (b *bundle) callback(t *testing.T, consentURL string) string {
	t.Helper()
	client := loopback.Alone(b.browser.Jar)
	resp, err := client.Get(consentURL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 3, resp.StatusCode/100)
	return resp.Header.Get("Location")
}

// pass lets time pass for the stored tokens and at the identity server.
func (b *bundle) pass(t *testing.T, d time.Duration) {
	t.Helper()
	b.exec(t, `UPDATE oauth_grants SET issued_at = issued_at - $1::interval, refresh_at = refresh_at - $1::interval,
		expires_at = expires_at - $1::interval, refused_at = refused_at - $1::interval`, d)
	b.clock.add(d)
}

func (b *bundle) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// row reads one value as text.
func (b *bundle) row(t *testing.T, query string, args ...any) string {
	t.Helper()
	var value *string
	require.NoError(t, b.pool.QueryRow(t.Context(), query, args...).Scan(&value))
	if value == nil {
		return "null"
	}
	return *value
}

func (b *bundle) status(t *testing.T) string {
	t.Helper()
	return b.row(t, `SELECT status FROM bindings WHERE id = $1`, b.binding)
}

// token wants a token that lives.
func (b *bundle) token(t *testing.T) string {
	t.Helper()
	token, err := b.keeper.Source(b.binding).Token(t.Context())
	require.NoError(t, err)
	require.True(t, b.identity.Lives(token))
	return token
}

// noToken wants a failure of a kind.
func (b *bundle) noToken(t *testing.T, kind provider.Kind) *provider.Failure {
	t.Helper()
	_, err := b.keeper.Source(b.binding).Token(t.Context())
	var f *provider.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, kind, f.Kind, err)
	return f
}

// hang makes the next answer of the token endpoint wait for goOn; struck waits
// until it does. The test's end lets it go.
func (b *bundle) hang(t *testing.T) (struck, goOn func()) {
	t.Helper()
	gate := make(chan struct{})
	goOn = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(goOn)
	b.identity.Inject(xerosim.Fault{Operation: getToken, When: xerosim.After, Hang: gate})
	return func() {
		t.Helper()
		require.Eventually(t, func() bool { return b.identity.Waiting() == 0 }, 20*time.Second, 2*time.Millisecond)
	}, goOn
}

// queryOf is the query of an address.
func queryOf(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

// lines are the log's lines of a level.
func (b *bundle) lines(t *testing.T, level string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(b.logs.String()) {
		var said struct{ Level, Msg string }
		require.NoError(t, json.Unmarshal([]byte(line), &said))
		if said.Level == level {
			found = append(found, said.Msg)
		}
	}
	return found
}

type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

type counter struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *counter) count(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[event]++
}

func (c *counter) of(event string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[event]
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

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// dump is every row of every table of ours and River's, as text.
func (b *bundle) dump(t *testing.T) string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'river')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	var out strings.Builder
	for _, table := range tables {
		out.WriteString(b.row(t, `SELECT coalesce(string_agg(row_to_json(r)::text, E'\n'), '') FROM `+table+` AS r`))
	}
	return out.String()
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }
