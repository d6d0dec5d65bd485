package ingress

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/syncrun"
)

// BenchmarkWebhook takes new events in over HTTP, all of one tenant, each with
// a token of its own; the sender and the database share the machine.
func BenchmarkWebhook(b *testing.B) {
	for _, senders := range []int{2, 8, 16} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			d := setup(b, func(c *Config) {
				pool, err := pgdb.Open(b.Context(), pgdb.Config{URL: c.Pool.Config().ConnString(), MaxConns: 16})
				require.NoError(b, err)
				b.Cleanup(pool.Close)
				c.Pool, c.Logger = pool, slog.New(slog.NewJSONHandler(io.Discard, nil))
			})
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
			var id atomic.Int64
			b.SetParallelism(max(1, senders/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := fmt.Sprint(id.Add(1))
					response, err := client.Do(d.request(b, request{key: event + ":" + n, body: bodyOf(n)}))
					if err != nil {
						b.Error(err)
						return
					}
					if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 202 {
						b.Errorf("status %d, %v", response.StatusCode, err)
					}
					_ = response.Body.Close()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
		})
	}
}

// BenchmarkAccept is T1 alone, to set beside it.
func BenchmarkAccept(b *testing.B) {
	d := setup(b, nil)
	var binding uuid.UUID
	require.NoError(b, d.db.QueryRow(b.Context(), `SELECT id FROM bindings`).Scan(&binding))
	var id atomic.Int64
	b.SetParallelism(8 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := id.Add(1)
			_, err := d.in.accept(b.Context(), syncrun.Event{
				TenantID: d.tenant, BindingID: binding, PolicyVersion: 1, Name: event, EntityID: n, OccurredAt: time.Now(),
				IdempotencyKey: fmt.Sprint(event, ":", n), Body: []byte(goodBody), JTI: uuid.NewString(), JTIExpiresAt: time.Now(),
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
}

func BenchmarkDecodeEnvelope(b *testing.B) {
	body := []byte(goodBody)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeEnvelope(body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is a request without a good token, which anybody can send.
func BenchmarkRefuse(b *testing.B) {
	d := setup(b, func(c *Config) { c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
	tokens := map[string]string{"known_tenant": d.path(event), "unknown_tenant": strings.Replace(d.path(event), d.tenant.String()[:4], "0000", 1)}
	forged := d.token(b)
	forged = forged[:len(forged)-4] + "AAAA"
	for name, path := range tokens {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if a := d.send(b, request{path: path, token: forged}); a.status != 401 {
					b.Fatal(a.raw)
				}
			}
		})
	}
}
