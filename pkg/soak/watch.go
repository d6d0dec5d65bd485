package soak

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/shopjwt"
	"towpath/pkg/verify"
)

// seen is what was noticed on the way.
type seen struct {
	mu        sync.Mutex
	snapshots int
	probes    int
	stall     time.Duration
	by        map[string][]string
}

func (s *seen) add(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[string][]string{}
	}
	if !slices.Contains(s.by[name], text) { // every snapshot would say it again
		s.by[name] = append(s.by[name], text)
	}
}

// findings are what was noticed, each promise a line.
func (s *seen) findings(w *world) []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Finding
	for _, p := range verify.Promises() {
		list = append(list, s.finding("always_"+p.Name, p.Text+" (in every snapshot on the way)", s.snapshots))
	}
	return append(list,
		s.finding("token_once", "a token is good for one request, also at another process", s.probes),
		s.finding("soak", "what was ended came back", int(w.kills.Load()+w.crashes.Load())))
}

func (s *seen) finding(name, text string, checked int) Finding {
	f := Finding{Name: name, Text: text, Checked: checked}
	for _, found := range s.by[name] {
		f.broken("%s", found)
	}
	return f
}

// watch checks the promises in snapshots, tells how far it is and notes the longest
// stall, until ctx ends.
func (w *world) watch(ctx context.Context, began time.Time) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		accepted, last := 0, time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			w.snapshot(ctx)
			p := w.progress(began)
			if p.Accepted > accepted || w.unsent() == 0 {
				accepted, last = p.Accepted, time.Now()
			}
			w.seen.mu.Lock()
			w.seen.stall = max(w.seen.stall, time.Since(last))
			w.seen.mu.Unlock()
			w.cfg.Progress(p)
		}
	}()
	return done
}

func (w *world) snapshot(ctx context.Context) {
	findings, err := verify.Look{}.Check(ctx, w.pool)
	if err != nil {
		return // the database is away
	}
	w.seen.mu.Lock()
	w.seen.snapshots++
	w.seen.mu.Unlock()
	for _, f := range findings {
		for _, sample := range f.Samples {
			w.seen.add("always_"+f.Name, sample)
		}
	}
}

func (w *world) progress(began time.Time) Progress {
	p := Progress{
		Elapsed: time.Since(began), Of: w.cfg.For, Settling: w.settling.Load(),
		Kills: int(w.kills.Load()), Crashes: int(w.crashes.Load()), Troubles: int(w.faults.Load() + w.terminations.Load()),
	}
	for _, s := range w.shops {
		for _, row := range s.Outbox() {
			p.Raised++
			if row.Status == magentosim.RowSucceeded {
				p.Accepted++
			}
		}
	}
	p.Open = p.Raised - p.Accepted
	return p
}

// probe sends what was accepted before once more with a new token, which is a repeat,
// and then another event with that very token, which must be refused whichever process
// it comes to.
func (w *world) probe(ctx context.Context, random *rand.Rand) {
	s := w.shops[0]
	var rows []magentosim.Row
	for _, row := range s.Outbox() {
		if row.Status == magentosim.RowSucceeded {
			rows = append(rows, row)
		}
	}
	if len(rows) < 2 {
		return
	}
	at := random.IntN(len(rows) - 1)
	token, err := shopjwt.MintShop(s.apiKey, s.tenant.String(), time.Now())
	if err != nil || w.post(ctx, s, rows[at], token) != http.StatusAccepted {
		return
	}
	switch status := w.post(ctx, s, rows[at+1], token); status {
	case http.StatusUnauthorized:
		w.seen.mu.Lock()
		w.seen.probes++
		w.seen.mu.Unlock()
	case http.StatusAccepted:
		w.seen.add("token_once", fmt.Sprintf("the token of %s was taken for %s", rows[at].Key, rows[at+1].Key))
	}
}

// post sends an event and answers the status; 0 where there was no answer.
func (w *world) post(ctx context.Context, s *shop, row magentosim.Row, token string) int {
	url := fmt.Sprintf("%s/webhooks/magento/%s/%s?provider=xero", w.front, s.tenant, row.Event)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(row.Body))
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", row.Key)
	resp, err := web.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
