package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

// errEnded: a serve process ended before it was ready.
var errEnded = errors.New("serve ended before it was ready")

// trouble lets one thing after another go wrong until ctx ends: in the mean every
// second and a half, most of it a call's fault.
func (w *world) trouble(ctx context.Context) {
	random := w.random(3)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(500+random.IntN(2000)) * time.Millisecond):
		}
		// In turn, so that a short soak has them all; the rest is by lot.
		switch {
		case n%5 == 2:
			w.killOne(ctx, random)
		case n%10 == 3:
			w.crash(ctx)
		case n%5 == 4:
			w.terminate(ctx)
		default:
			w.fault(random)
		}
		w.probe(ctx, random)
	}
}

// killOne kills a serve process in whatever it does, and starts another in its place.
func (w *world) killOne(ctx context.Context, random *rand.Rand) {
	c := w.children[random.IntN(len(w.children))]
	c.kill()
	w.kills.Add(1)
	if err := w.revive(ctx, c); err != nil && ctx.Err() == nil {
		w.seen.add("soak", fmt.Sprintf("a killed process did not come back: %v", err))
	}
}

// revive starts a process until it is ready: one may meet a crash of the database.
func (w *world) revive(ctx context.Context, c *child) error {
	var err error
	for range 10 {
		c.kill()
		if err = w.start(ctx, c); !errors.Is(err, errEnded) {
			return err
		}
	}
	return err
}

// crash ends the database at once, with all connections, and starts it again.
func (w *world) crash(ctx context.Context) {
	w.crashes.Add(1)
	if err := w.db.Crash(context.WithoutCancel(ctx)); err != nil {
		w.seen.add("soak", fmt.Sprintf("the database did not come back: %v", err))
	}
}

// terminate ends about half of the processes' connections, those in the middle of a
// transaction among them.
func (w *world) terminate(ctx context.Context) {
	w.terminations.Add(1)
	_, _ = w.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'towpath' AND pid % 2 = $1`, w.terminations.Load()%2) // the database may be away
}

// fault lets the next calls of a kind go wrong, before or after they took effect.
func (w *world) fault(random *rand.Rand) {
	w.faults.Add(1)
	operations := []string{"PUT /Invoices", "PUT /Contacts", "PUT /Payments", "PUT /CreditNotes", "GET /Invoices", "PUT /Invoices"}
	operation := operations[random.IntN(len(operations))]
	kinds := []xerosim.Fault{
		{When: xerosim.After, Reset: true},
		{When: xerosim.After, Status: http.StatusInternalServerError},
		{When: xerosim.After, Half: true},
		{Reset: true},
		{Status: http.StatusInternalServerError},
		{Status: http.StatusServiceUnavailable, Body: "The Xero API is currently offline for maintenance", Times: 3},
		{Status: http.StatusTooManyRequests, Header: http.Header{"X-Rate-Limit-Problem": {"minute"}, "Retry-After": {"1"}}},
	}
	fault := kinds[random.IntN(len(kinds))]
	fault.Operation = operation
	w.xero.Inject(fault)

	s := w.shops[random.IntN(len(w.shops))]
	routes := []magentosim.Route{magentosim.RouteInvoice, magentosim.RoutePayment, magentosim.RouteCreditMemo, magentosim.RouteSyncState}
	reads := []magentosim.Fault{magentosim.Maintenance(503), magentosim.Maintenance(200), magentosim.Drops(magentosim.CutReset), magentosim.Drops(magentosim.CutHalf), magentosim.Answers(500, "{}")}
	route, wrong := routes[random.IntN(len(routes))], reads[random.IntN(len(reads))]
	if route == magentosim.RouteSyncState && random.IntN(2) == 0 {
		wrong = wrong.AfterEffect()
	}
	s.Inject(route, wrong)
	s.InjectSend([]magentosim.SendFault{magentosim.LoseAnswer, magentosim.SendTwice}[random.IntN(2)])
}

// mend ends all faults and brings back what is down.
func (w *world) mend(ctx context.Context) error {
	w.xero.ForgetFaults()
	for _, c := range w.children {
		if err := w.ready(ctx, c); err == nil {
			continue
		}
		if err := w.revive(ctx, c); err != nil {
			return fmt.Errorf("bring serve back: %w", err)
		}
	}
	return nil
}

// settle waits until every event is accepted and every run has ended or is held.
func (w *world) settle(ctx context.Context) Finding {
	f := Finding{Name: "settled", Text: "everything ends once nothing goes wrong any more", Checked: 1}
	limited, cancel := context.WithTimeout(ctx, w.cfg.Settle)
	defer cancel()
	for {
		unsent, open := w.unsent(), -1
		err := w.pool.QueryRow(limited, "SELECT count(*) FROM sync_runs WHERE stage <> 'done' AND status <> 'held'").Scan(&open)
		if err == nil && unsent == 0 && open == 0 {
			return f
		}
		select {
		case <-limited.Done():
			f.broken("after %s %d events are not accepted and %d runs have not ended", w.cfg.Settle, unsent, open)
			return f
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// unsent is how many events of the shops are still to be accepted.
func (w *world) unsent() (n int) {
	for _, s := range w.shops {
		for _, row := range s.Outbox() {
			if row.Status == magentosim.RowPending || row.Status == magentosim.RowDead && !refused(row) {
				n++
			}
		}
	}
	return n
}
