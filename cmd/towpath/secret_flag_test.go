package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/shopjwt"
)

const shownWarning = "shows in the process list"

// secretFlagsOf lists the flags of every command that carry a secret by their
// name, as "command --flag".
func secretFlagsOf(t *testing.T) map[string]*kong.Node {
	t.Helper()
	var cli commands
	parser, err := kong.New(&cli, kong.Name("towpath"), kong.Writers(io.Discard, io.Discard), variables())
	require.NoError(t, err)
	secretName := regexp.MustCompile(`(^|-)(token|secret|password|key)$`)
	found := map[string]*kong.Node{}
	for _, leaf := range parser.Model.Leaves(false) {
		for _, f := range leaf.Flags {
			if secretName.MatchString(f.Name) {
				found[leaf.Path()+" --"+f.Name] = leaf
			}
		}
	}
	return found
}

func Test_Every_flag_with_a_secret_has_a_form_by_file(t *testing.T) {
	t.Parallel()
	flags := secretFlagsOf(t)
	require.GreaterOrEqual(t, len(flags), 6, "they are found")
	for name, node := range flags {
		_, flag, _ := strings.Cut(name, " --")
		require.True(t, hasFlag(node, flag+"-file"), name)
	}
}

func hasFlag(node *kong.Node, name string) bool {
	for _, f := range node.Flags {
		if f.Name == name {
			return true
		}
	}
	return false
}

func Test_A_secret_by_flag_warns_and_by_file_does_not(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	key := shopjwt.NewAPIKey()
	create := []string{"tenant", "create", "--name", "Shop", "--magento-url", d.shopURL}
	for name, c := range map[string]struct {
		flag   string
		args   []string
		secret string
	}{
		"a new tenant's key": {"api-key", create, key},
		"another key":        {"api-key", []string{"tenant", "rotate-key", "--by-hand", d.tenant}, key},
		"a token":            {"token", []string{"binding", "token", d.binding}, "a-token"},
		// Fails afterwards, since the binding has no app.
		"an app's secret": {"client-secret", []string{"binding", "connect", d.binding}, "hunter2hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := d.run(t, append(c.args, "--"+c.flag, c.secret)...)
			require.Contains(t, shown.err, "--"+c.flag+" is given "+shownWarning)
			require.Contains(t, shown.err, "--"+c.flag+"-file FILE")
			require.NotContains(t, shown.err+shown.out, c.secret)
			kept := d.run(t, append(c.args, "--"+c.flag+"-file", file(t, "secret", c.secret+"\n"))...)
			require.NotContains(t, kept.err, shownWarning)
			// Whether the ledger could be reached is not asked here.
			require.Equal(t, shown.code == exitUsage, kept.code == exitUsage)
		})
	}
	both := d.run(t, append(create, "--api-key", key, "--api-key-file", "f")...)
	require.Equal(t, exitUsage, both.code)
	require.Contains(t, both.err, "--api-key and --api-key-file are both set")
}

func Test_A_key_from_a_file_is_the_shops(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key, id := shopjwt.NewAPIKey(), uuid.NewString()
	out := d.must(t, "tenant", "create", "--name", "Shop", "--magento-url", "http://127.0.0.1:1", "--id", id, "--api-key-file", file(t, "key", key+"\n"))
	require.NotContains(t, out, key, "the shop has it already")
	refused := d.run(t, "tenant", "rotate-key", "--by-hand", id, "--api-key-file", file(t, "key", "short"))
	require.Equal(t, exitUsage, refused.code)
	require.NotContains(t, refused.err, "short\"")
}

func Test_A_database_address_warns_only_with_a_password(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for address, warns := range map[string]bool{
		"postgres://u:hunter2hunter2@127.0.0.1:1/none":         true,
		"postgres://u@127.0.0.1:1/none?password=hunter2hunter": true,
		"postgres://u@127.0.0.1:1/none":                        false,
	} {
		s := d.run(t, "tenant", "list", "--database-url", address)
		require.Equal(t, warns, strings.Contains(s.err, shownWarning), address)
		require.NotContains(t, s.err, "hunter2")
	}
	away := d.with(map[string]string{"DATABASE_URL": "postgres://u:hunter2hunter2@127.0.0.1:1/none"})
	require.NotContains(t, away.run(t, "tenant", "list").err, shownWarning, "a variable is not in the process list")
}
