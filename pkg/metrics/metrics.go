package metrics

import (
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// namespace begins every name of ours.
const namespace = "towpath"

// Options says what is counted how.
type Options struct {
	PerTenant bool   // also tenant_webhooks_total and tenant_runs_total; a series per tenant
	Version   string // for build_info; "" = what the Go toolchain stamped

	// The closed lists of operations; nil = the list of this package.
	ProviderOperations []string
	ShopOperations     []string
}

func (o Options) withDefaults() Options {
	if o.ProviderOperations == nil {
		o.ProviderOperations = ProviderOperations()
	}
	if o.ShopOperations == nil {
		o.ShopOperations = ShopOperations()
	}
	if info, ok := debug.ReadBuildInfo(); ok && o.Version == "" {
		o.Version = info.Main.Version
	}
	return o
}

// Metrics is everything that the service counts. Its methods are safe for
// concurrent use.
type Metrics struct {
	reg       prometheus.Registerer
	perTenant bool

	webhooks        *prometheus.CounterVec      // event, code
	webhookDuration prometheus.ExemplarObserver //
	refusals        *prometheus.CounterVec      // reason
	clockSkew       prometheus.Observer         //
	runs            *prometheus.CounterVec      // provider, event, outcome
	runDuration     *prometheus.HistogramVec    // event
	skips           *prometheus.CounterVec      // reason
	failures        *prometheus.CounterVec      // error_code
	variances       *prometheus.CounterVec      // provider
	settingsFaults  prometheus.Gauge            //
	blankedRuns     prometheus.Counter          //
	blankedBytes    prometheus.Counter          //
	notifications   *prometheus.CounterVec      // channel, outcome
	stageDuration   *prometheus.HistogramVec    // stage
	fetchDuration   *prometheus.HistogramVec    // kind
	callsPerDoc     *prometheus.HistogramVec    // provider
	providerTotal   *prometheus.CounterVec      // provider, operation, code
	providerSeconds *prometheus.HistogramVec    // provider, operation
	shopTotal       *prometheus.CounterVec      // operation, code
	shopSeconds     *prometheus.HistogramVec    // operation
	tenantWebhooks  *prometheus.CounterVec      // tenant, code
	tenantRuns      *prometheus.CounterVec      // tenant, outcome

	labels labels
}

// labels are the closed lists, ready to be looked up.
type labels struct {
	event, webhookCode, refusal, provider, outcome, skip, errorCode, stage closed
	providerOperation, shopOperation, requestCode, kind                    closed
}

// New registers everything with reg, with every series of closed labels at
// zero. It panics where reg has metrics of these names already.
func New(reg prometheus.Registerer, o Options) *Metrics {
	o = o.withDefaults()
	m := &Metrics{reg: reg, perTenant: o.PerTenant, labels: labels{
		event:             closedList(Events()),
		webhookCode:       closedList(WebhookCodes()),
		refusal:           closedList(Refusals()),
		provider:          closedList(Providers()),
		outcome:           closedList(Outcomes()),
		skip:              closedList(SkipReasons()),
		errorCode:         closedList(ErrorCodes()),
		stage:             closedList(Stages()),
		providerOperation: closedList(o.ProviderOperations),
		shopOperation:     closedList(o.ShopOperations),
		requestCode:       closedList(RequestCodes()),
		kind:              closedList(JobKinds()),
	}}
	f := maker{promauto.With(reg)}
	m.makeWebhooks(f)
	m.makeRuns(f)
	m.makeRequests(f)
	m.zero(o)
	f.gauge("build_info", "Always 1; the labels say what runs.", "version", "go_version").
		WithLabelValues(o.Version, runtime.Version()).Set(1)
	registerOnce(reg, collectors.NewGoCollector())
	registerOnce(reg, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// registerOnce leaves alone what the default registry brings along.
func registerOnce(reg prometheus.Registerer, c prometheus.Collector) {
	if err := reg.Register(c); err != nil {
		if _, there := err.(prometheus.AlreadyRegisteredError); !there {
			panic(err)
		}
	}
}

func (m *Metrics) makeWebhooks(f maker) {
	m.webhooks = f.counter("webhooks_total", "Webhooks answered, by event and HTTP status.", "event", "code")
	m.webhookDuration = f.histogram("webhook_duration_seconds", "Time to answer a webhook.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}).WithLabelValues().(prometheus.ExemplarObserver)
	m.refusals = f.counter("webhook_refusals_total", "Refused requests of the shop, by the problem's code.", "reason")
	m.clockSkew = f.histogram("webhook_clock_skew_seconds", "The shop's clock minus ours, from tokens with a good signature.",
		[]float64{-3600, -600, -300, -120, -60, -30, -10, -2, 2, 10, 30, 60, 120, 300, 600, 3600}).WithLabelValues()
	if m.perTenant {
		m.tenantWebhooks = f.counter("tenant_webhooks_total", "Webhooks answered, by tenant and HTTP status.", "tenant", "code")
	}
}

func (m *Metrics) makeRuns(f maker) {
	m.runs = f.counter("runs_total", "Runs that ended, by outcome.", "provider", "event", "outcome")
	m.runDuration = f.histogram("run_duration_seconds", "Time from accepting an event to its end.",
		[]float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200, 172800, 604800}, "event")
	m.skips = f.counter("run_skips_total", "Runs that policy left out.", "reason")
	m.failures = f.counter("run_failures_total", "Runs that failed, by the code told to the shop.", "error_code")
	m.variances = f.counter("run_variances_total", "Posted documents whose totals the ledger sees otherwise than predicted.", "provider")
	m.settingsFaults = f.gauge("settings_faults", "Settings that refer to what the provider does not have any more, over all bindings.").WithLabelValues()
	m.blankedRuns = f.counter("runs_blanked_total", "Runs whose personal data retention has blanked.").WithLabelValues()
	m.blankedBytes = f.counter("blanked_bytes_total", "Bytes of those runs as they were stored.").WithLabelValues()
	m.notifications = f.counter("notifications_total", "Attempts to tell whoever runs this installation.", "channel", "outcome")
	m.stageDuration = f.histogram("run_stage_duration_seconds", "Time that one job of a stage worked.",
		[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "stage")
	m.fetchDuration = f.histogram("queue_fetch_duration_seconds", "Time in which the queue answered a worker that asked for jobs.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}, "kind")
	if m.perTenant {
		m.tenantRuns = f.counter("tenant_runs_total", "Runs that ended, by tenant and outcome.", "tenant", "outcome")
	}
}

func (m *Metrics) makeRequests(f maker) {
	buckets := []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m.providerTotal = f.counter("provider_requests_total", "Calls to a ledger.", "provider", "operation", "code")
	m.callsPerDoc = f.histogram("provider_calls_per_document", "Calls that a posted document took: those of its batch, shared out.",
		[]float64{.02, .05, .1, .25, .5, 1, 2, 3, 5, 10}, "provider")
	m.providerSeconds = f.histogram("provider_request_duration_seconds", "Time of a call to a ledger.", buckets, "provider", "operation")
	m.shopTotal = f.counter("shop_requests_total", "Calls to a shop.", "operation", "code")
	m.shopSeconds = f.histogram("shop_request_duration_seconds", "Time of a call to a shop.", buckets, "operation")
}

// zero makes the series of closed labels, so that each is there before its
// first event. Of outside calls only the usual codes: the rest comes as needed.
func (m *Metrics) zero(o Options) {
	usual := []string{"200", "429", "500", "503", "timeout", "error"}
	count := func(c *prometheus.CounterVec) func(...string) {
		return func(v ...string) { c.WithLabelValues(v...) }
	}
	observe := func(h *prometheus.HistogramVec) func(...string) {
		return func(v ...string) { h.WithLabelValues(v...) }
	}
	each(count(m.webhooks), append(Events(), UnknownEvent), WebhookCodes())
	each(count(m.refusals), Refusals())
	each(count(m.runs), Providers(), Events(), Outcomes())
	each(observe(m.runDuration), Events())
	each(count(m.skips), SkipReasons())
	each(count(m.failures), ErrorCodes())
	each(count(m.variances), Providers())
	each(observe(m.stageDuration), Stages())
	each(observe(m.fetchDuration), JobKinds())
	each(count(m.notifications), []string{"webhook", "email"}, []string{"sent", "failed", "given_up"})
	each(count(m.providerTotal), Providers(), o.ProviderOperations, usual)
	each(observe(m.callsPerDoc), Providers())
	each(observe(m.providerSeconds), Providers(), o.ProviderOperations)
	each(count(m.shopTotal), o.ShopOperations, usual)
	each(observe(m.shopSeconds), o.ShopOperations)
}

// each calls do with every combination of one value of each list.
func each(do func(...string), lists ...[]string) {
	if len(lists) == 0 {
		do()
		return
	}
	for _, first := range lists[0] {
		each(func(rest ...string) { do(append([]string{first}, rest...)...) }, lists[1:]...)
	}
}

// maker makes vectors under our namespace.
type maker struct{ promauto.Factory }

func (f maker) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (f maker) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (f maker) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return f.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		// Beside the classic buckets the native ones, for scrapers that take them: each
		// bucket a tenth above the one before, in a bounded number.
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}
