package recorder_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/recorder"
)

// A role may have one connection, and the pool would open a second.
func Test_Acquire_waits_for_its_turn_where_the_server_lets_no_more_in(t *testing.T) {
	t.Parallel()
	admin := pgtest.New(t)
	var role string
	require.NoError(t, admin.QueryRow(t.Context(), "SELECT current_database() || '_one'").Scan(&role))
	_, err := admin.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 1")
	require.NoError(t, err)
	address, err := url.Parse(admin.Config().ConnString())
	require.NoError(t, err)
	query := address.Query()
	query.Set("user", role)
	address.RawQuery = query.Encode()
	pool, err := pgxpool.New(t.Context(), address.String())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	_, err = pool.Acquire(t.Context())
	require.True(t, recorder.ServerFull(err), err)
	time.AfterFunc(300*time.Millisecond, held.Release)
	conn, err := recorder.Acquire(t.Context(), pool)
	require.NoError(t, err)
	conn.Release()
}
