// Package docs_test runs the commands of the documentation.
package docs_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const orgID = "8b7f6a54-0c1d-4e2f-9a3b-5c6d7e8f9012"

// waitReady waits for what a "sh serve" block has started.
const waitReady = `
for i in $(seq 600); do
	curl -fs "$TOWPATH_BASE_URL/readyz" >/dev/null && break
	kill -0 "$SERVE" && sleep 0.1
done
`

// blocks are the shell blocks of a page whose fence says "sh run", in order; those
// that say "sh serve" run beside them, until the script ends.
func blocks(t *testing.T, page string) string {
	t.Helper()
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	var script strings.Builder
	for _, match := range regexp.MustCompile("(?s)```sh (run|serve)\n(.*?)```").FindAllStringSubmatch(string(raw), -1) {
		if match[1] == "serve" {
			require.Equal(t, 1, strings.Count(match[2], "\n"), "one command, so that its process is the one to end")
			script.WriteString(strings.TrimSpace(match[2]) + " >&2 &\nSERVE=$!\ntrap 'kill $SERVE; wait $SERVE || true' EXIT\n" + waitReady)
			continue
		}
		script.WriteString(match[2])
	}
	require.NotEmpty(t, script.String(), page)
	return script.String()
}

// environment is what a page tells its reader to have. The shop runs its cron.
func environment(t *testing.T) (shop *magentosim.Shop, env []string) {
	t.Helper()
	shop = magentosim.New(magentosim.Config{Events: []string{"invoice.created"}})
	srv := httptest.NewServer(shop)
	t.Cleanup(srv.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	return shop, append(os.Environ(), "BIN="+t.TempDir(), "DATABASE_URL="+pgtest.EmptyURL(t), "SHOP_URL="+srv.URL, "CODE="+shop.NewPairingCode(),
		"TOWPATH_LISTEN="+address, "TOWPATH_BASE_URL=http://"+address, "TOWPATH_ALLOW_PRIVATE_URLS=true", "TOWPATH_LOG_LEVEL=warn")
}

// The README's words alone connect a shop, which takes its settings from the
// pairing call and from nowhere else.
func Test_The_words_of_the_README_connect_a_shop(t *testing.T) {
	t.Parallel()
	shop, env := environment(t)
	given := map[string]bool{}
	for _, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		given[name] = true
	}
	raw, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile("(?m)^export (BIN|[A-Z_]+URL|CODE)=").FindAllStringSubmatch(string(raw), -1) {
		require.True(t, given[match[1]], "the README lets its reader set %s", match[1])
		delete(given, match[1])
	}
	require.False(t, given["BIN"] || given["DATABASE_URL"] || given["SHOP_URL"] || given["TOWPATH_BASE_URL"] || given["CODE"],
		"the README names all that its commands need")
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", blocks(t, "../README.md"))
	cmd.Dir, cmd.Env = "..", env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotEmpty(t, shop.TenantID(), "%s", out)
	for _, said := range []string{
		"is paired: tenant " + shop.TenantID(), "The shop answers our calls; its clock is as ours to the second or two.",
		"towpath binding create --tenant " + shop.TenantID() + " --provider xero --client-id ID --client-secret-file FILE",
	} {
		require.Contains(t, string(out), said)
		require.Contains(t, numberless(string(raw)), numberless(strings.ReplaceAll(said, shop.TenantID(), "7d3c1c3e-5f0a-4f5e-9d5e-0a6b1c2d3e4f")), "what the README shows is what is printed")
	}
	require.Contains(t, strings.Join(env, "\n"), "TOWPATH_BASE_URL="+shop.LedgerURL())
}

func numberless(text string) string { return strings.Join(strings.Fields(text), " ") }

func Test_The_commands_of_operating_work_in_order(t *testing.T) {
	t.Parallel()
	xero := httptest.NewServer(xerosim.New(xerosim.Config{OrgID: orgID, Tokens: []string{"a-token"}}))
	t.Cleanup(xero.Close)
	shop, env := environment(t)
	raise, await := till(t, shop)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", blocks(t, "../README.md")+blocks(t, "operating.md")+raiseAndWait)
	cmd.Dir, cmd.Env = "..", append(env, "XERO_API="+xero.URL, "XERO_ORG_ID="+orgID, "XERO_TOKEN=a-token", "RAISE="+raise, "AWAIT="+await)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, said := range []string{"the database is up to date", "My shop", "policy version 2 saved", "ok      queue_state", "the shop's grand total 4840.86"} {
		require.Contains(t, string(out), said)
	}
	require.NotContains(t, string(out), "a-token")
	require.NotContains(t, string(out), "not known yet", "the reference data was read")
	require.Equal(t, "synced", shop.Chip("invoice", 1).Status, "%s", out)
}

// raiseAndWait has the shop raise an invoice, and waits until Towpath is done with
// it: the shop was told.
const raiseAndWait = `
curl -fsS -X POST "$RAISE"
for i in $(seq 600); do
	towpath runs list --status succeeded | grep -q invoice.created && break
	sleep 0.1
done
towpath runs list
curl -fsS -X POST "$AWAIT"
`

// till is a shop's staff: they raise an invoice, and wait for its chip while the
// cron runs.
func till(t *testing.T, shop *magentosim.Shop) (raise, await string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /raise", func(w http.ResponseWriter, _ *http.Request) {
		shop.RaiseInvoice(magentosim.Cart{PaymentMethod: "checkmo", Items: []magentosim.Item{
			{SKU: "ROPE", Name: "Rope", Price: decimal.NewFromInt(10), Qty: decimal.NewFromInt(2), TaxPercent: decimal.NewFromInt(20)},
		}})
		if done, err := shop.Drain(context.WithoutCancel(t.Context())); err != nil || done.Succeeded != 1 {
			http.Error(w, fmt.Sprintf("%+v %v", done, err), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /await", func(w http.ResponseWriter, r *http.Request) {
		chip, err := shop.WaitChip(r.Context(), 1)
		if err != nil || chip.Status != "synced" {
			http.Error(w, fmt.Sprintf("%+v %v", chip, err), http.StatusInternalServerError)
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL + "/raise", srv.URL + "/await"
}

func Test_The_README_names_the_two_commands(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, command := range []string{"```sh\ngo run ./cmd/towpath demo\n```", "```sh\ngo test ./...\n```"} {
		require.Contains(t, string(raw), command)
	}
}

func Test_Links_between_pages_lead_somewhere(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"../README.md", "install.md", "operating.md", "reference.md", "performance.md"} {
		raw, err := os.ReadFile(page)
		require.NoError(t, err)
		dir := strings.TrimSuffix(page, page[strings.LastIndex("/"+page, "/"):])
		for _, match := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(raw), -1) {
			_, err := os.Stat(dir + match[1])
			require.NoError(t, err, "%s links to %s", page, match[1])
		}
	}
}
