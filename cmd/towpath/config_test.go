package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/user"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/outbound"
	"towpath/pkg/server"
)

// serveWith reads serve's configuration out of an environment.
func serveWith(env map[string]string, flags serveCommand) (server.Config, error) {
	full := map[string]string{"DATABASE_URL": "postgres://a@b/c", "TOWPATH_SECRET_KEY": testKey}
	for name, value := range env {
		full[name] = value
	}
	if flags.Workers == 0 {
		flags.Workers, flags.Roles = 20, []string{"ingress"}
	}
	return flags.config(consoleOf(full, io.Discard, io.Discard))
}

func Test_Settings_have_their_defaults(t *testing.T) {
	t.Parallel()
	cfg, err := serveWith(nil, serveCommand{})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", cfg.Listen)
	require.Equal(t, "http://127.0.0.1:8080", cfg.BaseURL)
	require.Equal(t, outbound.Private{}, cfg.AllowPrivate)
	require.Empty(t, cfg.AdminPassword.Reveal())
}

func Test_Every_setting_may_come_from_a_file(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value string
		read  func(server.Config) string
	}{
		"DATABASE_URL":           {"postgres://x@y/z", func(c server.Config) string { return c.DatabaseURL }},
		"TOWPATH_ADMIN_PASSWORD": {"correct horse", func(c server.Config) string { return c.AdminPassword.Reveal() }},
		"TOWPATH_LISTEN":         {"127.0.0.1:9999", func(c server.Config) string { return c.Listen }},
		"TOWPATH_BASE_URL":       {"https://towpath.example", func(c server.Config) string { return c.BaseURL }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := serveWith(map[string]string{name: "", name + "_FILE": file(t, "value", c.value+"\n")}, serveCommand{})
			require.NoError(t, err)
			require.Equal(t, c.value, c.read(cfg), "without the line's end")
		})
	}
	t.Run("TOWPATH_SECRET_KEY", func(t *testing.T) {
		t.Parallel()
		const other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
		cfg, err := serveWith(map[string]string{"TOWPATH_SECRET_KEY": "", "TOWPATH_SECRET_KEY_FILE": file(t, "key", other+"\n")}, serveCommand{})
		require.NoError(t, err)
		same, err := serveWith(map[string]string{"TOWPATH_SECRET_KEY": other}, serveCommand{})
		require.NoError(t, err)
		opened, err := same.Box.Open(cfg.Box.Seal([]byte("sealed"), "place"), "place")
		require.NoError(t, err)
		require.Equal(t, "sealed", string(opened))
	})
	t.Run("TOWPATH_ALLOW_PRIVATE_URLS", func(t *testing.T) {
		t.Parallel()
		cfg, err := serveWith(map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS_FILE": file(t, "on", "true\n")}, serveCommand{})
		require.NoError(t, err)
		require.True(t, cfg.AllowPrivate.All)
		cfg, err = serveWith(map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS": "10.0.0.0/8, 192.168.7.9"}, serveCommand{})
		require.NoError(t, err)
		require.Len(t, cfg.AllowPrivate.Ranges, 2)
		_, err = serveWith(map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS": "on"}, serveCommand{})
		require.ErrorContains(t, err, "TOWPATH_ALLOW_PRIVATE_URLS")
	})
}

func Test_A_flag_wins_over_the_variable_and_that_over_its_file(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"DATABASE_URL": "postgres://variable@host/db", "DATABASE_URL_FILE": file(t, "url", "postgres://file@host/db"),
		"TOWPATH_LISTEN": "127.0.0.1:1111", "TOWPATH_BASE_URL": "https://variable.example",
	}
	cfg, err := serveWith(env, serveCommand{})
	require.NoError(t, err)
	require.Equal(t, "postgres://variable@host/db", cfg.DatabaseURL)
	cfg, err = serveWith(env, serveCommand{
		database: database{DatabaseURL: "postgres://flag@host/db"}, Listen: "127.0.0.1:2222", BaseURL: "https://flag.example/",
		Workers: 7, Roles: []string{"worker"},
	})
	require.NoError(t, err)
	require.Equal(t, "postgres://flag@host/db", cfg.DatabaseURL)
	require.Equal(t, "127.0.0.1:2222", cfg.Listen)
	require.Equal(t, "https://flag.example", cfg.BaseURL)
	require.Equal(t, 7, cfg.Workers)
	require.Equal(t, server.Roles{Worker: true}, cfg.Roles)
}

func Test_Flags_and_files_reach_the_commands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	url := d.env["DATABASE_URL"]
	away := d.with(map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/none"})
	require.Equal(t, exitFailed, away.run(t, "tenant", "list").code)
	away.must(t, "tenant", "list", "--database-url", url)
	d.with(map[string]string{"DATABASE_URL": "", "DATABASE_URL_FILE": file(t, "url", url+"\n")}).must(t, "tenant", "list")
}

func Test_A_file_without_an_end_is_refused_within_bounds(t *testing.T) {
	t.Parallel()
	_, err := readFile("/dev/zero")
	require.EqualError(t, err, "read /dev/zero: larger than 64 MiB")
}

func Test_Output_that_cannot_be_written_is_a_failure(t *testing.T) {
	t.Parallel()
	full := writerFunc(func([]byte) (int, error) { return 0, errors.New("no space left on device") })
	var said bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"monitoring", "runbook"}, consoleOf(nil, full, &said)))
	require.Contains(t, said.String(), "no space left on device")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func Test_Who_acts_is_named_in_the_history(t *testing.T) {
	t.Parallel()
	require.Equal(t, "cli:ada", consoleOf(map[string]string{"USER": "ada"}, io.Discard, io.Discard).who())
	want := strconv.Itoa(os.Getuid())
	if known, err := user.LookupId(want); err == nil {
		want = known.Username
	}
	require.Equal(t, "cli:"+want, consoleOf(nil, io.Discard, io.Discard).who(), "by name also where USER is not set")
}

func Test_Without_a_base_URL_no_link_has_an_empty_or_wildcard_host(t *testing.T) {
	t.Parallel()
	d := &desk{env: map[string]string{"DATABASE_URL": "postgres://a@b/c", "TOWPATH_SECRET_KEY": testKey, "TOWPATH_ADMIN_PASSWORD": adminPassword}}
	for _, listen := range []string{":8080", "0.0.0.0:8080", "[::]:8080"} {
		var said bytes.Buffer
		cfg, err := serveCommand{Listen: listen, Roles: []string{"dashboard"}, Workers: 1}.config(consoleOf(d.env, io.Discard, &said))
		require.NoError(t, err)
		require.Equal(t, "http://127.0.0.1:8080", cfg.BaseURL)
		require.Contains(t, said.String(), "TOWPATH_BASE_URL is not set")
	}
}
