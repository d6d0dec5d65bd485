package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// plainGauge is a gauge without labels that is read from the database.
type plainGauge struct {
	desc *prometheus.Desc
	// value is false where nothing is known: then the gauge is left out, since zero would
	// be an alarm, or the end of one.
	value func(Snapshot) (float64, bool)
}

// plainGauges are all of them.
func plainGauges() []plainGauge {
	gauge := func(name, help string, value func(s Snapshot) (float64, bool)) plainGauge {
		return plainGauge{desc: prometheus.NewDesc(namespace+"_"+name, help, nil, nil), value: value}
	}
	number := func(name, help string, value func(s Snapshot) float64) plainGauge {
		return gauge(name, help, func(s Snapshot) (float64, bool) { return value(s), true })
	}
	return []plainGauge{
		number("backlog_seconds", "How long the longest backlog of a binding takes at most, by its provider's limits.",
			func(s Snapshot) float64 { return s.Backlog.Seconds() }),
		gauge("oauth_token_expiry_seconds", "Time until the first OAuth token expires; negative: since it has.",
			func(s Snapshot) (float64, bool) { return seconds(s.TokenExpiry) }),
		gauge("last_webhook_timestamp_seconds", "When the last event was accepted, by whichever process.",
			func(s Snapshot) (float64, bool) { return timestamp(s.LastWebhook) }),
		gauge("tenants_silent", "Shops that are quieter than their own rhythm.", func(s Snapshot) (float64, bool) {
			if s.Silent == nil {
				return 0, false
			}
			return float64(*s.Silent), true
		}),
		number("database_writable", "1 if the database takes writes, 0 if it is a standby or read-only.", func(s Snapshot) float64 {
			if s.Writable {
				return 1
			}
			return 0
		}),
		number("leader_last_seen_seconds", "Time since this process last saw a leader of the queue (since its own start, if never).",
			func(s Snapshot) float64 { return s.Leaderless.Seconds() }),
		number("restores_unacknowledged", "Times that the database went back in time and that nobody has acknowledged.",
			func(s Snapshot) float64 { return float64(s.Restores) }),
		number("invalid_indexes", "Indexes that are not valid and not being built: Postgres does not use them.",
			func(s Snapshot) float64 { return float64(s.InvalidIndexes) }),
		number("bindings_fixed_token", "Live bindings with a fixed token, which nobody renews.",
			func(s Snapshot) float64 { return float64(s.FixedTokens) }),
		number("intents_unresolved", "Writes at a ledger whose outcome is not known, and that no attempt is at.",
			func(s Snapshot) float64 { return float64(s.Intents) }),
		number("intents_oldest_seconds", "Time since the first of those writes was begun; 0 without any.",
			func(s Snapshot) float64 { return s.IntentsOldest.Seconds() }),
		number("pushes_waiting_oldest_seconds", "Time since the first end was reached that its shop was not told yet; 0 without any.",
			func(s Snapshot) float64 { return s.PushesOldest.Seconds() }),
		gauge("verify_last_run_timestamp_seconds", "When the promise was checked whose last check is the longest ago.",
			func(s Snapshot) (float64, bool) { return timestamp(s.Verified) }),
	}
}

func seconds(d *time.Duration) (float64, bool) {
	if d == nil {
		return 0, false
	}
	return d.Seconds(), true
}

func timestamp(at *time.Time) (float64, bool) {
	if at == nil {
		return 0, false
	}
	return float64(at.UnixMicro()) / 1e6, true
}
