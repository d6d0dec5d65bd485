package riverjobs_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
)

// killed is a write at which a process dies.
type killed struct {
	operation string
	// event accepts what leads to the write, once all before it is written.
	event func(t *testing.T, b *bundle, inv magentosim.Invoice) uuid.UUID
	// made counts what the write makes.
	made func(b *bundle) int
	// ends is how the ledger looks in the end: payments, credit notes, allocations,
	// contacts, items.
	ends [5]int
}

// writesAfterInvoices are the writes of all kinds but the invoice's own; those and their
// contacts are Test_Killed_process's. The stop at one is also that after the one before:
// a credit note is on record when its allocation, or its refund, is at the call.
func writesAfterInvoices() map[string]killed {
	paid := func(t *testing.T, b *bundle, inv magentosim.Invoice) uuid.UUID { return b.paid(t, inv) }
	memo := func(t *testing.T, b *bundle, inv magentosim.Invoice) uuid.UUID {
		_, id := b.refunded(t, inv, b.partly(t, inv, 1))
		return id
	}
	return map[string]killed{
		"payment":     {"PUT /Payments", paid, func(b *bundle) int { return len(b.xero.Payments()) }, [5]int{1, 0, 0, 1, 0}},
		"credit_note": {"PUT /CreditNotes", memo, func(b *bundle) int { return len(b.xero.CreditNotes()) }, [5]int{0, 1, 1, 1, 0}},
		"allocation":  {"PUT /CreditNotes/Allocations", memo, func(b *bundle) int { return len(b.xero.Allocations()) }, [5]int{0, 1, 1, 1, 0}},
		"refund": {"PUT /Payments", func(t *testing.T, b *bundle, inv magentosim.Invoice) uuid.UUID {
			b.settle(t, b.paid(t, inv))
			return memo(t, b, inv)
		}, func(b *bundle) int { return len(b.xero.Payments()) - 1 }, [5]int{2, 1, 0, 1, 0}},
		"contact_update": {"POST /Contacts", func(t *testing.T, b *bundle, _ magentosim.Invoice) uuid.UUID {
			_, err := b.shop.EditCustomer(customerOf(t), map[string]any{"email": "new@example.com"})
			require.NoError(t, err)
			return b.accept(t, "customer.upserted", customerOf(t))
		}, func(b *bundle) int {
			if b.xero.Contacts()[0].Email == "new@example.com" {
				return 1
			}
			return 0
		}, [5]int{0, 0, 0, 1, 0}},
		"item": {"POST /Items", func(t *testing.T, b *bundle, _ magentosim.Invoice) uuid.UUID {
			_, err := b.shop.SaveProduct(magentosim.Product{ID: 7, SKU: "24-MB01", Name: "Rope", Price: new(decimal.RequireFromString("5.25"))})
			require.NoError(t, err)
			return b.accept(t, "product.upserted", 7)
		}, func(b *bundle) int { return len(b.xero.Items()) }, [5]int{0, 0, 0, 1, 1}},
	}
}

// settle lets a worker end a run, and leave.
func (b *bundle) settle(t *testing.T, id uuid.UUID) {
	t.Helper()
	w := b.work(t)
	b.succeeded(t, id)
	w.drain()
}

// A process dies by SIGKILL while one of its writes hangs: another takes it up, looks
// first, and makes it once.
func Test_Killed_process_at_each_write_leaves_it_once(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	for name, c := range writesAfterInvoices() {
		for place, when := range map[string]xerosim.When{"before": xerosim.Before, "after": xerosim.After} {
			t.Run("At_the_"+name+"_"+place+"_it_took_effect", func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				p := b.banked(t)
				p.SyncProducts = true
				b.setPolicy(t, 2, p)
				inv, id := b.raise(t, "plain_vat")
				b.settle(t, id)
				run := c.event(t, b, inv)
				calls := b.xero.Calls(c.operation)
				b.xero.Inject(xerosim.Fault{Operation: c.operation, When: when, Hang: make(chan struct{})})
				kill := startProcess(t, b.url)
				eventually(t, func() bool {
					return b.xero.Calls(c.operation) > calls && (when == xerosim.Before || c.made(b) == 1)
				}, "the other process is at the write")
				kill()
				died := time.Now()
				b.work(t)
				b.succeeded(t, run)
				t.Logf("told %s after the kill", time.Since(died).Round(100*time.Millisecond))
				require.Equal(t, 1, c.made(b))
				require.Equal(t, c.ends, [5]int{len(b.xero.Payments()), len(b.xero.CreditNotes()), len(b.xero.Allocations()), len(b.xero.Contacts()), len(b.xero.Items())})
				require.Zero(t, b.count(t, "SELECT count(*) FROM provider_intents WHERE settled_at IS NULL"))
				b.noMismatch(t)
			})
		}
	}
}
