package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/server"
)

// LargeFigure is a database with many ended runs beside the same one with few.
type LargeFigure struct {
	Ended  int64         `json:"ended_runs"`
	Few    HotFigure     `json:"few"`
	Many   HotFigure     `json:"many"`
	Tables []TableFigure `json:"tables"`
	Reads  []ReadFigure  `json:"reads"`
}

// HotFigure is the way of a run through the pipeline.
type HotFigure struct {
	P50MS     float64 `json:"idle_p50_ms"`
	P99MS     float64 `json:"idle_p99_ms"`
	PerSecond float64 `json:"backlog_runs_per_second"`
	// Rows are those that were read for a run of the backlog, in all tables; Blocks those of
	// tables and indexes that were touched. They say what a time on a busy machine does not.
	Rows   float64 `json:"rows_read_per_run"`
	Blocks float64 `json:"blocks_touched_per_run"`
}

// TableFigure is what a table has, for each run.
type TableFigure struct {
	Table      string  `json:"table"`
	Rows       int64   `json:"rows"`
	PerRun     float64 `json:"rows_per_run"`
	Bytes      float64 `json:"bytes_per_run"` // with what is stored beside it
	IndexBytes float64 `json:"index_bytes_per_run"`
}

// large measures the pipeline before and after the ended runs come, and then what reads them.
func (b *measurement) large(ctx context.Context) error {
	s, err := b.newSite(ctx, largeDatabase, 3, server.Roles{Ingress: true, Worker: true})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := s.models(ctx); err != nil {
		return fmt.Errorf("raise what is copied: %w", err)
	}
	raised := time.Now()
	f := &LargeFigure{}
	if f.Few, err = b.hot(ctx, s); err != nil {
		return fmt.Errorf("measure with few ended runs: %w", err)
	}
	if err := multiply(ctx, s.pool, raised, b.cfg.Ended, func(int64) {}); err != nil {
		return err
	}
	if f.Many, err = b.hot(ctx, s); err != nil {
		return fmt.Errorf("measure with %d ended runs: %w", b.cfg.Ended, err)
	}
	if f.Tables, err = s.tables(ctx); err != nil {
		return err
	}
	f.Ended = f.Tables[0].Rows
	if f.Reads, err = b.reads(ctx, s); err != nil {
		return err
	}
	b.report.Large = f
	return nil
}

// hot measures runs one at a time, then a backlog.
func (b *measurement) hot(ctx context.Context, s *site) (HotFigure, error) {
	if err := s.serve(ctx, server.Roles{Ingress: true, Worker: true}); err != nil {
		return HotFigure{}, err
	}
	idle, err := b.idle(ctx, s)
	if err != nil {
		return HotFigure{}, err
	}
	s.server.Stop() // its sessions tell what they read when they end
	rows, blocks, err := s.touched(ctx)
	if err != nil {
		return HotFigure{}, err
	}
	drained, err := b.drain(ctx, s)
	if err != nil {
		return HotFigure{}, err
	}
	s.server.Stop()
	rowsAfter, blocksAfter, err := s.touched(ctx)
	runs := float64(drained.Runs + min(drained.Runs, mostWatched))
	return HotFigure{P50MS: idle.P50MS, P99MS: idle.P99MS, PerSecond: drained.PerSecond, Rows: float64(rowsAfter-rows) / runs, Blocks: float64(blocksAfter-blocks) / runs}, err
}

// touched are the rows that were read so far, and the blocks of tables and indexes.
func (s *site) touched(ctx context.Context) (rows, blocks int64, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)::bigint,
			(SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)) FROM pg_statio_user_tables)::bigint`).Scan(&rows, &blocks)
	if err != nil {
		return 0, 0, fmt.Errorf("read what was read: %w", err)
	}
	return rows, blocks, nil
}

// tables has sync_runs first, then what belongs to runs.
func (s *site) tables(ctx context.Context) ([]TableFigure, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT relname::text, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid)
		FROM pg_class
		WHERE oid = ANY (ARRAY['sync_runs', 'sync_run_events', 'run_calls', 'run_search', 'entity_xref', 'provider_intents']::regclass[])
		ORDER BY relname <> 'sync_runs', 3 DESC`)
	if err != nil {
		return nil, fmt.Errorf("read sizes: %w", err)
	}
	figures, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Table                string
		Rows, Bytes, Indexes int64
	}])
	if err != nil {
		return nil, fmt.Errorf("read sizes: %w", err)
	}
	var tables []TableFigure
	for _, f := range figures {
		runs := float64(max(figures[0].Rows, 1))
		tables = append(tables, TableFigure{f.Table, f.Rows, float64(f.Rows) / runs, float64(f.Bytes) / runs, float64(f.Indexes) / runs})
	}
	return tables, nil
}
