package xero_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// A number that belongs to something else is nobody's to take.
func Test_Number_of_another_document_is_held(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(b bundle, doc *provider.Document)
		says   string
	}{
		{"another total", func(_ bundle, d *provider.Document) { d.Total = d.Total.Add(dec("0.01")) }, "its total is 4840.86, not 4840.87"},
		{"another contact", func(_ bundle, d *provider.Document) { d.ContactID = "5eed0000-0000-4000-8000-00000000dead" }, "another contact"},
		{"another currency", func(_ bundle, d *provider.Document) { d.Currency = "EUR" }, "its currency is GBP"},
		{"voided", func(b bundle, d *provider.Document) { b.sim.SetInvoiceStatus(d.Number, "VOIDED") }, "VOIDED"},
		{"deleted", func(b bundle, d *provider.Document) { b.sim.SetInvoiceStatus(d.Number, "DELETED") }, "DELETED"},
	}
	for _, c := range cases {
		for _, uncertain := range []bool{true, false} {
			b := setup(t)
			doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
			there, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "first"})
			require.NoError(t, err)
			c.change(b, &doc)
			_, err = ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "second", Uncertain: uncertain})
			f := failure(t, err)
			require.Equal(t, provider.Held, f.Kind, c.name)
			require.Equal(t, "number_taken", f.Reason, c.name)
			require.Contains(t, f.Message, c.says, c.name)
			require.Contains(t, f.Message, there.ID, c.name)
			require.Len(t, b.sim.Invoices(), 1)
		}
	}
}

func Test_Purchase_bill_with_our_number_is_not_adopted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 200,
		Body: `{"Invoices":[{"Type":"ACCPAY","InvoiceID":"5eed0000-0000-4000-8000-0000000000aa","InvoiceNumber":"100000042","Contact":[],"Total":"4840.86"}]}`})
	posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k", Uncertain: true})
	require.NoError(t, err)
	require.False(t, posted.Adopted)
}

func Test_Taken_number_that_Xero_does_not_show_is_held(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "first"})
	require.NoError(t, err)
	b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: 200, Body: `{"Invoices":[]}`})
	_, err = ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "second"})
	require.Equal(t, "number_taken", failure(t, err).Reason)
}

// A contact of another organisation: Xero answers 404 without a word.
func Test_Unknown_contact_of_an_invoice_is_held(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc, err := b.client.Document(canontest.Named(t, "plain_vat").Invoice, samplePolicy(), b.reference(t), "5eed0000-0000-4000-8000-00000000dead", runURL)
	require.NoError(t, err)
	_, err = ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k"})
	require.Equal(t, "contact_not_found", failure(t, err).Reason)
}

// What Xero refuses for a reason outside the document is held, and goes on once
// that has changed.
func Test_Refusals_from_outside_are_held_until_mended(t *testing.T) {
	t.Parallel()
	cases := []struct {
		reason      string
		sample      string
		break_, fix func(*xerosim.Sim)
	}{
		{"period_locked", "plain_vat", func(s *xerosim.Sim) { _ = s.SetLockDates("2026-04-30", "") }, func(s *xerosim.Sim) { _ = s.SetLockDates("2026-03-31", "") }},
		{"period_locked", "plain_vat", func(s *xerosim.Sim) { _ = s.SetLockDates("", "2026-04-29") }, func(s *xerosim.Sim) { _ = s.SetLockDates("", "") }},
		{"account_archived", "plain_vat", func(s *xerosim.Sim) { s.SetAccountStatus("425", "ARCHIVED") }, func(s *xerosim.Sim) { s.SetAccountStatus("425", "ACTIVE") }},
		{"plan_limit", "plain_vat", func(s *xerosim.Sim) { s.SetApprovalsLeft(0) }, func(s *xerosim.Sim) { s.SetApprovalsLeft(1) }},
		{"currency_not_enabled", "eur_export_no_tax", func(s *xerosim.Sim) { s.SetCurrencies() }, func(s *xerosim.Sim) { s.SetCurrencies("EUR") }},
		{"contact_archived", "plain_vat", func(s *xerosim.Sim) { s.ArchiveContact(s.Contacts()[0].ID) }, func(s *xerosim.Sim) { s.RestoreContact(s.Contacts()[0].ID) }},
	}
	for _, c := range cases {
		b := setup(t)
		doc := b.document(t, canontest.Named(t, c.sample).Invoice, samplePolicy())
		c.break_(b.sim)
		_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k1"})
		f := failure(t, err)
		require.Equal(t, provider.Held, f.Kind, c.reason)
		require.Equal(t, c.reason, f.Reason)
		c.fix(b.sim)
		_, err = ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k2"})
		require.NoError(t, err, c.reason)
	}
}

