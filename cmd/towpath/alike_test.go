package main

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/shopjwt"
)

// The shop's cron sends fifty invoices at once, each of a new customer, and all of
// one name. The calls are what is asserted; the time is printed.
func Test_Fifty_invoices_of_one_name_cost_few_calls(t *testing.T) {
	t.Parallel()
	const n = 50
	names := sharedXero{xerosim.New(xerosim.Config{OrgID: demo.OrgID, Tokens: []string{"a-token"}})}
	var url string
	real := sharedFreeAgent{freeagentsim.New(freeagentsim.RealFreeAgent(freeagentsim.Config{PerMinute: freeagentsim.FreeAgentPerMinute})), &url}
	for name, row := range map[string]struct {
		ledger sharedLedger
		calls  func() (used, most int)
	}{
		// Names are unique in Xero: each set of contacts is one creation, one look-up and
		// one more creation, and its documents go together. How many sets there are
		// depends on how fast they come; a minute's calls are enough at any rate.
		"accounting": {names, func() (int, int) {
			return names.Calls("PUT /Contacts") + names.Calls("GET /Contacts") + names.Calls("PUT /Invoices") + names.Calls("GET /Invoices"), 60
		}},
		// FreeAgent creates one by one, and its list is read once for each set.
		"v2": {real, func() (int, int) {
			return real.Count(freeagentsim.ContactCreate) + real.Count(freeagentsim.ContactList) +
				real.Count(freeagentsim.InvoiceCreate) + real.Count(freeagentsim.InvoiceList), 120
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			srv := httptest.NewServer(row.ledger)
			t.Cleanup(srv.Close)
			d.xeroURL = srv.URL
			if name == "v2" {
				url = srv.URL
			}
			s := &shopOf{Shop: magentosim.New(magentosim.Config{Provider: row.ledger.provider(), Events: []string{"invoice.created"}}), tenant: uuid.NewString(), key: shopjwt.NewAPIKey()}
			d.bindShop(t, s, row.ledger, "Shop")
			for i := range n {
				first, last := "Jane", "Doe"
				cart := demo.Cart()
				cart.BillingAddress = nil
				cart.Customer = canon.Contact{MagentoID: canon.Int(i + 1), Email: fmt.Sprintf("jane%d@example.com", i), FirstName: &first, LastName: &last, WebsiteID: 1}
				s.RaiseInvoice(cart)
			}
			s.Connect(s.tenant, s.key, "http://"+d.serve(t).Addr())
			began := time.Now()
			_, err := s.Drain(t.Context())
			require.NoError(t, err)
			require.Zero(t, d.settle(t, t.Context()))
			used, most := row.calls()
			t.Logf("%s: last chip after %s, %d calls", name, time.Since(began).Round(100*time.Millisecond), used)
			require.LessOrEqual(t, used, most)
			require.Len(t, row.ledger.documents(), n)
			require.Len(t, row.ledger.contacts(), n)
			for _, inv := range s.Invoices() {
				require.Equal(t, "synced", inv.Chip.Status)
			}
			d.must(t, "verify")
		})
	}
}
