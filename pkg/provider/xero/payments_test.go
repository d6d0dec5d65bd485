package xero_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// byHand books money as a person in Xero would.
func (b bundle) byHand(t *testing.T, invoice, amount, reference string) {
	t.Helper()
	b.write(t, "PUT", "/Payments", `{"Payments":[{"Invoice":{"InvoiceNumber":"`+invoice+`"},"Account":{"Code":"090"},"Date":"2026-04-01","Amount":`+amount+`,"Reference":"`+reference+`"}]}`)
}

func (b bundle) pay1(t *testing.T, p provider.Payment, try provider.Try) provider.Outcome[provider.Posted] {
	t.Helper()
	return b.client.EnsurePayments(b.ctx, []provider.Item[provider.Payment]{{Value: p, Try: try}})[0]
}

func Test_Payment_body_is_the_golden_one_and_the_published_spec_has_nothing_against_it(t *testing.T) {
	t.Parallel()
	b, spec := setup(t), publishedSpec(t)
	ref := b.reference(t)
	p, err := b.payment(decided(bankID(t, ref), "119.98", "ch_3NfQ"), "c0ffee00-0000-4000-8000-000000000002", "N001", ref)
	require.NoError(t, err)
	golden(t, "payment", p.Body)
	spec.accepts(t, "PUT", "/Payments?summarizeErrors=false", p.Body)
	r, err := b.refund(decided(bankID(t, ref), "19.98", "300000001"), "c0ffee00-0000-4000-8000-000000000003", "C001", ref)
	require.NoError(t, err)
	golden(t, "refund", r.Body)
	spec.accepts(t, "PUT", "/Payments?summarizeErrors=false", r.Body)
	a, err := b.allocation(provider.Posted{ID: "c0ffee00-0000-4000-8000-000000000003", Number: "C001"}, "c0ffee00-0000-4000-8000-000000000002", "19.98")
	require.NoError(t, err)
	golden(t, "allocation", a.Body)
	spec.accepts(t, "PUT", "/CreditNotes/c0ffee00-0000-4000-8000-000000000003/Allocations?summarizeErrors=false", a.Body)
	note := creditNote(t, "C001", "c0ffee00-0000-4000-8000-000000000001", "10.00")
	spec.accepts(t, "PUT", "/CreditNotes?summarizeErrors=false&unitdp=4", note.Body)
}

// The queries by which documents are looked up are those that Xero has.
func Test_Look_ups_are_asked_as_the_published_spec_has_them(t *testing.T) {
	t.Parallel()
	b, spec := setup(t), publishedSpec(t)
	_, err := b.client.InvoicesByID(b.ctx, []string{"c0ffee00-0000-4000-8000-000000000002", "c0ffee00-0000-4000-8000-000000000003"})
	require.NoError(t, err)
	_, err = b.client.InvoicesByNumber(b.ctx, []string{"N001", "N002"})
	require.NoError(t, err)
	_, err = b.client.CreditNotesByID(b.ctx, []string{"c0ffee00-0000-4000-8000-000000000002", "c0ffee00-0000-4000-8000-000000000003"})
	require.NoError(t, err)
	for _, call := range append(b.wire.of("GET /Invoices"), b.wire.of("GET /CreditNotes")...) {
		spec.accepts(t, "GET", strings.TrimPrefix(call.uri, "/api.xro/2.0"), nil)
	}
}

func Test_Payment_is_dated_in_the_organisations_day(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for zone, day := range map[string]string{"GMTSTANDARDTIME": "2026-04-30", "UTC": "2026-04-29", "NEWZEALANDSTANDARDTIME": "2026-04-30", "PACIFICSTANDARDTIME": "2026-04-29"} {
		ref := provider.Reference{Organisation: provider.Organisation{Timezone: zone}}
		p, err := b.payment(decided("a", "1", "ch_1"), "id", "N001", ref) // at 23:30 UTC
		require.NoError(t, err)
		require.Equal(t, day, p.Date, zone)
	}
}

func Test_Payment_is_held_where_Xero_would_refuse_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.reference(t)
	bank := bankID(t, ref)
	for name, c := range map[string]struct {
		account, reason string
		change          func(*provider.Reference)
	}{
		"unknown account":    {"c0ffee00-0000-4000-8000-000000000009", provider.HeldAccountInvalid, nil},
		"sales account":      {accountID(t, ref, "200"), provider.HeldAccountInvalid, nil},
		"payments enabled":   {accountID(t, ref, "880"), "", nil},
		"bank, in any case":  {strings.ToUpper(bank), "", nil},
		"day in locked time": {bank, provider.HeldPeriodLocked, func(r *provider.Reference) { r.Organisation.EndOfYearLockDate = "2026-04-30" }},
		"day after it":       {bank, "", func(r *provider.Reference) { r.Organisation.PeriodLockDate = "2026-04-29" }},
	} {
		ref := ref
		if c.change != nil {
			c.change(&ref)
		}
		_, err := b.payment(decided(c.account, "1", "ch_1"), "id", "N001", ref)
		if c.reason == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, c.reason, failure(t, err).Reason, name)
	}
	b.sim.SetAccountStatus("090", "ARCHIVED")
	_, err := b.payment(decided(bank, "1", "ch_1"), "id", "N001", b.reference(t))
	require.Equal(t, provider.HeldAccountArchived, failure(t, err).Reason)
	_, err = b.payment(decided(bank, "0.004", "ch_1"), "id", "N001", ref)
	require.Equal(t, provider.Refused, failure(t, err).Kind)
}

