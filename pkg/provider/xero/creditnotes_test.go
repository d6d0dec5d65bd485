package xero_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
)

// A credit note that exists is ours only if all that is known of it agrees.
func Test_Credit_note_with_our_number_is_adopted_only_if_it_is_ours(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, difference string }{
		"the same":        {"", "", ""},
		"other total":     {`"UnitAmount":10.00`, `"UnitAmount":11.00`, "its total is 11.00, not 10.00"},
		"other date":      {"2026-04-29", "2026-04-28", "its date is"},
		"other reference": {`"Reference":"N001"`, `"Reference":"N002"`, "its reference is"},
		"other currency":  {`"CurrencyCode":"GBP"`, `"CurrencyCode":"EUR"`, "its currency is EUR"},
		"other contact":   {"CONTACT", "", "it belongs to another contact"},
	} {
		for _, n := range []int{1, 2} {
			for _, unsure := range []bool{true, false} { // looked up first, or when Xero says that the number is taken
				b := setup(t)
				contact, other := b.sim.AddContact("1", "Somebody"), b.sim.AddContact("2", "Somebody else")
				set := b.crediting(t, contact, "10.00", n)
				theirs := strings.ReplaceAll(string(set[0].Value.Body), c.old, c.new)
				if c.old == "CONTACT" {
					theirs = strings.ReplaceAll(string(set[0].Value.Body), contact, other)
				}
				b.write(t, "PUT", "/CreditNotes", theirs)
				o := b.client.EnsureCreditNotes(b.ctx, tried(set, provider.Try{Uncertain: unsure}))
				if c.difference == "" {
					require.NoError(t, o[0].Err, name)
					require.True(t, o[0].Value.Adopted)
					require.Equal(t, "10.00", o[0].Value.Total.Decimal.StringFixed(2))
				} else {
					f := failure(t, o[0].Err)
					require.Equal(t, provider.HeldNumberTaken, f.Reason, name)
					require.Contains(t, f.Message, c.difference)
					require.Contains(t, f.Message, "credit note")
				}
				for _, rest := range o[1:] {
					require.NoError(t, rest.Err, "one bad element does not hurt the others")
				}
				require.Len(t, b.sim.CreditNotes(), n)
			}
		}
	}
}

// Allocated as far as both are open, also in part, and what is left goes back as
// money: at every step the sums are right, and a repetition changes nothing.
func Test_Credit_is_allocated_as_far_as_it_goes_and_the_rest_goes_back(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paid, credit, allocated, refunded, due string
	}{
		"unpaid invoice":                          {"0", "100", "100", "0", "4740.86"},
		"paid but for a part":                     {"4800.86", "100", "40", "60", "0"},
		"paid invoice":                            {"4840.86", "100", "0", "100", "0"},
		"more credit than was invoiced":           {"0", "5000", "4840.86", "159.14", "0"},
		"all of a half-paid one":                  {"2420.43", "4840.86", "2420.43", "2420.43", "0"},
		"exactly what is open":                    {"4740.86", "100", "100", "0", "0"},
		"a penny less is open than the credit is": {"4740.87", "100", "99.99", "0.01", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			inv := b.invoiced(t, 1)[0]
			if c.paid != "0" {
				b.byHand(t, inv.Number, c.paid, "bank")
			}
			note := b.credited(t, inv.Contact, c.credit, 1)[0]
			for range 2 {
				a, err := b.allocation(note, inv.ID, c.credit)
				require.NoError(t, err)
				o := b.client.EnsureAllocations(b.ctx, []provider.Item[provider.Allocation]{{Value: a, Try: provider.Try{Key: "a"}}})[0]
				require.NoError(t, o.Err)
				require.Equal(t, c.allocated == "0", o.Value.Settled)
				if !o.Value.Settled {
					require.True(t, dec(c.allocated).Equal(o.Value.Total.Decimal), o.Value.Total.Decimal.String())
					require.NotEmpty(t, o.Value.ID)
				}
				ref := b.reference(t)
				r, err := b.refund(decided(bankID(t, ref), c.credit, note.Number), note.ID, note.Number, ref)
				require.NoError(t, err)
				paid := b.client.EnsurePayments(b.ctx, []provider.Item[provider.Payment]{{Value: r, Try: provider.Try{Key: "r"}}})[0]
				require.NoError(t, paid.Err)
				require.Equal(t, c.refunded == "0", paid.Value.Settled)
				if !paid.Value.Settled {
					require.True(t, dec(c.refunded).Equal(paid.Value.Total.Decimal), paid.Value.Total.Decimal.String())
				}
				require.Equal(t, dec(c.due).StringFixed(2), b.sim.AmountDue(inv.Number))
				require.Equal(t, "0.00", b.sim.AmountDue(note.Number), "nothing of the credit is left")
			}
			require.LessOrEqual(t, len(b.sim.Allocations()), 1)
		})
	}
}

