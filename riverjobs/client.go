package riverjobs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
)

// Schema is the Postgres schema of River's tables.
const Schema = "river"

// Client is River's client on pgx.
type Client = river.Client[pgx.Tx]

// NewInserter makes a client that inserts and changes jobs and works none: it
// never leads, so it may know no workers.
func NewInserter(pool *pgxpool.Pool, logger *slog.Logger) (*Client, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: Schema, Logger: quiet(logger), SkipUnknownJobCheck: true,
		// River notifies at most once in a cooldown, counted from the insert and not
		// from the commit: a longer one leaves the second of two webhooks to the poll.
		FetchCooldown: time.Millisecond,
	})
	if err != nil {
		return nil, fmt.Errorf("make river client: %w", err)
	}
	return client, nil
}

// NewWorker makes the client that works all kinds. riverPool is River's own;
// the transactions of the workers use cfg.Pool. clientID is the process's, as
// Join gave it. Every worker client knows every kind: one that did not would,
// as leader, discard the others' stuck jobs.
func NewWorker(riverPool *pgxpool.Pool, clientID string, cfg Config) (*Client, error) {
	p := &pipeline{Config: cfg, who: clientID, queries: dbsqlc.New()}
	p.ends, p.intents = newEnds(cfg.Pool, clientID), newIntents(cfg.Pool)
	p.lookups = newLookups(cfg.Pool)
	workers := river.NewWorkers()
	queues := map[string]river.QueueConfig{}
	for _, k := range kinds() {
		k.work(workers, p)
		queues[k.name] = river.QueueConfig{MaxWorkers: cfg.Workers}
	}
	client, err := river.NewClient(riverpgxv5.New(riverPool), &river.Config{
		ID:                   clientID,
		Schema:               Schema,
		Logger:               quiet(cfg.Logger),
		Queues:               queues,
		Workers:              workers,
		MaxAttempts:          maxAttempts,
		RetryPolicy:          retryPolicy{now: cfg.Now, first: orDefault(cfg.FirstDelay, time.Second)},
		RescueStuckJobsAfter: rescueAfter,
		SoftStopTimeout:      cfg.SoftStop,
		FetchCooldown:        5 * time.Millisecond,
		ReindexerIndexNames:  indexesOfJobs(),
		Hooks: []rivertype.Hook{&fetchTimes{metrics: cfg.Metrics}, river.HookWorkBeginFunc(func(context.Context, *rivertype.JobRow) error {
			cfg.Progress.begins()
			return nil
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("make river client: %w", err)
	}
	return client, nil
}

// fetchTimes counts how long River's look for jobs takes. A queue is named as its kind.
type fetchTimes struct {
	river.HookDefaults
	metrics *metrics.Metrics
}

// MetricEmit is told by River, on its own goroutine.
func (f *fetchTimes) MetricEmit(_ context.Context, params *rivertype.HookMetricEmitParams) {
	if fetched, ok := params.Metric.(*rivertype.JobGetAvailableDurationMetric); ok {
		f.metrics.QueueFetch(fetched.Queue, fetched.Duration)
	}
}

// indexesOfJobs are River's own that are there to be rebuilt at night: a migration drops
// the two for searches in arguments and metadata.
func indexesOfJobs() []string {
	return slices.DeleteFunc(river.ReindexerIndexNamesDefault(), func(name string) bool {
		return name == "river_job_args_index" || name == "river_job_metadata_index"
	})
}

// newClientID names this process among all that share the database.
func newClientID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s-%d-%s", strings.ReplaceAll(host, " ", "_"), os.Getpid(), uuid.NewString()[:8])
}

// quiet keeps River's own words for what goes wrong: the pipeline logs one line
// an attempt itself.
func quiet(logger *slog.Logger) *slog.Logger {
	return slog.New(atLeast{Handler: logger.Handler(), level: slog.LevelWarn})
}

type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled leaves out what lies below the level.
func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the level.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup keeps the level.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
