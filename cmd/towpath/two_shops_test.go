package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/freeagent/freeagentsim"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/shopjwt"
)

var sharedInvoices = flag.Int("shared.invoices", 20, "invoices of each of two shops on one organisation")

// sharedLedger is an organisation that two shops write to, on either wire.
type sharedLedger interface {
	http.Handler
	provider() string
	bind() []string // flags of binding create, besides
	settings() string
	size(int) int // how many invoices of each shop its limits let a test have
	loseAnswers()
	documents() map[string]ledgerDocument // by the provider's id
	contacts() map[string]ledgerContact
}

type ledgerDocument struct{ number, total, contact string }

type ledgerContact struct{ name, email string }

type sharedXero struct{ *xerosim.Sim }

func (sharedXero) provider() string { return "xero" }
func (sharedXero) bind() []string   { return []string{"--org-id", demo.OrgID} }
func (sharedXero) size(n int) int   { return n }
func (sharedXero) settings() string { return `"default_xero_revenue_account_code":"200",` }

func (x sharedXero) loseAnswers() {
	for _, operation := range []string{"PUT /Contacts", "PUT /Invoices"} {
		x.Inject(xerosim.Fault{Operation: operation, When: xerosim.After, Reset: true},
			xerosim.Fault{Operation: operation, When: xerosim.After, Status: 500})
	}
}

func (x sharedXero) documents() map[string]ledgerDocument {
	all := map[string]ledgerDocument{}
	for _, doc := range x.Invoices() {
		all[doc.ID] = ledgerDocument{doc.Number, doc.Total, doc.ContactID}
	}
	return all
}

func (x sharedXero) contacts() map[string]ledgerContact {
	all := map[string]ledgerContact{}
	for _, c := range x.Contacts() {
		all[c.ID] = ledgerContact{c.Name, c.Email}
	}
	return all
}

type sharedFreeAgent struct {
	*freeagentsim.Server
	url *string
}

func (sharedFreeAgent) provider() string { return "freeagent" }
func (sharedFreeAgent) bind() []string   { return nil }
func (sharedFreeAgent) size(n int) int   { return min(n, 12) } // 120 calls in a clock minute
func (f sharedFreeAgent) settings() string {
	return `"default_income_category_url":"` + *f.url + `/v2/categories/001",`
}

func (f sharedFreeAgent) loseAnswers() {
	for _, operation := range []string{freeagentsim.ContactCreate, freeagentsim.InvoiceCreate} {
		f.Inject(freeagentsim.Fault{Operation: operation, Skip: 3, After: true, Reset: true})
		f.Inject(freeagentsim.Fault{Operation: operation, Skip: 5, After: true, Status: 500})
		f.Inject(freeagentsim.Fault{Operation: operation, Status: 503})
	}
}

func (f sharedFreeAgent) documents() map[string]ledgerDocument {
	all := map[string]ledgerDocument{}
	for _, doc := range f.Invoices() {
		all[fmt.Sprintf("%s/v2/invoices/%d", *f.url, doc.ID)] = ledgerDocument{doc.Reference, doc.Total.StringFixed(2), fmt.Sprint(doc.ContactID)}
	}
	return all
}

func (f sharedFreeAgent) contacts() map[string]ledgerContact {
	all := map[string]ledgerContact{}
	for _, c := range f.Contacts() {
		name := strings.TrimSpace(c.Fields["organisation_name"] + " " + c.Fields["first_name"] + " " + c.Fields["last_name"])
		all[fmt.Sprint(c.ID)] = ledgerContact{name, c.Fields["email"]}
	}
	return all
}

// shopOf is one of the two shops.
type shopOf struct {
	*magentosim.Shop
	tenant, key, binding string
	buyers               map[int64]canon.Contact // by invoice
}

// sharedBuyer is the buyer of the nth invoice of a shop: both count their customers
// alike, some have the same name, and guests share one address over both.
func sharedBuyer(shop, n int) canon.Contact {
	first, last := fmt.Sprintf("Buyer%d", n%10), []string{"Alder", "Birch"}[shop]
	c := canon.Contact{MagentoID: canon.Int(1 + n%10), Email: fmt.Sprintf("buyer%d@shop%d.example", n%10, shop), WebsiteID: 1}
	switch {
	case n%5 == 4:
		c.MagentoID, c.Email = 0, "noreply@example.com"
	case n%10%3 == 0:
		first, last = "Jane", "Doe"
	}
	c.FirstName, c.LastName = &first, &last
	return c
}

// twoShops pairs two shops with one organisation and raises n invoices in each,
// under the same numbers.
func (d *desk) twoShops(t *testing.T, ledger sharedLedger, n int) [2]*shopOf {
	t.Helper()
	var shops [2]*shopOf
	for i := range shops {
		s := &shopOf{Shop: magentosim.New(magentosim.Config{Provider: ledger.provider(), Events: []string{"invoice.created"}}), tenant: uuid.NewString(), key: shopjwt.NewAPIKey(), buyers: map[int64]canon.Contact{}}
		d.bindShop(t, s, ledger, []string{"Alder", "Birch"}[i])
		for k := range n {
			cart := demo.Cart()
			cart.Customer = sharedBuyer(i, k)
			cart.BillingAddress = nil
			cart.Items[0].Qty = decimal.NewFromInt(int64(1 + (k*(i+1))%4)) // some totals agree
			inv := s.RaiseInvoice(cart)
			s.buyers[inv.ID] = cart.Customer
		}
		shops[i] = s
	}
	return shops
}

