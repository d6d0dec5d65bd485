package pgdb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// with adds a setting to an address.
func with(t *testing.T, address, name, value string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	query := parsed.Query()
	query.Set(name, value)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func TestOpen(t *testing.T) {
	t.Parallel()
	address := pgtest.EmptyURL(t)

	t.Run("Settings", func(t *testing.T) {
		t.Parallel()
		for name, test := range map[string]struct {
			config pgdb.Config
			show   string
			want   string
		}{
			"Application_name":        {pgdb.Config{URL: address}, "application_name", "towpath"},
			"Application_name_chosen": {pgdb.Config{URL: address, ApplicationName: "worker"}, "application_name", "worker"},
			"Application_name_of_the_address_wins": {
				pgdb.Config{URL: with(t, address, "application_name", "mine"), ApplicationName: "worker"}, "application_name", "mine",
			},
			"Tables_are_in_public": {pgdb.Config{URL: address}, "search_path", "public"},
			"No_statement_timeout": {pgdb.Config{URL: address}, "statement_timeout", "0"},
			"Isolation":            {pgdb.Config{URL: with(t, address, "options", "-cgeqo=off")}, "default_transaction_isolation", "read committed"},
			"Options_of_the_address_win": {
				pgdb.Config{URL: with(t, address, "options", "-cdefault_transaction_isolation=serializable")}, "default_transaction_isolation", "serializable",
			},
			"Setting_of_the_address_wins":  {pgdb.Config{URL: with(t, address, "lock_timeout", "3000")}, "lock_timeout", "3s"},
			"Statement_timeout":            {pgdb.Config{URL: address, StatementTimeout: 1500 * time.Millisecond}, "statement_timeout", "1500ms"},
			"Plans_are_the_server's":       {pgdb.Config{URL: address}, "plan_cache_mode", "auto"},
			"Plans_of_worker_transactions": {pgdb.Config{URL: address, GenericPlans: true}, "plan_cache_mode", "force_generic_plan"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pool, err := pgdb.Open(t.Context(), test.config)
				require.NoError(t, err)
				defer pool.Close()
				var got string
				require.NoError(t, pool.QueryRow(t.Context(), "SHOW "+test.show).Scan(&got))
				require.Equal(t, test.want, got)
			})
		}
	})

	t.Run("Number_of_connections", func(t *testing.T) {
		t.Parallel()
		for _, test := range []struct {
			config pgdb.Config
			want   int32
		}{
			{pgdb.Config{URL: address}, 16},
			{pgdb.Config{URL: address, MaxConns: 3}, 3},
			{pgdb.Config{URL: with(t, address, "pool_max_conns", "5"), MaxConns: 3}, 5},
		} {
			pool, err := pgdb.Open(t.Context(), test.config)
			require.NoError(t, err)
			require.Equal(t, test.want, pool.Config().MaxConns)
			pool.Close()
		}
	})

	t.Run("Refused_without_an_address", func(t *testing.T) {
		t.Parallel()
		_, err := pgdb.Open(t.Context(), pgdb.Config{})
		require.ErrorContains(t, err, "set DATABASE_URL")
	})

	t.Run("Refused_with_a_negative_limit", func(t *testing.T) {
		t.Parallel()
		_, err := pgdb.Open(t.Context(), pgdb.Config{URL: address, MaxConns: -1})
		require.ErrorContains(t, err, "negative")
	})

	t.Run("Silent_server_is_given_up_after_the_timeout", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = pgdb.Open(ctx, pgdb.Config{
			URL:            fmt.Sprintf("postgres://u:p@%s/db?sslmode=disable", listener.Addr()),
			ConnectTimeout: 50 * time.Millisecond,
		})
		require.Error(t, err)
		require.NoError(t, ctx.Err(), "the caller's patience ended first")
	})
}

