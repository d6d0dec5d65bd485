package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	snapshotTimeout = 2 * time.Second
	snapshotAge     = time.Second
)

// Snapshot is what the database says at one moment.
type Snapshot struct {
	Jobs []JobCount
	Held map[string]int64 // runs held, by reason

	// What is not known stays out of the scrape: zero would be an alarm.
	Budget      map[string]float64 // calls left of the tightest limit, by window
	Backlog     time.Duration      // what the longest backlog takes at most
	TokenExpiry *time.Duration     // until the first OAuth token expires; negative: it has
	LastWebhook *time.Time         // when the last event was accepted, by whichever process
	Silent      *int               // shops that are quieter than their own rhythm
}

// JobCount is how many jobs of a kind are in a state, and for how long the
// oldest of them has been due; negative where it is due later.
type JobCount struct {
	Kind, State   string
	Jobs          int64
	OldestSeconds float64
}

// WatchQueue registers the gauges that are read from the database at a scrape,
// at most once a second. If read fails or takes longer than two, the
// gauges are left out, towpath_collect_up is 0 and the scrape goes on.
func (m *Metrics) WatchQueue(read func(ctx context.Context) (Snapshot, error)) {
	m.reg.MustRegister(newQueueCollector(read, time.Now))
}

// queueCollector turns snapshots into gauges.
type queueCollector struct {
	read func(ctx context.Context) (Snapshot, error)
	now  func() time.Time

	mu   sync.Mutex // one read at a time; scrapes that come meanwhile share it
	last Snapshot
	err  error
	at   time.Time

	errors                          prometheus.Counter
	kinds, states, reasons, windows closed

	jobs, oldest, held, budget, backlog, expiry, arrival, silent, up *prometheus.Desc
}

func newQueueCollector(read func(ctx context.Context) (Snapshot, error), now func() time.Time) *queueCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	}
	return &queueCollector{
		read: read, now: now,
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "collect_errors_total", Help: "Scrapes that could not read the database.",
		}),
		kinds: closedList(JobKinds()), states: closedList(JobStates()),
		reasons: closedList(HoldReasons()), windows: closedList(BudgetWindows()),
		jobs:    desc("queue_jobs", "Jobs that are not finished.", "kind", "state"),
		oldest:  desc("queue_oldest_job_age_seconds", "How long the oldest waiting job of the kind has been due.", "kind"),
		held:    desc("runs_held", "Runs that wait for something outside to change.", "reason"),
		budget:  desc("provider_budget_remaining", "Calls left of the tightest provider limit.", "window"),
		backlog: desc("backlog_seconds", "How long the longest backlog of a binding takes at most, by its provider's limits."),
		expiry:  desc("oauth_token_expiry_seconds", "Time until the first OAuth token expires."),
		arrival: desc("last_webhook_timestamp_seconds", "When the last event was accepted, by whichever process."),
		silent:  desc("tenants_silent", "Shops that are quieter than their own rhythm."),
		up:      desc("collect_up", "1 if the database could be read for this scrape, else 0."),
	}
}

// Describe names the gauges.
func (c *queueCollector) Describe(out chan<- *prometheus.Desc) {
	c.errors.Describe(out)
	for _, d := range []*prometheus.Desc{c.jobs, c.oldest, c.held, c.budget, c.backlog, c.expiry, c.arrival, c.silent, c.up} {
		out <- d
	}
}

// Collect reads the database, or what was read a moment ago.
func (c *queueCollector) Collect(out chan<- prometheus.Metric) {
	snapshot, err := c.snapshot()
	c.errors.Collect(out)
	if err != nil {
		out <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 0)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.up, 1)
	c.collectJobs(gauge, snapshot.Jobs)
	c.collectHeld(gauge, snapshot.Held)
	for window, left := range snapshot.Budget {
		if c.windows[window] {
			gauge(c.budget, left, window)
		}
	}
	gauge(c.backlog, snapshot.Backlog.Seconds())
	if snapshot.TokenExpiry != nil {
		gauge(c.expiry, snapshot.TokenExpiry.Seconds())
	}
	if snapshot.LastWebhook != nil {
		gauge(c.arrival, float64(snapshot.LastWebhook.UnixMicro())/1e6)
	}
	if snapshot.Silent != nil {
		gauge(c.silent, float64(*snapshot.Silent))
	}
}

type gaugeFunc func(d *prometheus.Desc, v float64, labels ...string)

func (c *queueCollector) collectJobs(gauge gaugeFunc, jobs []JobCount) {
	type place struct{ kind, state string }
	counts, oldest := map[place]int64{}, map[string]float64{}
	each(func(v ...string) { counts[place{v[0], v[1]}] = 0 }, JobKinds(), JobStates())
	each(func(v ...string) { oldest[v[0]] = 0 }, JobKinds())
	for _, j := range jobs {
		kind := c.kinds.value(j.Kind)
		counts[place{kind, c.states.value(j.State)}] += j.Jobs
		waits := j.OldestSeconds
		if j.State == "running" { // it does not wait
			waits = 0
		}
		oldest[kind] = max(oldest[kind], waits)
	}
	for p, n := range counts {
		gauge(c.jobs, float64(n), p.kind, p.state)
	}
	for kind, age := range oldest {
		gauge(c.oldest, age, kind)
	}
}

func (c *queueCollector) collectHeld(gauge gaugeFunc, held map[string]int64) {
	counts := map[string]int64{}
	each(func(v ...string) { counts[v[0]] = 0 }, HoldReasons())
	for reason, n := range held {
		counts[c.reasons.value(reason)] += n
	}
	for reason, n := range counts {
		gauge(c.held, float64(n), reason)
	}
}

// snapshot reads at most once in snapshotAge, a failure too: a database that is
// away must not make every scrape wait.
func (c *queueCollector) snapshot() (Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && c.now().Sub(c.at) < snapshotAge {
		return c.last, c.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	c.last, c.err = c.read(ctx)
	c.at = c.now()
	if c.err != nil {
		c.errors.Inc()
	}
	return c.last, c.err
}
