package xero_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

func Test_Uncertain_documents_are_looked_up_together_within_an_addresss_length(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix string
		calls  int
	}{
		"short": {"", 3},
		"long":  {strings.Repeat("/", 70), 6}, // each is three characters in an address
	} {
		b := setup(t)
		set := b.documents(t, 100)
		for i := range set {
			number := set[i].Value.Number
			set[i].Value.Number = c.prefix + number
			set[i].Value.Body = replacedIn(set[i].Value.Body, number, c.prefix+number)
		}
		for _, o := range b.client.EnsureInvoices(b.ctx, set[:60]) {
			require.NoError(t, o.Err)
		}
		b.wire.forget()
		outcomes := b.client.EnsureInvoices(b.ctx, uncertain(set))
		b.posted(t, set, outcomes)
		for i, o := range outcomes {
			require.Equal(t, i < 60, o.Value.Adopted)
		}
		calls := b.wire.of("GET /Invoices")
		require.Len(t, calls, c.calls, name)
		for _, call := range calls {
			require.LessOrEqual(t, len(strings.Split(call.query.Get("InvoiceNumbers"), ",")), 40)
			require.LessOrEqual(t, len(call.uri), 4200)
		}
	}
}

func Test_Look_up_is_taken_by_the_published_spec(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	b := setup(t)
	b.client.EnsureInvoices(b.ctx, uncertain(b.documents(t, 3)))
	call := b.wire.of("GET /Invoices")[0]
	spec.accepts(t, "GET", strings.TrimPrefix(call.uri, "/api.xro/2.0"), nil)
}

func Test_Number_with_a_comma_is_looked_up_alone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 4)
	set[1].Value.Number = "A,N001"
	set[1].Value.Body = replacedIn(set[1].Value.Body, "N002", "A,N001")
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	b.wire.forget()
	outcomes := b.client.EnsureInvoices(b.ctx, uncertain(set))
	require.Equal(t, []string{"adopted", "adopted", "adopted", "adopted"}, fates(outcomes))
	b.posted(t, set, outcomes)
	calls := b.wire.of("GET /Invoices")
	require.Len(t, calls, 3)
	require.Equal(t, `InvoiceNumber=="A,N001"`, calls[1].query.Get("where"))
}

// Suppliers' bills may bear the numbers that are asked for, more than a page of
// them.
func Test_Look_up_reads_every_page(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 2)
	for range 130 {
		b.bill(t, "N001")
	}
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	b.wire.forget()
	outcomes := b.client.EnsureInvoices(b.ctx, uncertain(set))
	require.Equal(t, []string{"adopted", "adopted"}, fates(outcomes))
	b.posted(t, set, outcomes)
	calls := b.wire.of("GET /Invoices")
	require.Len(t, calls, 2)
	require.Equal(t, []string{"1", "2"}, []string{calls[0].query.Get("page"), calls[1].query.Get("page")})
}

// bill enters a supplier's bill as a person would.
func (b bundle) bill(t *testing.T, number string) {
	t.Helper()
	contact := b.sim.Contacts()[0].ID
	b.put(t, fmt.Sprintf(`{"Invoices":[{"Type":"ACCPAY","InvoiceNumber":%q,"Contact":{"ContactID":%q}}]}`, number, contact))
}

// A list that never ends is asked for number by number.
func Test_Look_up_that_shows_too_much_is_divided(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 2)
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	b.wire.forget()
	full := `{"Invoices":[` + strings.TrimSuffix(strings.Repeat(`{"Type":"ACCPAY","InvoiceNumber":"N001"},`, 100), ",") + `]}`
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 200, Body: full, Times: 20})
	require.Equal(t, []string{"adopted", "adopted"}, fates(b.client.EnsureInvoices(b.ctx, uncertain(set))))
	require.Len(t, b.wire.of("GET /Invoices"), 22)
}

func Test_Look_up_that_Xero_does_not_understand_is_divided_and_refuses_nobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 4)
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	b.wire.forget()
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 400, Body: `{"Type":"QueryParseException"}`, Times: 3})
	outcomes := b.client.EnsureInvoices(b.ctx, uncertain(set))
	require.Equal(t, []string{"bug", "adopted", "adopted", "adopted"}, fates(outcomes), "4, 2 and 1 are refused, then 1 and 2 are not")
	require.Empty(t, b.wire.of("PUT /Invoices"))
}

func Test_Look_up_that_is_not_found_shows_none(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 2)
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 404})
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, uncertain(set)))
}

func Test_Voided_and_unseen_numbers_of_a_set_are_held(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	b.sim.SetInvoiceStatus("N002", "VOIDED")
	require.Equal(t, []string{"adopted", "number_taken", "adopted"}, fates(b.client.EnsureInvoices(b.ctx, uncertain(set))))

	again := otherKeys(set)
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 200, Body: `{"Invoices":[]}`})
	outcomes := b.client.EnsureInvoices(b.ctx, again)
	require.Equal(t, []string{"number_taken", "number_taken", "number_taken"}, fates(outcomes))
	require.Contains(t, failure(t, outcomes[0].Err).Message, "shows no such invoice")
}

func Test_Limit_at_the_second_look_up_is_the_fate_of_the_taken_ones_only(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	_, err := ensureInvoice(b.ctx, b.client, set[1].Value, provider.Try{Key: "earlier"})
	require.NoError(t, err)
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 429, Header: limit("minute", "9")})
	require.Equal(t, []string{"ok", "minute", "ok"}, fates(b.client.EnsureInvoices(b.ctx, set)))
}

func Test_Address_of_a_look_up_is_escaped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 2)
	set[0].Value.Number = `A&B="1" +#?`
	set[0].Value.Body = replacedIn(set[0].Value.Body, "N001", `A&B=\"1\" +#?`)
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	b.wire.forget()
	require.Equal(t, []string{"adopted", "adopted"}, fates(b.client.EnsureInvoices(b.ctx, uncertain(set))))
	require.Contains(t, b.wire.of("GET /Invoices")[0].uri, url.QueryEscape(set[0].Value.Number))
}