// With -tags=nopgxregisterdefaulttypes too, which releases are built with.
func Test_Strings_are_sent_for_an_enum_in_COPY_and_in_an_array(t *testing.T) {
	t.Parallel()
	type color string
	pool, err := pgdb.Open(t.Context(), pgdb.Config{URL: pgtest.EmptyURL(t)})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "CREATE TYPE color AS ENUM ('red', 'blue'); CREATE TABLE walls (color color)")
	require.NoError(t, err)
	_, err = pool.CopyFrom(t.Context(), pgx.Identifier{"walls"}, []string{"color"}, pgx.CopyFromRows([][]any{{color("red")}, {"blue"}, {nil}}))
	require.NoError(t, err)
	var colors []string
	err = pool.QueryRow(t.Context(), "SELECT array_agg(color ORDER BY color) FROM walls WHERE color = ANY($1::color[])", []string{"red", "blue"}).Scan(&colors)
	require.NoError(t, err)
	require.Equal(t, []string{"red", "blue"}, colors)
}

func TestOpenErrorWithoutPassword(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	closed := closedPort(t)
	for name, address := range map[string]string{
		"Nobody_listens":           "postgres://me:" + secret + "@" + closed + "/db?sslmode=disable",
		"No_such_role":             with(t, with(t, pgtest.EmptyURL(t), "user", "stranger"), "password", secret),
		"No_such_database":         with(t, strings.Replace(pgtest.EmptyURL(t), "/test_", "/none_", 1), "password", secret),
		"No_such_host":             "postgres://me:" + secret + "@no-such-host.invalid/db",
		"Slash_in_it":              "postgres://me:x/" + secret + "@localhost/db",
		"Slash_after_it":           "postgres://me:" + secret + "/x@localhost/db",
		"Question_mark_in_it":      "postgres://me:1?" + secret + "@localhost/db",
		"Hash_in_it":               "postgres://me:1#" + secret + "@localhost/db",
		"At_sign_and_slash_in_it":  "postgres://me:x@" + secret + "/y@localhost/db",
		"Space_in_it":              "postgres://me:x " + secret + "@localhost/db",
		"Percent_sign_in_it":       "postgres://me:100%" + secret + "@localhost/db",
		"Bad_port":                 "postgres://me:" + secret + "@localhost:port/db",
		"Pairs_with_a_space_in_it": "host=localhost password=x " + secret + " dbname=db",
		"Pairs_with_a_bad_port":    "host=localhost port=x password=" + secret,
		"Only_the_password":        secret,
		"Another_scheme":           "mysql://me:" + secret + "@localhost/db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pgdb.Open(t.Context(), pgdb.Config{URL: address, ConnectTimeout: 2 * time.Second})
			require.Error(t, err)
			for ; err != nil; err = errors.Unwrap(err) {
				require.NotContains(t, err.Error(), secret)
				require.NotContains(t, fmt.Sprintf("%+v", err), secret)
			}
		})
	}
}

func Test_What_is_wrong_with_a_database_is_said_in_one_line(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ address, want string }{
		"nobody listens": {"postgres://me@" + closedPort(t) + "/db", "connection refused: nobody listens at 127.0.0.1:"},
		"no role":        {with(t, pgtest.EmptyURL(t), "user", "stranger"), `there is no role "stranger"`},
		"no database":    {strings.Replace(pgtest.EmptyURL(t), "/test_", "/none_", 1), "there is no database"},
		"sslmode":        {"postgres://me@localhost/db?sslmode=on", "sslmode of the database's address is none of disable"},
		"exec mode":      {"postgres://me@localhost/db?default_query_exec_mode=exec", "default_query_exec_mode of the database's address must be"},
		"port":           {"postgres://me@localhost:99999/db", "not 1 to 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pgdb.Open(t.Context(), pgdb.Config{URL: c.address, ConnectTimeout: 5 * time.Second})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 250, err)
		})
	}
}

// closedPort returns a loopback address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}
