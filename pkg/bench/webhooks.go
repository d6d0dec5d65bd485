package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"towpath/pkg/shopjwt"
)

// WebhookFigure is what the front door takes in with no worker running.
type WebhookFigure struct {
	PerSecond   float64   `json:"accepted_per_second"`
	Rounds      []float64 `json:"rounds"`
	P50MS       float64   `json:"p50_ms"` // of both rounds, as the sender sees it
	P99MS       float64   `json:"p99_ms"`
	NotAccepted int64     `json:"not_accepted"` // answers other than 202; the shop would send again

	took []time.Duration
}

// warmUps are the requests of each sender that do not count: connections are
// opened, statements prepared.
const warmUps = 5

// sent is what one sender saw.
type sent struct {
	took   []time.Duration
	others int64
}

// sender sends webhooks of one tenant to a front door.
type sender struct {
	parties
	base   string
	client *http.Client
}

// roundOfWebhooks lets every client send one webhook after another, each with a
// token and an invoice of its own.
func (b *measurement) roundOfWebhooks(ctx context.Context, from parties, base string, clients, round int, to *WebhookFigure) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	s := sender{from, base, &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
	defer s.client.CloseIdleConnections()
	results := make([]sent, clients)
	senders, ctx := errgroup.WithContext(ctx)
	var warm sync.WaitGroup
	warm.Add(clients)
	begin := make(chan struct{})
	for n := range clients {
		senders.Go(func() error {
			id := firstID(round) + int64(n)<<32
			for range warmUps {
				id++
				if _, err := s.send(ctx, id); err != nil {
					warm.Done()
					return err
				}
			}
			warm.Done()
			<-begin
			var err error
			results[n], err = s.sendFor(ctx, id, time.Duration(b.cfg.Seconds)*time.Second)
			return err
		})
	}
	warm.Wait()
	began := time.Now()
	close(begin)
	if err := senders.Wait(); err != nil {
		return fmt.Errorf("send webhooks: %w", err)
	}
	return to.add(results, time.Since(began))
}

// sendFor sends until the time is over; ids count up from the one given.
func (s sender) sendFor(ctx context.Context, id int64, length time.Duration) (sent, error) {
	var saw sent
	for began := time.Now(); time.Since(began) < length; {
		id++
		start := time.Now()
		status, err := s.send(ctx, id)
		if err != nil {
			return saw, err
		}
		if status != http.StatusAccepted {
			saw.others++
			continue
		}
		saw.took = append(saw.took, time.Since(start))
	}
	return saw, nil
}

// send posts one event as the shop does.
func (s sender) send(ctx context.Context, id int64) (int, error) {
	token, err := shopjwt.MintShop(s.apiKey, s.tenant.String(), time.Now())
	if err != nil {
		return 0, err
	}
	body := fmt.Sprintf(`{"magento_entity_id":%d,"website_id":1,"store_id":1,"occurred_at":"2026-04-29T10:11:12Z","payload":[]}`, id)
	url := s.base + "/webhooks/magento/" + s.tenant.String() + "/invoice.created?provider=xero"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("invoice.created:%d", id))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body) // read to the end, so that the connection is used again
	return resp.StatusCode, err
}

// add takes one round in.
func (f *WebhookFigure) add(results []sent, elapsed time.Duration) error {
	accepted := 0
	for _, r := range results {
		accepted += len(r.took)
		f.took = append(f.took, r.took...)
		f.NotAccepted += r.others
	}
	if accepted == 0 {
		return errors.New("no webhook was accepted")
	}
	f.Rounds = append(f.Rounds, float64(accepted)/elapsed.Seconds())
	f.P50MS, f.P99MS = quantile(f.took, 0.5), quantile(f.took, 0.99)
	return nil
}

// quantile is the smallest measured time that a share q of all does not exceed,
// in milliseconds.
func quantile(took []time.Duration, q float64) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return ms(sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)])
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
