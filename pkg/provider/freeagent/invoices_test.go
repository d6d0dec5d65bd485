package freeagent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// fault is a failure at one point, the kind that a write comes back with, and what
// that says of the write.
type fault struct {
	freeagentsim.Fault
	kind  provider.Kind
	wrote provider.Wrote
}

// is: err is what the fault leads to.
func (f fault) is(t require.TestingT, err error) {
	got := provider.AsFailure(err)
	require.Equal(t, []any{f.kind, f.wrote}, []any{got.Kind, got.Wrote}, "%v", err)
}

// faultsOf are the ways for a write to go wrong: it failed, and it failed but
// took effect.
func faultsOf(operation string) map[string]fault {
	all := map[string]fault{
		"500_before_effect":     {freeagentsim.Fault{Status: 500}, provider.Temporary, provider.WroteMaybe},
		"reset_before_effect":   {freeagentsim.Fault{Reset: true}, provider.Temporary, provider.WroteMaybe},
		"503_before_effect":     {freeagentsim.Fault{Status: 503, Header: http.Header{"Retry-After": {"1"}}}, provider.Temporary, provider.WroteMaybe},
		"429_before_effect":     {freeagentsim.Fault{Status: 429, Header: http.Header{"Retry-After": {"60"}}, Body: "You must not exceed 120 requests per 60 seconds"}, provider.RateLimited, provider.WroteAsBefore},
		"500_after_effect":      {freeagentsim.Fault{After: true, Status: 500}, provider.Temporary, provider.WroteMaybe},
		"html_502_after_effect": {freeagentsim.Fault{After: true, Status: 502, Body: "<html>"}, provider.Temporary, provider.WroteMaybe},
		"reset_after_effect":    {freeagentsim.Fault{After: true, Reset: true}, provider.Temporary, provider.WroteMaybe},
		"half_after_effect":     {freeagentsim.Fault{After: true, Half: true}, provider.Temporary, provider.WroteMaybe},
		"201_without_url":       {freeagentsim.Fault{After: true, Status: 201, Body: `{}`}, provider.Temporary, provider.WroteMaybe},
		"201_of_a_proxy":        {freeagentsim.Fault{After: true, Status: 201, Body: `<html>`}, provider.Temporary, provider.WroteMaybe},
	}
	for name, f := range all {
		f.Operation = operation
		all[name] = f
	}
	return all
}

// The whole table: each failure at the create, then a second try as after a lost
// answer or a crash. There is exactly one document, and it is sent.
func TestInvoice_one_document_whatever_fails(t *testing.T) {
	t.Parallel()
	for name, f := range faultsOf(freeagentsim.InvoiceCreate) {
		for _, duplicates := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, freeagentsim.Config{DuplicateReferences: duplicates})
				b.pol.V2InvoiceStatus = "Sent"
				doc := b.document(t, sample(t, "plain_vat"))
				b.sim.Inject(f.Fault)
				_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
				f.is(t, err)
				again(t, b, doc, f.After)
			})
		}
	}
}

// again is the second try: uncertain, as the caller's intent says.
func again(t *testing.T, b *bundle, doc provider.Document, adopted bool) {
	t.Helper()
	posted, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, adopted, posted.Adopted)
	all := b.sim.Invoices()
	require.Len(t, all, 1)
	require.Equal(t, "Open", all[0].Status)
	require.Equal(t, "Open", posted.Status)
	requireEqual(t, doc.Total, all[0].Total)
	require.Zero(t, b.sim.Pending())
}

// The process dies, or the call fails, between the create and mark_as_sent: the
// Draft is adopted and sent.
func TestInvoice_sent_once_it_is_adopted(t *testing.T) {
	t.Parallel()
	for name, f := range faultsOf(freeagentsim.InvoiceSend) {
		if name == "201_without_url" || name == "201_of_a_proxy" {
			continue // any 2xx means sent
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{})
			b.pol.V2InvoiceStatus = "Sent"
			doc := b.document(t, sample(t, "plain_vat"))
			b.sim.Inject(f.Fault)
			_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
			require.Equal(t, f.kind, failureIn(t, err).Kind)
			require.Equal(t, provider.WroteYes, failureIn(t, err).Wrote, "the invoice exists: nothing may say that it does not")
			again(t, b, doc, true)
		})
	}
}

func TestInvoice_adopted_without_being_uncertain_when_the_number_is_taken(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	doc := b.document(t, sample(t, "plain_vat"))
	first, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.NoError(t, err)
	second, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.NoError(t, err)
	require.True(t, second.Adopted)
	require.Equal(t, first.ID, second.ID)
	require.Len(t, b.sim.Invoices(), 1)
}

