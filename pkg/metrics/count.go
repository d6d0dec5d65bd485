package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Webhook counts one webhook that was answered with an HTTP status after d. runID is
// that of the accepted run, or empty.
func (m *Metrics) Webhook(event string, code int, d time.Duration, runID string) {
	if !m.labels.event[event] {
		event = UnknownEvent
	}
	m.webhooks.WithLabelValues(event, m.labels.webhookCode.value(strconv.Itoa(code))).Inc()
	m.webhookDuration.ObserveWithExemplar(d.Seconds(), exemplar(runID))
}

// TenantWebhook counts the same by tenant, where that was asked for. Call it
// only for tenants that exist.
func (m *Metrics) TenantWebhook(tenant string, code int) {
	if m.perTenant {
		m.tenantWebhooks.WithLabelValues(tenant, m.labels.webhookCode.value(strconv.Itoa(code))).Inc()
	}
}

// Refused counts a refused request of the shop by the problem's code.
func (m *Metrics) Refused(reason string) {
	m.refusals.WithLabelValues(m.labels.refusal.value(reason)).Inc()
}

// ClockSkew notes how far the shop's clock is from ours.
func (m *Metrics) ClockSkew(d time.Duration) { m.clockSkew.Observe(d.Seconds()) }

// exemplar names a run, which its page and the log find; nil where there is none.
func exemplar(runID string) prometheus.Labels {
	if runID == "" {
		return nil
	}
	return prometheus.Labels{"run_id": runID}
}

// Run counts a run that ended, d after its event was accepted.
func (m *Metrics) Run(provider, event, outcome string, d time.Duration, runID string) {
	event = m.labels.event.value(event)
	m.runs.WithLabelValues(m.labels.provider.value(provider), event, m.labels.outcome.value(outcome)).Inc()
	m.runDuration.WithLabelValues(event).(prometheus.ExemplarObserver).ObserveWithExemplar(d.Seconds(), exemplar(runID))
}

// TenantRun counts the same by tenant, where that was asked for.
func (m *Metrics) TenantRun(tenant, outcome string) {
	if m.perTenant {
		m.tenantRuns.WithLabelValues(tenant, m.labels.outcome.value(outcome)).Inc()
	}
}

// Skip counts a run that policy left out.
func (m *Metrics) Skip(reason string) { m.skips.WithLabelValues(m.labels.skip.value(reason)).Inc() }

// Failure counts a run that failed, by the error code that the shop is told.
func (m *Metrics) Failure(code string) {
	m.failures.WithLabelValues(m.labels.errorCode.value(code)).Inc()
}

// Blanked counts runs that retention has blanked.
func (m *Metrics) Blanked(runs, bytes int64) {
	m.blankedRuns.Add(float64(runs))
	m.blankedBytes.Add(float64(bytes))
}

// Notified counts an attempt to send a notification: sent, failed, or given_up. Both are
// of closed lists.
func (m *Metrics) Notified(channel, outcome string) {
	m.notifications.WithLabelValues(channel, outcome).Inc()
}

// Variance counts a posted document whose totals the ledger sees otherwise than
// they were predicted.
func (m *Metrics) Variance(provider string) {
	m.variances.WithLabelValues(m.labels.provider.value(provider)).Inc()
}

// Stage notes how long one job of a stage worked, whatever came of it.
func (m *Metrics) Stage(stage string, d time.Duration) {
	m.stageDuration.WithLabelValues(m.labels.stage.value(stage)).Observe(d.Seconds())
}

// QueueFetch notes how long the queue took to hand out jobs of a kind.
func (m *Metrics) QueueFetch(kind string, d time.Duration) {
	m.fetchDuration.WithLabelValues(m.labels.kind.value(kind)).Observe(d.Seconds())
}

// ProviderRequest counts one call to a ledger. code is the HTTP status, timeout
// or error.
func (m *Metrics) ProviderRequest(provider, operation, code string, d time.Duration) {
	provider, operation = m.labels.provider.value(provider), m.labels.providerOperation.value(operation)
	m.providerTotal.WithLabelValues(provider, operation, m.labels.requestCode.value(code)).Inc()
	m.providerSeconds.WithLabelValues(provider, operation).Observe(d.Seconds())
}

// SettingsFaults notes how many settings refer to what is gone.
func (m *Metrics) SettingsFaults(n int) { m.settingsFaults.Set(float64(n)) }

// CallsPerDocument notes that a number of calls posted a number of documents
// together.
func (m *Metrics) CallsPerDocument(provider string, calls, documents int) {
	observer := m.callsPerDoc.WithLabelValues(m.labels.provider.value(provider))
	for range documents {
		observer.Observe(float64(calls) / float64(documents))
	}
}

// ShopRequest counts one call to a shop. code is the HTTP status, timeout or
// error.
func (m *Metrics) ShopRequest(operation, code string, d time.Duration) {
	operation = m.labels.shopOperation.value(operation)
	m.shopTotal.WithLabelValues(operation, m.labels.requestCode.value(code)).Inc()
	m.shopSeconds.WithLabelValues(operation).Observe(d.Seconds())
}
