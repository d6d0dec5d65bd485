package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
	"towpath/riverjobs"
)

func Test_A_restart_mends_no_database_that_is_away(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := serve(t, url, all)
	status, stuck := s.Look(t.Context())
	require.NoError(t, stuck)
	require.Equal(t, "serves http://"+s.Addr(), status)

	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	other := pgtest.Empty(t)
	_, err = other.Exec(t.Context(), "ALTER DATABASE "+config.Database+" WITH ALLOW_CONNECTIONS false")
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", config.Database)
	require.NoError(t, err)
	status, stuck = s.Look(t.Context())
	require.NoError(t, stuck)
	require.Contains(t, status, "waits for the database")
	_, err = other.Exec(t.Context(), "ALTER DATABASE "+config.Database+" WITH ALLOW_CONNECTIONS true")
	require.NoError(t, err)
	require.Eventually(t, func() bool { // its heartbeat has to come back first
		status, stuck := s.Look(t.Context())
		return stuck == nil && status == "serves http://"+s.Addr()
	}, time.Minute, 50*time.Millisecond)
}

func Test_A_process_that_is_stuck_is_known(t *testing.T) {
	t.Parallel()
	s := serve(t, pgtest.URL(t), all)
	alive := s.alive
	s.alive = func() error { return errors.New("the workers have stopped") }
	_, stuck := s.Look(t.Context())
	require.ErrorContains(t, stuck, "the workers have stopped")
	s.alive = alive

	beating := s.process
	s.process = &riverjobs.Process{}
	_, stuck = s.Look(t.Context())
	require.ErrorContains(t, stuck, "the heartbeat has stopped")
	s.process = beating

	for range s.pools.pages.Config().MaxConns {
		conn, err := s.pools.pages.Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, stuck = s.Look(ctx)
	require.ErrorContains(t, stuck, "pool pages gives no connection, though the database answers")
}
