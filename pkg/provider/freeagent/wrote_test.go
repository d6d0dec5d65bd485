package freeagent

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// documented is what became of a write by the wire's documentation, for each row of the
// error table.
func documented() []struct {
	status, class int
	says          string
	wrote         provider.Wrote
} {
	const before, no, maybe = provider.WroteAsBefore, provider.WroteNo, provider.WroteMaybe
	return []struct {
		status, class int
		says          string
		wrote         provider.Wrote
	}{
		{400, 0, "nominal code", no},
		{400, 0, "", before}, // malformed: nothing in it was judged
		{401, 0, "", before}, // dead token
		{403, 0, "is locked", no},
		{403, 0, "", before}, // access level, plan
		{404, 0, "", before},
		{406, 0, "", before},
		{408, 0, "", maybe}, // of a proxy
		{409, 0, "", before},
		{415, 0, "", before},
		{422, 0, "contact not found", no},
		{422, 0, "category not found", no},
		{422, 0, "bank account not found", no},
		{422, 0, "", no}, // validation
		{429, 0, "", before},
		{501, 0, "", before},
		{0, 5, "", maybe}, // proxies; a POST must look for the document
		{0, 4, "", before},
		{0, 3, "", before},
	}
}

// Every row of the error table, as the answer to every write, and to a look-up.
func TestFailures_every_row_says_what_became_of_every_write(t *testing.T) {
	t.Parallel()
	rows := documented()
	require.Len(t, rows, len(rules()))
	for i, r := range rules() {
		require.Equal(t, []any{rows[i].status, rows[i].class, rows[i].says}, []any{r.status, r.class, r.says})
	}
	m := withInvoice(t, freeagentsim.Config{})
	credit, payment := m.credit(t, "CM-1", "-60.00"), m.payment(t, "10")
	draft := m.doc
	draft.Number, draft.Body = "D-1", []byte(`{"invoice":{"contact":"`+m.doc.ContactID+`","reference":"D-1","dated_on":"2026-04-29","payment_terms_in_days":0,"invoice_items":[]}}`)
	known, err := ensureContact(t.Context(), m.client, ada(), provider.Try{})
	require.NoError(t, err)
	create := func(uncertain bool) error {
		_, err := ensureInvoice(t.Context(), m.client, draft, provider.Try{Uncertain: uncertain})
		return err
	}
	writes := map[string]func() error{
		freeagentsim.InvoiceCreate: func() error { return create(false) },
		freeagentsim.CreditCreate: func() error {
			return m.client.EnsureCreditNotes(t.Context(), []provider.Item[provider.Document]{{Value: m.creditDocument("CM-2", "-1.00")}})[0].Err
		},
		freeagentsim.ContactCreate: func() error {
			_, err := ensureContact(t.Context(), m.client, policy.Buyer{Key: "8", Name: "Grace"}, provider.Try{})
			return err
		},
		freeagentsim.ContactUpdate: func() error {
			return change(t, m.bundle, known, policy.Buyer{Name: "Ada King", FirstName: "Ada", LastName: "King"}).Err
		},
		freeagentsim.ExplanationCreate:    func() error { return m.pay(t, payment, false).Err },
		freeagentsim.ReconciliationCreate: func() error { return m.allocate(t, m.allocation(t, credit, "10"), false).Err },
	}
	for _, row := range rows {
		status := row.status
		if status == 0 {
			status = row.class*100 + 50
		}
		body := `{"errors":[{"message":"` + row.says + `"}]}`
		for operation, write := range writes {
			m.sim.Inject(freeagentsim.Fault{Operation: operation, Status: status, Body: body})
			require.Equal(t, row.wrote, failureIn(t, write()).Wrote, "%s %d %s", operation, status, row.says)
		}
		m.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceList, Status: status, Body: body})
		require.Equal(t, provider.WroteAsBefore, failureIn(t, create(true)).Wrote, "look-up %d %s", status, row.says)
	}
	require.Len(t, m.sim.Invoices(), 1)
	require.Zero(t, m.sim.Count(freeagentsim.ExplanationCreate)-len(rows))
}

// What fails after the create leaves a document, whatever the answer.
func TestFailures_every_row_after_the_create_says_that_it_is_there(t *testing.T) {
	t.Parallel()
	for _, row := range documented() {
		b := setup(t, freeagentsim.Config{})
		b.pol.V2InvoiceStatus = "Sent"
		doc := b.document(t, sample(t, "plain_vat"))
		status := row.status
		if status == 0 {
			status = row.class*100 + 50
		}
		b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.InvoiceSend, Status: status, Header: http.Header{}, Body: row.says})
		_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
		require.Equal(t, provider.WroteYes, failureIn(t, err).Wrote, status)
	}
}
