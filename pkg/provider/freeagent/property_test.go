package freeagent

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// anyRate is a ledger and a policy with every rate that an invoice may be drawn
// with.
func anyRate() (freeagentsim.Config, policy.Policy) {
	cfg, pol := freeagentsim.Config{Now: testNow}, testPolicy()
	for _, rate := range canontest.Rates() {
		text := rate.String()
		if rate.IsInteger() {
			text += ".0"
		}
		cfg.Rates = append(cfg.Rates, text)
		pol.TaxRateMap[rate.StringFixed(2)] = "ANY"
	}
	return cfg, pol
}

// Whatever a shop can compute: what is posted comes, by the ledger's own
// arithmetic, to the shop's grand total, or it is held and nothing is posted.
func TestAnyInvoice_posted_to_the_penny_or_held(t *testing.T) {
	t.Parallel()
	cfg, pol := anyRate()
	var sim atomic.Pointer[freeagentsim.Server]
	sim.Store(freeagentsim.New(cfg))
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.Load().ServeHTTP(w, r) }))
	ref, err := client.Reference(t.Context())
	require.NoError(t, err)

	rapid.Check(t, func(rt *rapid.T) {
		sim.Store(freeagentsim.New(cfg))
		inv := canontest.DrawInvoice(rt)
		contact, err := ensureContact(t.Context(), client, policy.BuyerOf(inv, pol), provider.Try{})
		require.NoError(rt, err)
		doc, err := client.Document(inv, pol, ref, contact, "")
		if inv.GrandTotal.IsNegative() { // a penny below nothing, by the shop's rounding: no invoice
			require.Equal(rt, provider.Refused, provider.AsFailure(err).Kind, err)
			return
		}
		if err != nil {
			require.Equal(rt, provider.Held, provider.AsFailure(err).Kind, err)
			return
		}
		posted, err := ensureInvoice(t.Context(), client, doc, provider.Try{})
		require.NoError(rt, err)
		total, found := sim.Load().Total(doc.Number)
		require.True(rt, found)
		requireEqual(rt, inv.GrandTotal, total)
		requireEqual(rt, doc.Total, total)
		requireEqual(rt, doc.SubTotal, posted.SubTotal.Decimal)
		require.True(rt, doc.Rounding.Abs().LessThanOrEqual(pol.RoundingTolerance))
	})
}

// Two runs over the same invoice give the same bytes: the intent's hash and a
// look-up after a crash rely on it.
func TestAnyInvoice_same_body_twice(t *testing.T) {
	t.Parallel()
	_, pol := anyRate()
	client := clientOf(t, http.NotFoundHandler())
	rapid.Check(t, func(rt *rapid.T) {
		inv := canontest.DrawInvoice(rt)
		one, errOne := client.Document(inv, pol, provider.Reference{}, "c", "")
		two, errTwo := client.Document(inv, pol, provider.Reference{}, "c", "")
		require.Equal(rt, errOne, errTwo)
		require.Equal(rt, string(one.Body), string(two.Body))
	})
}

// How many of 10,000 random invoices need a rounding item, a correction of the
// tax, or are held: the figures are printed. None is held but where a shop
// rounds its lines' tax by unit and its header's on the total: there the lines
// of cheap pieces no longer tell what the header charges.
func TestTenThousand_held_only_where_the_lines_lost_the_tax(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("ten thousand documents")
	}
	_, pol := anyRate()
	client := clientOf(t, http.NotFoundHandler())
	draw := rapid.Custom(canontest.DrawCart)
	counts := map[string]int{}
	for seed := range 10_000 {
		cart := draw.Example(seed)
		inv := cart.Invoice(1, testNow())
		doc, err := client.Document(inv, pol, provider.Reference{}, "c", "")
		corrected := slices.ContainsFunc(doc.Notes, func(note string) bool { return strings.HasPrefix(note, "tax at ") })
		lost := cart.Calculation == magentosim.UnitBased && cart.HeaderTaxOnTotal
		switch {
		case err != nil:
			require.True(t, lost, "seed %d: %v", seed, err)
			counts["held: "+provider.AsFailure(err).Reason]++
		case corrected:
			counts["tax corrected"]++
		case doc.Rounding.IsZero():
			counts["exact"]++
		default:
			counts["rounding item only"]++
		}
		if lost {
			counts["(lost the tax)"]++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%-24s %6d", key, counts[key])
	}
}
