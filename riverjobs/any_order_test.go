package riverjobs_test

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/syncrun"
)

var anyOrderDocuments = flag.Int("anyorder.documents", 16, "invoices of Test_Any_order_of_events_ends_the_same; the soak has 1,000")

// shopEvent is an event that the shop has for us.
type shopEvent struct {
	name string
	id   int64
}

// Each invoice is created, paid, refunded in part and then wholly, and its customer
// edited; what comes is shuffled, and some of it comes twice. Two processes work, calls
// fail before and after they took effect, and one process is given up for dead on the
// way. In the end the ledger is as the events' own order leaves it.
func Test_Any_order_of_events_ends_the_same(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	b := setupMoney(t)
	mismatches := b.sample(t)
	type sale struct {
		invoice magentosim.Invoice
		memos   []magentosim.Memo
	}
	var sales []sale
	var events []shopEvent
	for n := range *anyOrderDocuments {
		customer := strconv.Itoa(700_000 + n/4)
		raw := strings.NewReplacer(`"magento_id": 1042`, `"magento_id": `+customer, "buyer1042", "buyer"+customer, "Analytical Ltd", "Customer "+customer).
			Replace(string(sample(t, "plain_vat")))
		inv, err := b.shop.RaiseCanonical([]byte(raw))
		require.NoError(t, err)
		require.NoError(t, b.shop.MarkPaid(inv.ID))
		s := sale{invoice: inv}
		for _, r := range []magentosim.Refund{b.partly(t, inv, 1), {}} {
			memo, err := b.shop.RefundInvoice(inv.ID, r)
			require.NoError(t, err)
			s.memos = append(s.memos, memo)
			events = append(events, shopEvent{"creditmemo.created", memo.ID})
		}
		who, err := strconv.ParseInt(customer, 10, 64)
		require.NoError(t, err)
		_, err = b.shop.EditCustomer(who, map[string]any{"email": "edited" + customer + "@example.com"})
		require.NoError(t, err)
		events = append(events, shopEvent{"invoice.created", inv.ID}, shopEvent{"invoice.paid", inv.ID}, shopEvent{"customer.upserted", who})
		sales = append(sales, s)
	}
	events = append(events, events[:len(events)/5]...)
	rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })

	lost := b.work(t, firstDelay(20*time.Millisecond))
	b.work(t, firstDelay(20*time.Millisecond))
	var runs []uuid.UUID
	for n, e := range events {
		if n%10 == 3 {
			operation := []string{"invoice", "payment", "credit", "allocation", "contact"}[n/10%5]
			b.ledger.inject(operation, []fault{failed, tookReset, tookError, refusedError, tookHalf}[n/50%5])
		}
		if n == len(events)/2 {
			lost.unlock()
		}
		runs = append(runs, b.accept(t, e.name, e.id))
	}
	// What it went on to take while the others held it for dead would be taken from it
	// again and again, each time for longer.
	lost.stop()
	for deadline := time.Now().Add(5*time.Minute + time.Duration(len(sales))*time.Second); b.count(t, "SELECT count(*) FROM sync_runs WHERE stage <> 'done'") > 0 && time.Now().Before(deadline); {
		pause(t)
	}
	for _, id := range runs {
		run := b.until(t, id, told)
		require.Contains(t, []string{syncrun.Succeeded, syncrun.Skipped}, run.Status, "%s %d: %s %s", run.Event, run.MagentoEntityID, text(run.ErrorMessage), text(run.ErrorDetail))
	}
	mismatches()
	b.eachOnce(t, len(sales))
	credits := map[string]int{}
	for _, c := range b.xero.CreditNotes() {
		credits[c.Number]++
	}
	for _, s := range sales {
		require.Equal(t, "0.00", b.ledger.due(s.invoice.IncrementID))
		for _, memo := range s.memos {
			require.Equal(t, 1, credits[memo.IncrementID])
			require.Equal(t, memo.GrandTotal.StringFixed(2), b.creditTotal(memo.IncrementID))
			require.Equal(t, "0.00", b.ledger.due(memo.IncrementID))
		}
	}
	require.Equal(t, 3*len(sales), b.ledger.payments(), "one that came and two that went back, each once")
}

// creditTotal is what a credit note in Xero comes to.
func (b *bundle) creditTotal(number string) string {
	for _, c := range b.xero.CreditNotes() {
		if c.Number == number {
			return c.Total
		}
	}
	return ""
}