// bindShop makes the tenant of s and binds it to the ledger.
func (d *desk) bindShop(t *testing.T, s *shopOf, ledger sharedLedger, name string) {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	d.must(t, "tenant", "create", "--name", name, "--magento-url", srv.URL, "--id", s.tenant, "--api-key", s.key)
	var made bindingView
	d.mustJSON(t, &made, append([]string{"binding", "create", "--tenant", s.tenant, "--provider", ledger.provider(), "--api-url", d.xeroURL, "--token", "a-token"}, ledger.bind()...)...)
	s.binding = made.ID.String()
	d.setPrefix(t, s, ledger, "")
}

func (d *desk) setPrefix(t *testing.T, s *shopOf, ledger sharedLedger, prefix string) {
	t.Helper()
	d.must(t, "binding", "policy", "set", s.binding, "--file", file(t, "policy.json",
		`{`+ledger.settings()+`"invoice_number_prefix":"`+prefix+`","tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"}}`))
}

// settle waits until no run goes on by itself any more; it answers how many are
// held.
func (d *desk) settle(t *testing.T, ctx context.Context) (held int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var open int
		err := d.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE status IN ('queued', 'running') OR status = 'succeeded' AND shop_told IS DISTINCT FROM 'told'),
			count(*) FILTER (WHERE status = 'held') FROM sync_runs`).Scan(&open, &held)
		return err == nil && open == 0
	}, 20*time.Minute, 50*time.Millisecond, "runs are still open")
	return held
}

// Two shops that number their invoices and customers alike write to one
// organisation, while answers are lost: each document is right or its run held, none
// is booked on a stranger, and a prefix for each shop brings all of them home.
func Test_Two_shops_on_one_organisation_never_mix(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	var url string
	for name, ledger := range map[string]sharedLedger{
		"accounting": sharedXero{xerosim.New(xerosim.Config{OrgID: demo.OrgID, Tokens: []string{"a-token"}})},
		"v2":         sharedFreeAgent{freeagentsim.New(freeagentsim.RealFreeAgent(freeagentsim.Config{})), &url},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			srv := httptest.NewServer(ledger)
			t.Cleanup(srv.Close)
			d.xeroURL = srv.URL
			if name == "v2" {
				url = srv.URL
			}
			n := ledger.size(*sharedInvoices)
			shops := d.twoShops(t, ledger, n)
			ledger.loseAnswers()
			base := "http://" + d.serve(t).Addr()
			for _, s := range shops {
				s.Connect(s.tenant, s.key, base)
			}
			for _, s := range shops {
				for range 1 + n/50 {
					_, err := s.Drain(t.Context())
					require.NoError(t, err)
				}
			}
			held := d.settle(t, t.Context())
			require.Positive(t, held, "the numbers clash")
			d.requireOwn(t, shops, ledger, 2*n-held)
			_, err := d.pool.Exec(t.Context(), "DELETE FROM call_budgets") // the minute is over
			require.NoError(t, err)
			d.setPrefix(t, shops[0], ledger, "ALD-")
			d.setPrefix(t, shops[1], ledger, "BIR-")
			left := d.settle(t, t.Context())
			t.Logf("%d invoices of each shop: %d held without a prefix, %d with", n, held, left)
			d.requireOwn(t, shops, ledger, 2*n-left)
			require.Zero(t, left)
			require.Len(t, ledger.documents(), 2*n)
		})
	}
}

// requireOwn: so many invoices have a document of their own, with their total, on a
// contact of their own buyer; and verify finds nothing.
func (d *desk) requireOwn(t *testing.T, shops [2]*shopOf, ledger sharedLedger, synced int) {
	t.Helper()
	documents, contacts, taken := ledger.documents(), ledger.contacts(), map[string]bool{}
	for _, s := range shops {
		for _, inv := range s.Invoices() {
			if inv.Chip.Status != "synced" {
				require.Equal(t, "pending", inv.Chip.Status, inv.IncrementID)
				continue
			}
			id := inv.Chip.ProviderEntityID
			require.False(t, taken[id], "%s has two invoices", id)
			taken[id] = true
			doc, there := documents[id]
			require.True(t, there, id)
			require.Equal(t, inv.GrandTotal, doc.total, doc.number)
			require.True(t, strings.HasSuffix(doc.number, inv.IncrementID), doc.number)
			buyer, booked := s.buyers[inv.ID], contacts[doc.contact]
			require.True(t, strings.HasPrefix(booked.name, *buyer.FirstName+" "+*buyer.LastName), "%s is booked on %s", buyer.Email, booked.name)
			if buyer.MagentoID > 0 {
				require.Equal(t, buyer.Email, booked.email)
			}
		}
	}
	require.Len(t, taken, synced)
	d.must(t, "verify")
}