func TestInvoice_left_alone_when_it_was_sent_before(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.pol.V2InvoiceStatus = "Sent"
	doc := b.document(t, sample(t, "plain_vat"))
	_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.NoError(t, err)
	posted, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, "Open", posted.Status)
	require.Equal(t, 1, b.sim.Count(freeagentsim.InvoiceSend))
	require.Equal(t, 1, b.sim.Count(freeagentsim.InvoiceCreate))
}

func TestInvoice_stays_a_draft_where_the_policy_says_so(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	doc := b.document(t, sample(t, "plain_vat"))
	posted, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.NoError(t, err)
	require.Equal(t, "Draft", posted.Status)
	require.Zero(t, b.sim.Count(freeagentsim.InvoiceSend))
}

func TestInvoice_held_when_the_number_belongs_to_another_document(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*canon.Invoice){
		"other_total":   func(inv *canon.Invoice) { *inv = zeroed(*inv) },
		"other_day":     func(inv *canon.Invoice) { inv.CreatedAt = inv.CreatedAt.AddDate(0, 0, -3) },
		"other_contact": func(inv *canon.Invoice) { inv.Customer.Email = "other@example.com" },
		"other_contact_and_day": func(inv *canon.Invoice) {
			inv.Customer.Email, inv.CreatedAt = "other@example.com", inv.CreatedAt.AddDate(0, 0, -3)
		},
	} {
		for _, try := range []provider.Try{{}, {Uncertain: true}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, freeagentsim.Config{})
				inv := sample(t, "plain_vat")
				other := inv
				change(&other)
				theirs, err := ensureInvoice(t.Context(), b.client, b.document(t, other), provider.Try{})
				require.NoError(t, err)
				_, err = ensureInvoice(t.Context(), b.client, b.document(t, inv), try)
				f := failureIn(t, err)
				require.Equal(t, provider.Held, f.Kind)
				require.Equal(t, "number_taken", f.Reason)
				if name != "other_contact_and_day" {
					require.Contains(t, f.Message, theirs.ID)
				}
				require.Len(t, b.sim.Invoices(), 1)
			})
		}
	}
}

// A ledger that lets numbers repeat and ignores ?contact= must not lead to a
// second document, nor to the adoption of somebody else's.
func TestInvoice_held_by_the_look_up_alone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*canon.Invoice){
		"other_total":                     func(inv *canon.Invoice) { *inv = zeroed(*inv) },
		"other_contact_of_the_same_total": func(inv *canon.Invoice) { inv.Customer.Email = "other@example.com" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, freeagentsim.Config{DuplicateReferences: true, IgnoreContactFilter: true})
			inv := sample(t, "plain_vat")
			other := inv
			change(&other)
			_, err := ensureInvoice(t.Context(), b.client, b.document(t, other), provider.Try{})
			require.NoError(t, err)
			_, err = ensureInvoice(t.Context(), b.client, b.document(t, inv), provider.Try{Uncertain: true})
			require.Equal(t, "number_taken", failureIn(t, err).Reason)
			require.Len(t, b.sim.Invoices(), 1)
		})
	}
}

func zeroed(inv canon.Invoice) canon.Invoice {
	inv.Lines = inv.Lines[:1]
	inv.Subtotal, inv.TaxAmount = inv.Lines[0].LineSubtotal, inv.Lines[0].LineTax
	inv.GrandTotal = inv.Lines[0].LineTotal
	inv.ShippingAmount, inv.ShippingTax = dec("0"), dec("0")
	return inv
}

func TestInvoice_found_behind_many_others(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	inv := sample(t, "zero_value")
	doc := b.document(t, inv)
	_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.NoError(t, err)
	for i := range 120 {
		later := inv
		later.IncrementID += "-" + time.Duration(i).String()
		_, err := ensureInvoice(t.Context(), b.client, b.documentFor(t, later, doc.ContactID), provider.Try{})
		require.NoError(t, err)
	}
	posted, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.True(t, posted.Adopted)
	require.Equal(t, 2, b.sim.Count(freeagentsim.InvoiceList))
}

func (b *bundle) documentFor(t *testing.T, inv canon.Invoice, contact string) provider.Document {
	t.Helper()
	doc, err := b.client.Document(inv, b.pol, b.ref, contact, "")
	require.NoError(t, err)
	return doc
}

func TestInvoice_held_when_the_period_is_locked(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.sim.LockUntil("2026-04-30")
	_, err := ensureInvoice(t.Context(), b.client, b.document(t, sample(t, "plain_vat")), provider.Try{})
	require.Equal(t, "period_locked", failureIn(t, err).Reason)
}

