package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/server"
	"towpath/pkg/shopjwt"
)

// testKey seals the secrets of the tests.
const testKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// adminPassword opens the dashboards of the tests.
const adminPassword = "correct horse battery"

// desk is an operator with a database of his own.
type desk struct {
	env  map[string]string
	pool *pgxpool.Pool
	// binary is the program whose commands it runs; empty: this one.
	binary string

	// After connect: a shop and a simulated Xero, paired and bound.
	shop    *magentosim.Shop
	xero    *xerosim.Sim
	shopURL string
	xeroURL string
	tenant  string
	binding string
	key     string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return deskAt(t, pgtest.URL(t))
}

func deskAt(t *testing.T, url string) *desk {
	t.Helper()
	d := &desk{env: map[string]string{
		"DATABASE_URL": url, "TOWPATH_SECRET_KEY": testKey, "TOWPATH_ALLOW_PRIVATE_URLS": "true", "TOWPATH_LOG_LEVEL": "error", "USER": "ada",
		"TOWPATH_ADMIN_PASSWORD": adminPassword,
	}}
	var err error
	d.pool, err = pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(d.pool.Close)
	return d
}

// with is the same desk with other settings; an empty value takes one away.
func (d *desk) with(env map[string]string) *desk {
	other := *d
	other.env = maps.Clone(d.env)
	maps.Copy(other.env, env)
	maps.DeleteFunc(other.env, func(_, value string) bool { return value == "" })
	return &other
}

// said is what a command printed, and its exit code.
type said struct {
	code     int
	out, err string
}

func (d *desk) run(t *testing.T, args ...string) said {
	t.Helper()
	return d.runContext(t.Context(), args...)
}

func (d *desk) runContext(ctx context.Context, args ...string) said {
	var out, errs bytes.Buffer
	if d.binary == "" {
		code := run(ctx, args, consoleOf(d.env, &out, &errs))
		return said{code: code, out: out.String(), err: errs.String()}
	}
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.environment(), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return said{code: -1, err: err.Error()}
	}
	return said{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
}

// environment is that of its processes.
func (d *desk) environment() []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PGBIN=" + os.Getenv("PGBIN")}
	for name, value := range d.env {
		list = append(list, name+"="+value)
	}
	return list
}

// answering runs a command for a person who types that.
func (d *desk) answering(t *testing.T, typed string, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	io := consoleOf(d.env, &out, &errs)
	io.in, io.asked = strings.NewReader(typed), true
	code := run(t.Context(), args, io)
	return said{code: code, out: out.String(), err: errs.String()}
}

// must runs a command that has to end well.
func (d *desk) must(t *testing.T, args ...string) string {
	t.Helper()
	s := d.run(t, args...)
	require.Zero(t, s.code, "towpath %v: %s", args, s.err)
	return s.out
}

// mustJSON decodes the answer of a command that has to end well, after a look
// at the names of its fields.
func (d *desk) mustJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	raw := []byte(d.must(t, append(args, "--json")...))
	requireSnakeCase(t, raw)
	decode(t, raw, into)
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// requireSnakeCase looks at every field of an object or an array of objects,
// but not into the bodies that belong to others.
func requireSnakeCase(t *testing.T, raw []byte) {
	t.Helper()
	var value any
	decode(t, raw, &value)
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, entry := range v {
				look(entry)
			}
		case map[string]any:
			for name, entry := range v {
				require.Regexp(t, snakeCase, name)
				if !slices.Contains([]string{"body", "policy", "sent", "answer"}, name) {
					look(entry)
				}
			}
		}
	}
	_, object := value.(map[string]any)
	list, array := value.([]any)
	require.True(t, object || array, "neither object nor array: %s", raw)
	for _, entry := range list {
		require.IsType(t, map[string]any{}, entry, "an array of objects")
	}
	look(value)
}

// requireColumns asserts that the fields of an object are named as columns of a
// table, but for those that are said to be more.
func (d *desk) requireColumns(t *testing.T, object map[string]json.RawMessage, table string, more ...string) {
	t.Helper()
	rows, err := d.pool.Query(t.Context(), "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table)
	require.NoError(t, err)
	known := map[string]bool{}
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		known[name] = true
	}
	require.NoError(t, rows.Err())
	for _, name := range more {
		known[name] = true
	}
	for name := range object {
		require.True(t, known[name], "%q is no column of %s", name, table)
	}
}

// file writes a file for a command to read.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

const goodPolicy = `{"default_xero_revenue_account_code":"200","sync_zero_value_invoices":false,
	"tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"}}`

// connect makes a tenant and a binding by the commands.
func (d *desk) connect(t *testing.T) *desk {
	t.Helper()
	d.shop = magentosim.New(magentosim.Config{Events: []string{"invoice.created"}})
	d.xero = xerosim.New(xerosim.Config{OrgID: demo.OrgID, Tokens: []string{"a-token"}})
	shop, xero := httptest.NewServer(d.shop), httptest.NewServer(d.xero)
	t.Cleanup(shop.Close)
	t.Cleanup(xero.Close)
	d.shopURL, d.xeroURL = shop.URL, xero.URL
	d.tenant, d.key = uuid.NewString(), shopjwt.NewAPIKey()
	d.must(t, "tenant", "create", "--name", "Shop", "--magento-url", d.shopURL, "--id", d.tenant, "--api-key", d.key)
	var binding struct{ ID string }
	d.mustJSON(t, &binding, "binding", "create", "--tenant", d.tenant, "--provider", "xero", "--api-url", d.xeroURL,
		"--org-id", demo.OrgID, "--token", "a-token")
	d.binding = binding.ID
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "policy.json", goodPolicy))
	return d
}

// serve starts the server in this process, as the command would, and points
// the shop at it.
func (d *desk) serve(t *testing.T, names ...string) *server.Server {
	t.Helper()
	if len(names) == 0 {
		names = []string{"ingress", "worker", "dashboard"}
	}
	cfg, err := serveCommand{Listen: "127.0.0.1:0", Roles: names, Workers: 4}.config(consoleOf(d.env, io.Discard, io.Discard))
	require.NoError(t, err)
	s, err := server.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	if d.shop != nil {
		d.shop.Connect(d.tenant, d.key, "http://"+s.Addr())
	}
	return s
}

// until asks again and again; nothing here tells of its own.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 60*time.Second, 10*time.Millisecond, what)
}

// status of a run; empty where there is none.
func (d *desk) status(t *testing.T, id string) string {
	t.Helper()
	var run struct{ Status string }
	d.mustJSON(t, &run, "runs", "show", id)
	return run.Status
}

// sample is one of the canonical invoices.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	return canontest.Named(t, name).Raw
}
