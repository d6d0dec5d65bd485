package riverjobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
)

// keepShares admits once a second what a pause that ended, or two transactions
// that did not see each other, left waiting for its turn (see the shares in
// sql/functions), until ctx ends. It has a connection of its own: the beat must not
// wait for it. If the process stops, any other does the same.
func (p *Process) keepShares(ctx context.Context) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx)) // nothing is lost with it
		}
	}()
	ticker := time.NewTicker(livenessInterval)
	defer ticker.Stop()
	for {
		var err error
		if conn, err = p.kept(ctx, conn); err != nil && ctx.Err() == nil {
			p.logger.WarnContext(ctx, "shares of the queue", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// kept does it once, on a new connection where the old one broke.
func (p *Process) kept(ctx context.Context, conn *pgx.Conn) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if conn == nil || conn.IsClosed() {
		fresh, err := pgdb.Connect(ctx, p.db)
		if err != nil {
			return conn, fmt.Errorf("connect: %w", err)
		}
		conn = fresh
	}
	if _, err := dbsqlc.New().QueueKeepShares(ctx, conn); err != nil {
		return conn, fmt.Errorf("keep: %w", err)
	}
	return conn, nil
}