// What is open in Xero decides: never more than that, never twice the same money.
func Test_Payment_is_never_more_than_what_is_due(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked   string // beyond the invoice's total
		before  func(t *testing.T, b bundle, inv provider.Posted)
		want    string // fate
		settled bool
		due     string
		there   int
		note    string
	}{
		"whole":                      {"0", nil, "ok", false, "0.00", 1, ""},
		"a penny more than is due":   {"0.01", nil, "ok", false, "0.00", 1, "all that was open"},
		"the tolerance more":         {"0.05", nil, "ok", false, "0.00", 1, "all that was open"},
		"more than that":             {"0.06", nil, provider.HeldAmountExceedsDue, false, "4840.86", 0, ""},
		"less than is due":           {"-100", nil, "ok", false, "100.00", 1, ""},
		"paid there by somebody":     {"0", func(t *testing.T, b bundle, inv provider.Posted) { b.byHand(t, inv.Number, "4840.86", "bank") }, "ok", true, "0.00", 1, "paid in Xero already"},
		"half of it paid there":      {"0", func(t *testing.T, b bundle, inv provider.Posted) { b.byHand(t, inv.Number, "60", "bank") }, provider.HeldAmountExceedsDue, false, "4780.86", 1, ""},
		"there under our reference":  {"0", func(t *testing.T, b bundle, inv provider.Posted) { b.byHand(t, inv.Number, "4840.86", "ch_1") }, "adopted", false, "0.00", 1, ""},
		"there, a penny less":        {"0.01", func(t *testing.T, b bundle, inv provider.Posted) { b.byHand(t, inv.Number, "4840.86", "ch_1") }, "adopted", false, "0.00", 1, "all that was open"},
		"reference there, other sum": {"-100", func(t *testing.T, b bundle, inv provider.Posted) { b.byHand(t, inv.Number, "5", "ch_1") }, "ok", false, "95.00", 2, ""},
		"voided":                     {"0", func(_ *testing.T, b bundle, inv provider.Posted) { b.sim.SetInvoiceStatus(inv.Number, "VOIDED") }, provider.HeldDocumentVoid, false, "4840.86", 0, ""},
		"a draft":                    {"0", func(_ *testing.T, b bundle, inv provider.Posted) { b.sim.SetInvoiceStatus(inv.Number, "DRAFT") }, provider.HeldDocumentNotApproved, false, "4840.86", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			inv := b.invoiced(t, 1)[0]
			require.Equal(t, "4840.86", inv.Total.Decimal.StringFixed(2))
			if c.before != nil {
				c.before(t, b, inv)
			}
			ref := b.reference(t)
			p, err := b.payment(decided(bankID(t, ref), inv.Total.Decimal.Add(dec(c.asked)).String(), "ch_1"), inv.ID, inv.Number, ref)
			require.NoError(t, err)
			for range 2 { // a repeated one says the same
				o := b.pay1(t, p, provider.Try{Key: "k"})
				if want := fate(o.Err, o.Value.Adopted); want != "adopted" {
					require.Equal(t, c.want, want)
				}
				require.Equal(t, c.settled, o.Value.Settled)
				require.Equal(t, c.settled, o.Err == nil && o.Value.ID == "")
				require.Contains(t, strings.Join(o.Notes, ""), c.note)
				require.Equal(t, c.due, b.sim.AmountDue(inv.Number))
				require.Len(t, b.sim.Payments(), c.there)
			}
		})
	}
}

// The gateway's transaction is one for all invoices of an order: it proves nothing on
// another invoice.
func Test_One_transaction_pays_each_invoice_of_its_order_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.paying(t, b.invoiced(t, 4))
	for range 2 {
		for _, o := range b.client.EnsurePayments(b.ctx, set) {
			require.NoError(t, o.Err)
		}
		require.Len(t, b.sim.Payments(), 4)
	}
}

func Test_One_bad_payment_does_not_hurt_the_others(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.paying(t, b.invoiced(t, 5))
	set[1].Value.AccountID = "c0ffee00-0000-4000-8000-000000000009"
	set[1].Value.Body = []byte(strings.ReplaceAll(string(set[1].Value.Body), set[0].Value.AccountID, set[1].Value.AccountID))
	b.sim.SetInvoiceStatus(set[3].Value.Number, "VOIDED")
	outcomes := b.client.EnsurePayments(b.ctx, set)
	require.Equal(t, []string{"ok", "refused", "ok", provider.HeldDocumentVoid, "ok"}, fates(outcomes))
	require.Contains(t, failure(t, outcomes[1].Err).Detail, "Account could not be found")
	require.Len(t, b.sim.Payments(), 3)
}

// Two deliveries of one event, both of a first try, at the same moment in two sets.
func Test_Two_callers_at_once_pay_an_invoice_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.paying(t, b.invoiced(t, 1))
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 200, Body: `{"Invoices":[]}`})
	require.Equal(t, []string{provider.HeldDocumentVoid}, fates(b.client.EnsurePayments(b.ctx, set)), "what is not shown is not paid")
	shown := make(chan []provider.Outcome[provider.Posted], 2)
	for range 2 {
		go func() { shown <- b.client.EnsurePayments(b.ctx, tried(set, provider.Try{Key: " other"})) }()
	}
	for range 2 {
		o := <-shown
		if o[0].Err != nil {
			require.Equal(t, provider.HeldAmountExceedsDue, failure(t, o[0].Err).Reason)
		}
	}
	require.Len(t, b.sim.Payments(), 1)
	require.Equal(t, []string{"adopted"}, fates(b.client.EnsurePayments(b.ctx, set)))
}

func accountID(t require.TestingT, ref provider.Reference, code string) string {
	for _, a := range ref.Accounts {
		if a.Code == code {
			return a.ID
		}
	}
	require.Fail(t, "no account", code)
	return ""
}
