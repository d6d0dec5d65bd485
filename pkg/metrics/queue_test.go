package metrics

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// source is a database that answers what it is told to.
type source struct {
	snapshot Snapshot
	err      error
	reads    int
	now      time.Time
}

func (s *source) read(ctx context.Context) (Snapshot, error) {
	s.reads++
	if _, ok := ctx.Deadline(); !ok {
		return Snapshot{}, errors.New("no deadline")
	}
	return s.snapshot, s.err
}

func watched(s *source) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	s.now = time.Unix(1790000000, 0)
	reg.MustRegister(newQueueCollector(s.read, func() time.Time { return s.now }))
	return reg
}

func TestQueue_shows_zero_for_every_known_kind_state_and_reason(t *testing.T) {
	t.Parallel()
	reg := watched(&source{})
	families := gather(t, reg)
	require.Len(t, families["towpath_queue_jobs"].GetMetric(), 7*5)
	require.Len(t, families["towpath_queue_oldest_job_age_seconds"].GetMetric(), 7)
	require.Len(t, families["towpath_runs_held"].GetMetric(), len(HoldReasons()))
	require.NotContains(t, families, "towpath_provider_budget_remaining", "not known is not zero")
	require.NotContains(t, families, "towpath_oauth_token_expiry_seconds", "not known is not zero")
	up, ok := sample(t, reg, "collect_up")
	require.True(t, ok)
	require.InDelta(t, 1, up, 0)
}

func TestQueue_shows_what_the_database_says(t *testing.T) {
	t.Parallel()
	expiry, arrived, silent := -time.Minute, time.Unix(1790000000, 0), 2
	reg := watched(&source{snapshot: Snapshot{
		Jobs: []JobCount{
			{Kind: "post_invoice", State: "available", Jobs: 3, OldestSeconds: 12},
			{Kind: "post_invoice", State: "running", Jobs: 2, OldestSeconds: 99},
			{Kind: "fetch_canonical", State: "scheduled", Jobs: 1, OldestSeconds: -30},
			{Kind: "someone_elses", State: "available", Jobs: 4, OldestSeconds: 5},
			{Kind: "another", State: "available", Jobs: 4, OldestSeconds: 6},
		},
		Held:        map[string]int64{"auth": 7, "never heard of": 1, "nor of this": 1},
		Budget:      map[string]float64{"minute": 59, "century": 1},
		TokenExpiry: &expiry,
		LastWebhook: &arrived,
		Silent:      &silent,
	}})
	for _, c := range []struct {
		name, labels string
		more         string
		want         float64
	}{
		{"queue_jobs", "kind=post_invoice", "state=available", 3},
		{"queue_jobs", "kind=other", "state=available", 8},
		{"queue_jobs", "kind=push_sync_state", "state=available", 0},
		{"queue_oldest_job_age_seconds", "kind=post_invoice", "", 12},
		{"queue_oldest_job_age_seconds", "kind=fetch_canonical", "", 0},
		{"queue_oldest_job_age_seconds", "kind=other", "", 6},
		{"runs_held", "reason=auth", "", 7},
		{"runs_held", "reason=other", "", 2},
		{"tenants_silent", "", "", 2},
		{"provider_budget_remaining", "window=minute", "", 59},
	} {
		labels := []string{c.labels}
		if c.more != "" {
			labels = append(labels, c.more)
		}
		v, ok := sample(t, reg, c.name, labels...)
		require.True(t, ok, "%s %v", c.name, labels)
		require.InDelta(t, c.want, v, 0, "%s %v", c.name, labels)
	}
	_, ok := sample(t, reg, "provider_budget_remaining", "window=century")
	require.False(t, ok)
	v, _ := sample(t, reg, "oauth_token_expiry_seconds")
	require.InDelta(t, -60, v, 0)
	v, _ = sample(t, reg, "last_webhook_timestamp_seconds")
	require.InDelta(t, 1790000000, v, 0)
}

func TestQueue_scrape_goes_on_when_the_database_is_away(t *testing.T) {
	t.Parallel()
	s := &source{err: errors.New("away")}
	reg := watched(s)
	families := gather(t, reg)
	require.NotContains(t, families, "towpath_queue_jobs", "an old depth would be a lie")
	up, ok := sample(t, reg, "collect_up")
	require.True(t, ok)
	require.Zero(t, up)
	n, _ := sample(t, reg, "collect_errors_total")
	require.InDelta(t, 1, n, 0)
	require.Equal(t, 1, s.reads, "a failure is remembered too")

	s.err, s.now = nil, s.now.Add(snapshotAge)
	up, _ = sample(t, reg, "collect_up")
	require.InDelta(t, 1, up, 0)
}

func TestQueue_reads_at_most_once_a_second(t *testing.T) {
	t.Parallel()
	s := &source{}
	reg := watched(s)
	gather(t, reg)
	s.now = s.now.Add(999 * time.Millisecond)
	gather(t, reg)
	require.Equal(t, 1, s.reads)
	s.now = s.now.Add(time.Millisecond)
	gather(t, reg)
	require.Equal(t, 2, s.reads)
}

func TestQueue_rests_twenty_times_as_long_as_a_slow_read_took(t *testing.T) {
	t.Parallel()
	s := &source{now: time.Unix(1790000000, 0)}
	reads := 0
	c := newQueueCollector(func(context.Context) (Snapshot, error) {
		reads++
		s.now = s.now.Add(500 * time.Millisecond)
		return Snapshot{Broken: map[string]int64{"told": 2}}, nil
	}, func() time.Time { return s.now })
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	v, _ := sample(t, reg, "verify_broken", "check=told")
	require.InDelta(t, 2, v, 0)
	s.now = s.now.Add(9 * time.Second)
	gather(t, reg)
	require.Equal(t, 1, reads)
	s.now = s.now.Add(time.Second)
	gather(t, reg)
	require.Equal(t, 2, reads)
}

func TestHistograms_are_native_beside_the_classic_and_name_runs(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{})
	m.Webhook("invoice.created", 202, 3*time.Millisecond, "the-run")
	m.Webhook("invoice.created", 503, 3*time.Millisecond, "")
	h := gather(t, reg)["towpath_webhook_duration_seconds"].GetMetric()[0].GetHistogram()
	require.NotEmpty(t, h.GetPositiveSpan())
	var named []string
	for _, bucket := range h.GetBucket() {
		for _, label := range bucket.GetExemplar().GetLabel() {
			named = append(named, label.GetName()+"="+label.GetValue())
		}
	}
	require.Equal(t, []string{"run_id=the-run"}, named)
}

func TestPools_are_told_apart_by_name_without_a_database(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{})
	pools := map[string]*pgxpool.Pool{}
	for name, size := range map[string]string{"ingress": "7", "work": "3"} {
		pool, err := pgxpool.New(t.Context(), "host=127.0.0.1 port=1 pool_max_conns="+size)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		pools[name] = pool
	}
	m.WatchPools(pools)
	m.WatchQueue((&source{}).read)
	v, ok := sample(t, reg, "pool_connections_max", "pool=ingress")
	require.True(t, ok)
	require.InDelta(t, 7, v, 0)
	v, ok = sample(t, reg, "pool_connections_max", "pool=work")
	require.True(t, ok)
	require.InDelta(t, 3, v, 0)
	_, ok = sample(t, reg, "pool_connections", "pool=work", "state=acquired")
	require.True(t, ok)
	_, ok = sample(t, reg, "collect_up")
	require.True(t, ok)
}
