package xerosim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider/xero/xerosim"
)

// invoicesFor is a body with n invoices.
func invoicesFor(contact string, n int) string {
	var list []json.RawMessage
	for i := range n {
		var body struct{ Invoices []json.RawMessage }
		one := invoiceWith(contact, func(v, _ map[string]any) { v["InvoiceNumber"] = fmt.Sprintf("N%02d", i) })
		if json.Unmarshal([]byte(one), &body) == nil {
			list = append(list, body.Invoices...)
		}
	}
	raw, _ := json.Marshal(map[string]any{"Invoices": list})
	return string(raw)
}

func (r reply) numbers() []string {
	var numbers []string
	for _, e := range r.json["Invoices"].([]any) {
		numbers = append(numbers, e.(map[string]any)["InvoiceNumber"].(string))
	}
	return numbers
}

func Test_Batches_are_answered_in_the_order_of_the_seed(t *testing.T) {
	t.Parallel()
	orders := map[uint64][]string{}
	for _, seed := range []uint64{0, 1, 1, 2} {
		b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = seed })
		first := b.call(t, "PUT", put, "k", invoicesFor(b.sim.AddContact("1", "Somebody"), 20))
		if earlier, ok := orders[seed]; ok {
			require.Equal(t, earlier, first.numbers())
		}
		orders[seed] = first.numbers()
		require.Equal(t, first.numbers(), b.call(t, "PUT", put, "k", invoicesFor(b.sim.Contacts()[0].ID, 20)).numbers(), "a stored answer stays")
	}
	require.True(t, slices.IsSorted(orders[0]))
	require.False(t, slices.IsSorted(orders[1]))
	require.NotEqual(t, orders[1], orders[2])
	require.ElementsMatch(t, orders[0], orders[2])
}

func Test_Elements_that_came_are_counted_whatever_became_of_them(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	b.call(t, "PUT", put, "", invoicesFor(contact, 3))
	b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 500})
	b.call(t, "PUT", put, "", invoicesFor(contact, 5))
	b.call(t, "PUT", put, "", "{")
	elements, largest := b.sim.Batches("PUT /Invoices")
	require.Equal(t, []int{8, 5}, []int{elements, largest})
	elements, largest = b.sim.Batches("PUT /Contacts")
	require.Equal(t, []int{0, 0}, []int{elements, largest})
}

// Whether Xero keeps what stood before an unknown contact nobody knows.
func Test_Unknown_contact_makes_the_whole_call_a_404(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := invoicesFor(b.sim.AddContact("1", "Somebody"), 1)
	bad := invoicesFor("5eed0000-0000-4000-8000-00000000dead", 2)
	r := b.call(t, "PUT", put, "", good[:len(good)-2]+","+bad[len(`{"Invoices":[`):])
	require.Equal(t, 404, r.status)
	require.Len(t, b.sim.Invoices(), 1)
}

func Test_Calls_left_can_be_set_as_if_others_had_made_them(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.Limits = xerosim.Limits{PerMinute: 60, PerDay: 1000} })
	b.sim.SetCallsLeft(-1, 2)
	r := b.call(t, "GET", "/Currencies", "", "")
	require.Equal(t, []string{"59", "1"}, []string{r.header.Get("X-MinLimit-Remaining"), r.header.Get("X-DayLimit-Remaining")})
	b.sim.SetCallsLeft(0, -1)
	require.Equal(t, "minute", b.call(t, "GET", "/Currencies", "", "").header.Get("X-Rate-Limit-Problem"))
	b.sim.SetCallsLeft(1, 0)
	require.Equal(t, "day", b.call(t, "GET", "/Currencies", "", "").header.Get("X-Rate-Limit-Problem"))
}

func Test_Deleted_tax_rate_is_shown_and_refused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	b.sim.SetTaxRateStatus("OUTPUT2", "DELETED")
	require.Contains(t, b.call(t, "GET", "/TaxRates", "", "").text, "DELETED")
	require.Contains(t, b.call(t, "PUT", put, "", invoiceWith(contact, nil)).errors("Invoices"), "TaxType code 'OUTPUT2'")
	b.sim.SetTaxRateStatus("OUTPUT2", "ACTIVE")
	require.Empty(t, b.call(t, "PUT", put, "", invoiceWith(contact, nil)).errors("Invoices"))
}

func Test_Forgotten_faults_do_not_strike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.Inject(xerosim.Fault{Status: 500, Times: 9})
	b.sim.ForgetFaults()
	require.Equal(t, 200, b.call(t, "GET", "/Organisation", "", "").status)
}
