package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A snapshot is read anew after snapshotAge, and after snapshotPart times as long as it
// took, up to snapshotMost: scrapes cost the database one part in snapshotPart of one
// connection, however long the queue is.
const (
	snapshotTimeout = 2 * time.Second
	snapshotAge     = time.Second
	snapshotPart    = 20
	snapshotMost    = 30 * time.Second
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
	Restores    int                // times that the database went back in time and that nobody has acknowledged
	Silent      *int               // shops that are quieter than their own rhythm

	Writable       bool          // the database takes writes
	Leaderless     time.Duration // since the reader last saw a leader of the queue
	InvalidIndexes int64
	FixedTokens    int64         // live bindings with a token that nobody renews
	Intents        int64         // writes whose outcome is not known, and that nobody is at
	IntentsOldest  time.Duration // since the first of them was begun
	PushesOldest   time.Duration // since the first end was reached that its shop was not told yet

	Broken   map[string]int64 // findings of the promises, by check; nil: not checked yet
	Verified *time.Time       // when the check that is the longest ago was made
}

// JobCount is how many jobs of a kind are in a state, and for how long the
// oldest of them has been due; negative where it is due later.
type JobCount struct {
	Kind, State   string
	Jobs          int64
	OldestSeconds float64
}

// WatchQueue registers the gauges that are read from the database at a scrape,
// at most once a second, and more rarely where that is slow. If read fails or takes
// longer than two seconds, the gauges are left out, towpath_collect_up is 0 and the
// scrape goes on.
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
	due  time.Time // when it is read anew

	errors                                  prometheus.Counter
	kinds, states, reasons, windows, checks closed

	jobs, oldest, held, budget, broken, up *prometheus.Desc
	plain                                  []plainGauge
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
		reasons: closedList(HoldReasons()), windows: closedList(BudgetWindows()), checks: closedList(VerifyChecks()),
		jobs:   desc("queue_jobs", "Jobs that are not finished.", "kind", "state"),
		oldest: desc("queue_oldest_job_age_seconds", "How long the oldest waiting job of the kind has been due.", "kind"),
		held:   desc("runs_held", "Runs that wait for something outside to change.", "reason"),
		budget: desc("provider_budget_remaining", "Calls left of the tightest provider limit.", "window"),
		broken: desc("verify_broken", "What breaks a promise, by the last check of it.", "check"),
		up:     desc("collect_up", "1 if the database could be read for this scrape, else 0."),
		plain:  plainGauges(),
	}
}

// Describe names the gauges.
func (c *queueCollector) Describe(out chan<- *prometheus.Desc) {
	c.errors.Describe(out)
	for _, d := range []*prometheus.Desc{c.jobs, c.oldest, c.held, c.budget, c.broken, c.up} {
		out <- d
	}
	for _, g := range c.plain {
		out <- g.desc
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
	for check, n := range snapshot.Broken {
		gauge(c.broken, float64(n), c.checks.value(check))
	}
	for _, g := range c.plain {
		if v, known := g.value(snapshot); known {
			gauge(g.desc, v)
		}
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

// snapshot reads when it is due, and a failure is kept as long: a database that is
// away must not make every scrape wait.
func (c *queueCollector) snapshot() (Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := c.now()
	if began.Before(c.due) {
		return c.last, c.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	c.last, c.err = c.read(ctx)
	ended := c.now()
	c.due = began.Add(snapshotAge)
	if c.err != nil {
		c.errors.Inc()
	} else if rest := min(snapshotPart*ended.Sub(began), snapshotMost); rest > snapshotAge {
		c.due = ended.Add(rest)
	}
	return c.last, c.err
}