func Test_Memos_of_one_invoice_share_what_is_open_on_it(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv := b.invoiced(t, 1)[0]
	b.byHand(t, inv.Number, "4825.86", "bank") // 15 are open
	var set []provider.Item[provider.Allocation]
	for _, note := range b.credited(t, inv.Contact, "10.00", 3) {
		a, err := b.allocation(note, inv.ID, "10")
		require.NoError(t, err)
		set = append(set, provider.Item[provider.Allocation]{Value: a, Try: provider.Try{Key: note.Number}})
	}
	for range 2 {
		outcomes := b.client.EnsureAllocations(b.ctx, set)
		for i, total := range []string{"10.00", "5.00", ""} {
			require.NoError(t, outcomes[i].Err)
			require.Equal(t, total == "", outcomes[i].Value.Settled)
			if total != "" {
				require.Equal(t, total, outcomes[i].Value.Total.Decimal.StringFixed(2))
			}
		}
		require.Equal(t, "0.00", b.sim.AmountDue(inv.Number))
		require.Len(t, b.sim.Allocations(), 2)
	}
	require.Equal(t, 1, len(b.wire.of("GET /Invoices"))/2, "one look-up for the one invoice")
}

func Test_Allocation_waits_for_what_a_person_has_to_do(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status, reason string
	}{
		"draft":  {"DRAFT", provider.HeldDocumentNotApproved},
		"voided": {"VOIDED", provider.HeldDocumentVoid},
	} {
		b := setup(t)
		invoices := b.invoiced(t, 2)
		b.sim.SetInvoiceStatus(invoices[0].Number, c.status)
		var set []provider.Item[provider.Allocation]
		for i, note := range b.credited(t, invoices[0].Contact, "10.00", 2) {
			a, err := b.allocation(note, invoices[i].ID, "10")
			require.NoError(t, err)
			set = append(set, provider.Item[provider.Allocation]{Value: a, Try: provider.Try{Key: note.Number}})
		}
		outcomes := b.client.EnsureAllocations(b.ctx, set)
		require.Equal(t, c.reason, failure(t, outcomes[0].Err).Reason, name)
		require.NoError(t, outcomes[1].Err, "the other is not hurt")
	}
}

func Test_Standings_tell_what_is_open(t *testing.T) {
	t.Parallel()
	b := setup(t)
	invoices := b.invoiced(t, 4)
	b.byHand(t, invoices[1].Number, invoices[1].Total.Decimal.String(), "bank")
	b.sim.SetInvoiceStatus(invoices[2].Number, "VOIDED")
	b.sim.SetInvoiceStatus(invoices[3].Number, "DRAFT")
	ids := []string{"c0ffee00-0000-4000-8000-000000000009", ""}
	for _, inv := range invoices {
		ids = append(ids, inv.ID, inv.ID)
	}
	shown, err := b.client.InvoicesByID(b.ctx, ids)
	require.NoError(t, err)
	require.Len(t, shown, 4)
	require.Equal(t, []string{"GET /Invoices"}, b.wire.sequence()[len(b.wire.sequence())-1:])
	for i, state := range []provider.State{provider.StateOpen, provider.StateSettled, provider.StateVoid, provider.StateDraft} {
		require.Equal(t, state, shown[invoices[i].ID].State)
	}
	first, err := b.client.InvoicesByNumber(b.ctx, []string{"N001"})
	require.NoError(t, err)
	require.Equal(t, shown[invoices[0].ID], first["N001"])
	require.Equal(t, "4840.86", first["N001"].Open.Decimal.StringFixed(2))
	require.Equal(t, runURL, first["N001"].Source)
	note := b.credited(t, invoices[0].Contact, "10.00", 1)[0]
	credit, err := b.client.CreditNotesByID(b.ctx, []string{note.ID})
	require.NoError(t, err)
	require.Equal(t, "10.00", credit[note.ID].Open.Decimal.StringFixed(2))
}
