package metrics

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// WatchPools registers the state of connection pools, by name.
func (m *Metrics) WatchPools(pools map[string]*pgxpool.Pool) {
	m.reg.MustRegister(newPoolCollector(pools))
}

type poolCollector struct {
	pools                                          map[string]*pgxpool.Pool
	connections, limit                             *prometheus.Desc
	acquires, waits, waitSeconds, cancelled, opens *prometheus.Desc
}

func newPoolCollector(pools map[string]*pgxpool.Pool) *poolCollector {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_pool_"+name, help, append([]string{"pool"}, more...), nil)
	}
	return &poolCollector{
		pools:       pools,
		connections: desc("connections", "Connections to the database.", "state"),
		limit:       desc("connections_max", "The most connections that the pool may have."),
		acquires:    desc("acquires_total", "Connections handed out."),
		waits:       desc("acquire_waits_total", "Connections handed out only after waiting for one."),
		waitSeconds: desc("acquire_wait_seconds_total", "Time spent waiting for a connection."),
		cancelled:   desc("acquires_cancelled_total", "Waits for a connection that were given up."),
		opens:       desc("connections_opened_total", "Connections that were made."),
	}
}

// Describe names the metrics.
func (c *poolCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.limit, c.acquires, c.waits, c.waitSeconds, c.cancelled, c.opens} {
		out <- d
	}
}

// Collect reads the pools; none of it touches the database.
func (c *poolCollector) Collect(out chan<- prometheus.Metric) {
	for name, pool := range c.pools {
		s := pool.Stat()
		send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, t, v, append([]string{name}, more...)...)
		}
		send(c.connections, prometheus.GaugeValue, float64(s.AcquiredConns()), "acquired")
		send(c.connections, prometheus.GaugeValue, float64(s.IdleConns()), "idle")
		send(c.connections, prometheus.GaugeValue, float64(s.ConstructingConns()), "constructing")
		send(c.limit, prometheus.GaugeValue, float64(s.MaxConns()))
		send(c.acquires, prometheus.CounterValue, float64(s.AcquireCount()))
		send(c.waits, prometheus.CounterValue, float64(s.EmptyAcquireCount()))
		send(c.waitSeconds, prometheus.CounterValue, s.EmptyAcquireWaitTime().Seconds())
		send(c.cancelled, prometheus.CounterValue, float64(s.CanceledAcquireCount()))
		send(c.opens, prometheus.CounterValue, float64(s.NewConnsCount()))
	}
}
