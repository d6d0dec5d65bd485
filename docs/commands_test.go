// Package docs_test runs the commands of the documentation.
package docs_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const orgID = "8b7f6a54-0c1d-4e2f-9a3b-5c6d7e8f9012"

// blocks are the shell blocks of a page whose fence says "sh run".
func blocks(t *testing.T, page string) string {
	t.Helper()
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	var script strings.Builder
	for _, match := range regexp.MustCompile("(?s)```sh run\n(.*?)```").FindAllStringSubmatch(string(raw), -1) {
		script.WriteString(match[1])
	}
	require.NotEmpty(t, script.String(), page)
	return script.String()
}

func Test_The_commands_of_operating_work_in_order(t *testing.T) {
	t.Parallel()
	xero := httptest.NewServer(xerosim.New(xerosim.Config{OrgID: orgID, Tokens: []string{"a-token"}}))
	t.Cleanup(xero.Close)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", blocks(t, "operating.md"))
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "BIN="+t.TempDir(), "DATABASE_URL="+pgtest.EmptyURL(t), "SHOP_URL=http://127.0.0.1:1",
		"XERO_API="+xero.URL, "XERO_ORG_ID="+orgID, "XERO_TOKEN=a-token", "TOWPATH_ALLOW_PRIVATE_URLS=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, said := range []string{"the database is up to date", "My shop", "policy version 2 saved", "ok      queue_state", "the shop's grand total 4840.86"} {
		require.Contains(t, string(out), said)
	}
	require.NotContains(t, string(out), "a-token")
	require.NotContains(t, string(out), "not known yet", "the reference data was read")
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
	for _, page := range []string{"../README.md", "operating.md", "reference.md", "performance.md"} {
		raw, err := os.ReadFile(page)
		require.NoError(t, err)
		dir := strings.TrimSuffix(page, page[strings.LastIndex("/"+page, "/"):])
		for _, match := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(raw), -1) {
			_, err := os.Stat(dir + match[1])
			require.NoError(t, err, "%s links to %s", page, match[1])
		}
	}
}