// The answer to a create may hold numbers as strings or numbers, nulls, unknown
// fields, or nothing but a Location: only the url is relied on.
func TestInvoice_only_the_url_of_an_answer_is_relied_on(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		location, body string
		id, total      string
	}{
		"strings":          {"", `{"invoice":{"url":"http://ledger.test/v2/invoices/9","total_value":"4840.86","odd":[1]}}`, testBase + "/v2/invoices/9", "4840.86"},
		"numbers":          {"", `{"invoice":{"url":"http://ledger.test/v2/invoices/9","total_value":4840.860}}`, testBase + "/v2/invoices/9", "4840.86"},
		"nulls":            {"", `{"invoice":{"url":"http://ledger.test/v2/invoices/9","total_value":null,"status":null}}`, testBase + "/v2/invoices/9", ""},
		"an_exponent":      {"", `{"invoice":{"url":"http://ledger.test/v2/invoices/9","total_value":1e999999999}}`, testBase + "/v2/invoices/9", ""},
		"location":         {"http://ledger.test/v2/invoices/9", ``, testBase + "/v2/invoices/9", ""},
		"relative":         {"/v2/invoices/9", `not JSON`, testBase + "/v2/invoices/9", ""},
		"url_is_no_string": {"http://ledger.test/v2/invoices/9", `{"invoice":{"url":9}}`, testBase + "/v2/invoices/9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if row.location != "" {
					w.Header().Set("Location", row.location)
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(row.body))
			}))
			doc := provider.Document{Number: "1", Total: dec("4840.86"), Body: json.RawMessage(`{"invoice":{}}`)}
			posted, err := ensureInvoice(t.Context(), client, doc, provider.Try{})
			require.NoError(t, err)
			require.Equal(t, row.id, posted.ID)
			require.Equal(t, row.total != "", posted.Total.Valid)
			if row.total != "" {
				requireEqual(t, dec(row.total), posted.Total.Decimal)
			}
		})
	}
}

// A company that charges no tax computes another total than predicted: the
// difference is told and nobody is sent the document.
func TestInvoice_not_sent_when_the_ledger_computes_another_total(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{NotRegistered: true})
	b.pol.V2InvoiceStatus = "Sent"
	b.ref.TaxRates = nil
	posted, err := ensureInvoice(t.Context(), b.client, b.document(t, sample(t, "plain_vat")), provider.Try{})
	require.NoError(t, err)
	require.Equal(t, "Draft", posted.Status)
	requireEqual(t, dec("4034.05"), posted.Total.Decimal)
	require.Zero(t, b.sim.Count(freeagentsim.InvoiceSend))
}

// A timeout after the request was sent leaves the outcome unknown; the ledger
// finishes all the same.
func TestInvoice_unknown_when_the_answer_does_not_come_in_time(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.pol.V2InvoiceStatus = "Sent"
	doc := b.document(t, sample(t, "plain_vat"))
	release := make(chan struct{})
	defer close(release)
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceCreate, After: true, Hang: release})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := ensureInvoice(ctx, b.client, doc, provider.Try{})
	f := failureIn(t, err)
	require.Equal(t, []any{provider.Temporary, provider.WroteMaybe}, []any{f.Kind, f.Wrote})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	again(t, b, doc, true)
}

func TestCalls_observed_with_code_and_operation(t *testing.T) {
	t.Parallel()
	var seen []string
	b := setup(t, freeagentsim.Config{}, func(c *Config) {
		c.Observe = func(operation, code string, _ time.Duration) { seen = append(seen, operation+" "+code) }
	})
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceCreate, Reset: true})
	b.pol.V2InvoiceStatus = "Sent"
	doc := b.document(t, sample(t, "plain_vat"))
	_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.Error(t, err)
	_, err = ensureInvoice(t.Context(), b.client, doc, provider.Try{Uncertain: true})
	require.NoError(t, err)
	require.Equal(t, []string{"company 200", "categories 200", "bank_accounts 200", "contact_create 201",
		"invoice_create error", "invoice_list 200", "invoice_create 201", "invoice_send 200"}, seen)
}

func TestToken_failure_keeps_its_kind(t *testing.T) {
	t.Parallel()
	for want, cause := range map[provider.Kind]error{
		provider.Auth:      &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth, Message: "invalid_grant"},
		provider.Temporary: errors.New("token endpoint is away"),
	} {
		client := clientOf(t, http.NotFoundHandler(), func(c *Config) {
			c.Token = func(context.Context) (string, error) { return "", cause }
		})
		_, err := ensureInvoice(t.Context(), client, provider.Document{Body: []byte("{}")}, provider.Try{})
		require.Equal(t, want, failureIn(t, err).Kind)
	}
}