func Test_Wrong_mapping_is_held_by_what_Xero_says(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv := canontest.Named(t, "plain_vat").Invoice
	for reason, change := range map[string]func() provider.Document{
		"tax_type_invalid": func() provider.Document {
			pol := samplePolicy()
			pol.TaxRateMap["20.00"] = "INPUT2"
			return b.document(t, inv, pol)
		},
		"account_invalid": func() provider.Document {
			pol := samplePolicy()
			pol.RevenueAccountCode = "090"
			return b.document(t, inv, pol)
		},
	} {
		_, err := ensureInvoice(b.ctx, b.client, change(), provider.Try{Key: reason})
		require.Equal(t, reason, failure(t, err).Reason)
	}
}

func Test_Answers_with_quoted_numbers_are_read_without_loss(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.QuotedNumbers = true })
	doc := b.document(t, canontest.Named(t, "two_hundred_lines").Invoice, samplePolicy())
	for _, uncertain := range []bool{false, true} {
		posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k", Uncertain: uncertain})
		require.NoError(t, err)
		require.Equal(t, "370580.49", posted.Total.Decimal.StringFixed(2))
		require.Equal(t, uncertain, posted.Adopted)
	}
}

func Test_Number_with_a_comma_is_looked_up_whole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv := canontest.Named(t, "plain_vat").Invoice
	inv.IncrementID = `A,"42"`
	doc := b.document(t, inv, samplePolicy())
	_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k"})
	require.NoError(t, err)
	posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "k", Uncertain: true})
	require.NoError(t, err)
	require.True(t, posted.Adopted)
}

// The numbers of two new shops are alike, and so may be customer, total and day.
func Test_Document_with_our_number_is_adopted_only_if_it_is_this_invoices(t *testing.T) {
	t.Parallel()
	const place, mine, other = "https://towpath.example.com/dashboard/runs/", "0195d2ea-0000-7000-8000-000000000042", "0195d2ea-0000-7000-8000-000000000043"
	for name, c := range map[string]struct {
		theirs string // the page that the document in Xero links to
		ours   string
		change [2]string // in what we would send
		says   string    // empty: adopted
		proven bool
		source string
	}{
		"our_own_page":                        {theirs: place + mine, ours: place + mine, proven: true},
		"our_own_page_under_an_older_address": {theirs: "http://10.0.0.7:8080/dashboard/runs/" + mine, ours: place + mine, proven: true},
		"no_page_proves_nothing":              {theirs: "", ours: place + mine},
		"another_run's_page":                  {theirs: place + other, ours: place + mine, source: other},
		"another_program's_page":              {theirs: "https://shop.example/orders/7", ours: place + mine, says: "it links to https://shop.example/orders/7"},
		"another_installation's_page":         {theirs: "https://second.example/dashboard/runs/" + other, ours: place + mine, says: "it links to"},
		"another_order":                       {theirs: place + mine, ours: place + mine, change: [2]string{`"Reference":"Order `, `"Reference":"Order 9`}, says: "its reference is"},
		"another_day":                         {theirs: place + mine, ours: place + mine, change: [2]string{`"Date":"2026-04-29"`, `"Date":"2026-04-30"`}, says: "its date is"},
	} {
		for _, uncertain := range []bool{true, false} {
			b := setup(t)
			inv, pol := canontest.Named(t, "plain_vat").Invoice, samplePolicy()
			contact := b.document(t, inv, pol).ContactID
			there, err := b.client.Document(inv, pol, b.reference(t), contact, c.theirs)
			require.NoError(t, err)
			_, err = ensureInvoice(b.ctx, b.client, there, provider.Try{Key: "first"})
			require.NoError(t, err)
			doc, err := b.client.Document(inv, pol, b.reference(t), contact, c.ours)
			require.NoError(t, err)
			if c.change[0] != "" {
				require.Contains(t, string(doc.Body), c.change[0])
				doc.Body = replacedIn(doc.Body, c.change[0], c.change[1])
			}
			posted, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: "second", Uncertain: uncertain})
			require.Len(t, b.sim.Invoices(), 1)
			if c.says != "" {
				require.Equal(t, "number_taken", failure(t, err).Reason, name)
				require.Contains(t, failure(t, err).Message, c.says)
				require.Contains(t, failure(t, err).Message, "invoice_number_prefix")
				continue
			}
			require.NoError(t, err, name)
			require.True(t, posted.Adopted)
			require.Equal(t, c.proven, posted.Proven, name)
			require.Equal(t, c.source, posted.Source, name)
		}
	}
}
