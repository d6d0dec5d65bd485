package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"towpath/pkg/pgdb"
)

// How long a look waits for a new connection to the database, and for one of a pool.
const (
	connectPatience = 5 * time.Second
	poolPatience    = 10 * time.Second
)

// Look says how this process stands, for people, and what of it a restart may mend. A
// database that does not answer is no such thing: the process waits for it and goes on
// by itself, and one that was restarted could not even start (decision 20).
func (s *Server) Look(ctx context.Context) (status string, stuck error) {
	if err := s.databaseAnswers(ctx); err != nil {
		return "waits for the database, which does not answer; events are answered 503 and sent again", nil
	}
	for _, mends := range []func(context.Context) error{s.poolsGive, s.workersWork} {
		if err := mends(ctx); err != nil {
			return "", err
		}
	}
	return "serves http://" + s.addr, nil
}

// databaseAnswers asks over a connection of its own: a pool that gives none says nothing
// of the database.
func (s *Server) databaseAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	conn, err := pgdb.Connect(ctx, pgdb.Config{URL: s.cfg.DatabaseURL})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return conn.Ping(ctx)
}

// poolsGive asks every pool for a connection that answers.
func (s *Server) poolsGive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, poolPatience)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for name, pool := range s.pools.named() {
		group.Go(func() error {
			if err := pool.Ping(ctx); err != nil {
				return fmt.Errorf("pool %s gives no connection, though the database answers: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// workersWork asks the workers, if this process has any.
func (s *Server) workersWork(ctx context.Context) error {
	if s.alive == nil {
		return nil
	}
	if err := s.alive(); err != nil {
		return err
	}
	if !s.process.Alive() {
		return errors.New("the heartbeat has stopped, though the database answers")
	}
	return s.progress.Stuck(ctx)
}

// named are the pools by the names that the metrics know them by.
func (p pools) named() map[string]*pgxpool.Pool {
	return map[string]*pgxpool.Pool{"web": p.web, "pages": p.pages, "river": p.river, "work": p.work}
}
