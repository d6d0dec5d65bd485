package metrics

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

func gather(t testing.TB, reg *prometheus.Registry) map[string]*dto.MetricFamily {
	families, err := reg.Gather()
	require.NoError(t, err)
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// sample is the value of one series, such as `runs_held{reason="auth"}`; false
// where there is none. Histograms give their count.
func sample(t testing.TB, reg *prometheus.Registry, name string, labels ...string) (float64, bool) {
	family := gather(t, reg)[namespace+"_"+name]
	for _, m := range family.GetMetric() {
		var have []string
		for _, l := range m.GetLabel() {
			have = append(have, l.GetName()+"="+l.GetValue())
		}
		if fmt.Sprint(have) != fmt.Sprint(labels) {
			continue
		}
		switch {
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount()), true
		case m.Counter != nil:
			return m.Counter.GetValue(), true
		default:
			return m.Gauge.GetValue(), true
		}
	}
	return 0, false
}

func TestNew_has_every_series_at_zero(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	New(reg, Options{Version: "v1"})
	families := gather(t, reg)
	for name, series := range map[string]int{
		"webhooks_total":                    6 * 7,
		"webhook_duration_seconds":          1,
		"webhook_refusals_total":            len(Refusals()),
		"webhook_clock_skew_seconds":        1,
		"runs_total":                        2 * 5 * 4,
		"run_duration_seconds":              5,
		"run_skips_total":                   11,
		"run_failures_total":                8,
		"run_stage_duration_seconds":        3,
		"provider_requests_total":           2 * len(ProviderOperations()) * 6,
		"provider_request_duration_seconds": 2 * len(ProviderOperations()),
		"shop_requests_total":               len(ShopOperations()) * 6,
		"shop_request_duration_seconds":     len(ShopOperations()),
		"build_info":                        1,
	} {
		require.Len(t, families[namespace+"_"+name].GetMetric(), series, name)
	}
	require.Contains(t, families, "go_goroutines")
	require.Contains(t, families, "process_start_time_seconds")
	require.NotContains(t, families, "towpath_last_webhook_timestamp_seconds", "there was none yet")
	require.NotContains(t, families, "towpath_tenant_webhooks_total")
}

func TestNew_names_pass_the_linter(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{PerTenant: true})
	m.TenantWebhook("t", 202)
	m.TenantRun("t", "failed")
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestMethods_count_where_the_name_says(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{PerTenant: true})
	m.Webhook("invoice.created", 202, time.Millisecond, "")
	m.TenantWebhook("t-1", 202)
	m.Refused("key_reused")
	m.ClockSkew(-90 * time.Second)
	m.Run("xero", "invoice.created", "succeeded", time.Second, "")
	m.TenantRun("t-1", "succeeded")
	m.Skip("unpaid_invoice")
	m.Failure("validation")
	m.Stage("post", time.Second)
	m.ProviderRequest("xero", "invoice_create", "timeout", time.Second)
	m.ShopRequest("sync_state", "200", time.Second)
	for _, c := range []struct {
		name   string
		labels []string
	}{
		{"webhooks_total", []string{"code=202", "event=invoice.created"}},
		{"webhook_duration_seconds", nil},
		{"tenant_webhooks_total", []string{"code=202", "tenant=t-1"}},
		{"webhook_refusals_total", []string{"reason=key_reused"}},
		{"webhook_clock_skew_seconds", nil},
		{"runs_total", []string{"event=invoice.created", "outcome=succeeded", "provider=xero"}},
		{"run_duration_seconds", []string{"event=invoice.created"}},
		{"tenant_runs_total", []string{"outcome=succeeded", "tenant=t-1"}},
		{"run_skips_total", []string{"reason=unpaid_invoice"}},
		{"run_failures_total", []string{"error_code=validation"}},
		{"run_stage_duration_seconds", []string{"stage=post"}},
		{"provider_requests_total", []string{"code=timeout", "operation=invoice_create", "provider=xero"}},
		{"provider_request_duration_seconds", []string{"operation=invoice_create", "provider=xero"}},
		{"shop_requests_total", []string{"code=200", "operation=sync_state"}},
		{"shop_request_duration_seconds", []string{"operation=sync_state"}},
	} {
		v, ok := sample(t, reg, c.name, c.labels...)
		require.True(t, ok, c.name)
		require.InDelta(t, 1, v, 0, c.name)
	}
}

func TestMethods_without_PerTenant_never_label_a_tenant(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{})
	m.TenantWebhook("t-1", 202)
	m.TenantRun("t-1", "failed")
	for name, family := range gather(t, reg) {
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				require.NotEqual(t, "tenant", label.GetName(), name)
			}
		}
	}
}

// Whatever comes from outside, the number of series stays bounded.
func TestMethods_hold_labels_to_their_lists(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{ProviderOperations: []string{"only_this"}, ShopOperations: []string{"only_that"}})
	series := func() int {
		n, err := testutil.GatherAndCount(reg)
		require.NoError(t, err)
		return n
	}
	hostile := func(i int) {
		s := fmt.Sprintf("hostile-%d", i)
		m.Webhook(s, 600+i, 0, "")
		m.Refused(s)
		m.Run(s, s, s, 0, "")
		m.Skip(s)
		m.Failure(s)
		m.Stage(s, 0)
		m.ProviderRequest(s, s, s, 0)
		m.ShopRequest(s, s, 0)
	}
	hostile(0)
	bound := series()
	for i := range 200 {
		hostile(i)
	}
	require.Equal(t, bound, series())
	v, ok := sample(t, reg, "webhooks_total", "code=other", "event=unknown")
	require.True(t, ok)
	require.InDelta(t, 201, v, 0)
	v, ok = sample(t, reg, "provider_requests_total", "code=other", "operation=other", "provider=other")
	require.True(t, ok)
	require.InDelta(t, 201, v, 0)
}

func TestMetrics_are_safe_for_concurrent_use(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg, Options{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				m.Webhook("invoice.paid", 202, 0, "")
			}
		})
	}
	all.Wait()
	v, _ := sample(t, reg, "webhooks_total", "code=202", "event=invoice.paid")
	require.InDelta(t, 400, v, 0)
}

func TestNew_refuses_a_registry_that_has_them(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	New(reg, Options{})
	require.Panics(t, func() { New(reg, Options{}) })
}

func TestLists_have_no_value_twice_and_none_is_other(t *testing.T) {
	t.Parallel()
	for i, list := range [][]string{Events(), Refusals(), WebhookCodes(), Providers(), Outcomes(), SkipReasons(), ErrorCodes(),
		Stages(), JobKinds(), JobStates(), HoldReasons(), ProviderOperations(), ShopOperations(), RequestCodes(), BudgetWindows()} {
		require.Len(t, closedList(list), len(list), "list %d", i)
		require.NotContains(t, list, Other)
		require.NotContains(t, strings.Join(list, ""), " ")
	}
}
