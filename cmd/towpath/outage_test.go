package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
)

var (
	outageDocuments = flag.Int("outage.documents", 250, "documents that are posted while everything goes wrong")
	outageCustomers = flag.Int("outage.customers", 40, "customers that they belong to")
	outageFaults    = flag.Int("outage.faults", 12, "faults of the simulated Xero, of each kind in turn")
	outageEvery     = flag.Duration("outage.every", time.Second, "time between two of them")
)

// Test_Everything_goes_wrong_and_nothing_is_lost_or_doubled posts documents of many
// customers through two processes while Xero loses answers, fails after it took
// effect, resets, limits and lets tokens expire. The same with 10,000 documents:
//
//	go test ./cmd/towpath -run Everything_goes_wrong -v -timeout 60m -outage.documents 10000 -outage.customers 500 -outage.faults 72 -outage.every 4s
func Test_Everything_goes_wrong_and_nothing_is_lost_or_doubled(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	s := newSoak(t)
	p := s.pairApp(t)
	_, first := s.process(t)
	_, second := s.process(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Minute)
	defer cancel()
	sampled, stopSampling := s.sample(t)

	began := time.Now()
	sown := p.sow(ctx)
	totals := p.post(ctx, t, *outageDocuments, *outageCustomers, []string{first, second})
	require.NoError(t, s.await(ctx, func() bool {
		var open int
		err := s.pool.QueryRow(ctx, "SELECT count(*) FROM sync_runs WHERE shop_told IS DISTINCT FROM 'told'").Scan(&open)
		return err == nil && open == 0
	}), "runs are still open")
	faults := sown()
	stopSampling()
	elements, largest := p.xero.Batches("PUT /Invoices")
	calls := p.xero.AllCalls()
	all := 0
	for _, n := range calls {
		all += n
	}
	t.Logf("%d documents of %d customers in %s through %d faults; %d snapshots without a mismatch; %.3f calls a document: %v; %d documents in %d PUT /Invoices, at most %d in one",
		*outageDocuments, *outageCustomers, time.Since(began).Round(time.Second), faults, sampled.Load(),
		float64(all)/float64(*outageDocuments), calls, elements, calls["PUT /Invoices"], largest)
	s.paired = p
	s.checkDocuments(t, totals)
	require.Len(t, p.xero.Contacts(), *outageCustomers, "one contact for each customer")
	require.LessOrEqual(t, p.xero.MostInFlight(), 5)
	s.must(t, "verify")
}

// pairApp makes a tenant bound by a custom connection whose tokens live so briefly
// that they expire all the time.
func (s *installation) pairApp(t *testing.T) paired {
	t.Helper()
	p := s.shopOf(t, xerosim.New(xerosim.Config{Limits: xeroLimits, ShuffleBatches: 7}))
	identity := xerosim.NewIdentity(xerosim.IdentityConfig{
		Apps: []xerosim.App{{ID: customApp, Secret: clientSecret, Custom: demo.OrgID}}, AccessLife: 12 * time.Second,
	}, xerosim.Organisation{ID: demo.OrgID, Name: "Demo Company (UK)"})
	xero := httptest.NewServer(identity.Guard(p.xero))
	t.Cleanup(xero.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(clientSecret), 0o600))
	s.bind(t, "--tenant", p.tenant, "--api-url", xero.URL, "--identity-url", xero.URL, "--client-id", customApp, "--client-secret-file", secret)
	return p
}

// post raises invoices of many customers and sends their events.
func (p paired) post(ctx context.Context, t *testing.T, documents, customers int, bases []string) map[string]string {
	t.Helper()
	totals := map[string]string{}
	ids := make(chan int64)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for id := range ids {
				if err := p.send(ctx, id, bases, new(atomic.Bool)); err != nil {
					t.Errorf("send %d: %v", id, err)
				}
			}
		})
	}
	for n := range documents {
		inv := p.shop.RaiseInvoice(cartOf(n % customers))
		totals[inv.IncrementID] = inv.GrandTotal
		ids <- inv.ID
	}
	close(ids)
	senders.Wait()
	return totals
}

// cartOf is a cart of one of many customers.
func cartOf(customer int) magentosim.Cart {
	cart := demo.Cart()
	company := fmt.Sprintf("Lock %d Chandlers Ltd", customer)
	cart.Customer.MagentoID, cart.Customer.Company = canon.Int(2000+customer), &company
	cart.Customer.Email = fmt.Sprintf("lock%d@example.com", customer)
	return cart
}

// sow lets one thing after another go wrong at Xero, until all have or it is
// stopped; the answer counts.
func (p paired) sow(ctx context.Context) (stop func() int) {
	limited := func(problem, after string) xerosim.Fault {
		header := http.Header{"X-Rate-Limit-Problem": {problem}}
		if after != "" {
			header.Set("Retry-After", after)
		}
		return xerosim.Fault{Status: http.StatusTooManyRequests, Header: header}
	}
	const put = "PUT /Invoices"
	kinds := []xerosim.Fault{
		{Operation: put, When: xerosim.After, Reset: true},
		{Operation: put, When: xerosim.After, Status: http.StatusInternalServerError},
		limited("minute", "2"),
		{Operation: put, When: xerosim.After, Half: true},
		{Operation: "PUT /Contacts", When: xerosim.After, Reset: true},
		limited("concurrent", ""),
		{Operation: put, Reset: true},
		{Operation: put, Status: http.StatusInternalServerError},
		{Status: http.StatusServiceUnavailable, Body: "The Xero API is currently offline for maintenance"},
		limited("day", "3"),
		{Operation: "GET /Invoices", Reset: true},
		{Operation: "PUT /Contacts", When: xerosim.After, Status: http.StatusInternalServerError},
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan int)
	go func() {
		tick := time.NewTicker(*outageEvery)
		defer tick.Stop()
		n := 0
		for n < *outageFaults && ctx.Err() == nil {
			p.xero.Inject(kinds[n%len(kinds)])
			n++
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		<-ctx.Done()
		done <- n
	}()
	return func() int {
		cancel()
		return <-done
	}
}
