package freeagentsim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withDocuments has invoice 102 of 60.00 and credit note 103 of -24.00, both sent,
// of contact 101.
func withDocuments(t *testing.T) *bundle {
	t.Helper()
	b := setup(t, Config{})
	for _, call := range [][3]string{
		{"POST", "/contacts", `{"contact":{"organisation_name":"A"}}`},
		{"POST", "/invoices", `{"invoice":{"contact":"BASE/contacts/101","dated_on":"2026-04-29","payment_terms_in_days":30,"reference":"1",
			"invoice_items":[{"description":"x","quantity":1,"price":"50","sales_tax_rate":"20"}]}}`},
		{"POST", "/credit_notes", `{"credit_note":{"contact":"BASE/contacts/101","dated_on":"2026-04-29","reference":"1",
			"credit_note_items":[{"description":"x","quantity":1,"price":"-20","sales_tax_rate":"20"}]}}`},
		{"PUT", "/invoices/102/transitions/mark_as_sent", ""}, {"PUT", "/credit_notes/103/transitions/mark_as_sent", ""},
	} {
		status, body, _ := b.do(t, call[0], call[1], call[2])
		require.Less(t, status, 300, body)
	}
	return b
}

func TestExplanation_refused(t *testing.T) {
	t.Parallel()
	const good = `"bank_account":"BASE/bank_accounts/1","dated_on":"2026-04-29","gross_value":"10","paid_invoice":"BASE/invoices/102"`
	for name, row := range map[string]struct {
		old, new string
		status   int
		says     string
	}{
		"unknown_field":       {`"gross_value"`, `"category":"BASE/categories/001","gross_value"`, 400, "unpermitted parameters: category"},
		"unknown_account":     {"bank_accounts/1", "bank_accounts/9", 422, "Bank account not found"},
		"hidden_account":      {"bank_accounts/1", "bank_accounts/3", 422, "Bank account not found"},
		"unknown_document":    {"invoices/102", "invoices/9", 422, "Invoice not found"},
		"another_host":        {"BASE/invoices/102", "https://api.freeagent.com/v2/invoices/102", 422, "Invoice not found"},
		"tax":                 {`"gross_value"`, `"sales_tax_rate":"20","gross_value"`, 422, "sales_tax_rate must be"},
		"nothing":             {`"10"`, `"0"`, 422, "other than 0"},
		"three_decimals":      {`"10"`, `"10.001"`, 422, "not a number"},
		"money_out":           {`"10"`, `"-10"`, 422, "wrong sign"},
		"money_in_for_credit": {"invoices/102", "credit_notes/103", 422, "wrong sign"},
		"other_currency":      {"bank_accounts/1", "bank_accounts/4", 422, "Foreign currency value can't be blank"},
		"no_day":              {`"2026-04-29"`, `""`, 422, "Dated on can't be blank"},
		"no_date":             {`"2026-04-29"`, `"soon"`, 400, "Invalid date"},
	} {
		b := withDocuments(t)
		status, body, _ := b.do(t, "POST", "/bank_transaction_explanations", `{"bank_transaction_explanation":{`+strings.Replace(good, row.old, row.new, 1)+`}}`)
		require.Equal(t, row.status, status, name)
		require.Contains(t, body, row.says, name)
		require.Empty(t, b.sim.Explanations())
	}
	b := withDocuments(t)
	status, body, header := b.do(t, "POST", "/bank_transaction_explanations", `{"bank_transaction_explanation":{`+good+`}}`)
	require.Equal(t, 201, status, body)
	require.Contains(t, header.Get("Location"), "/v2/bank_transaction_explanations/")
	status, _, _ = b.do(t, "PUT", "/invoices/102/transitions/mark_as_draft", "")
	require.Equal(t, 422, status, "it has a payment")
	_, body, _ = b.do(t, "GET", "/invoices/102", "")
	require.Contains(t, body, `"due_value":"50.0"`)
	require.Contains(t, body, `"paid_value":"10.0"`)
}

func TestCreditNote_refused_where_its_total_is_positive(t *testing.T) {
	t.Parallel()
	b := withDocuments(t)
	status, body, _ := b.do(t, "POST", "/credit_notes", `{"credit_note":{"contact":"BASE/contacts/101","dated_on":"2026-04-29",
		"credit_note_items":[{"description":"x","quantity":1,"price":"20","sales_tax_rate":"20"}]}}`)
	require.Equal(t, 422, status)
	require.Contains(t, body, "less than or equal to 0")
	require.Len(t, b.sim.CreditNotes(), 1)
}

func TestReconciliation_refused(t *testing.T) {
	t.Parallel()
	const good = `"invoice":"BASE/invoices/102","credit_note":"BASE/credit_notes/103","gross_value":"24","dated_on":"2026-04-29"`
	for old, row := range map[string][2]string{
		`"24"`: {`"24.01"`, "more than the credit note has left"}, "invoices/102": {"invoices/9", "Invoice not found"},
		"credit_notes/103": {"credit_notes/9", "Credit note not found"}, `"gross_value"`: {`"x":1,"gross_value"`, "unpermitted parameters: x"},
		`"dated_on":"2026-04-29"`: {`"dated_on":"2026-04-29","currency":"EUR"`, "Currency must be"},
	} {
		b := withDocuments(t)
		status, body, _ := b.do(t, "POST", "/credit_note_reconciliations", `{"credit_note_reconciliation":{`+strings.Replace(good, old, row[0], 1)+`}}`)
		require.GreaterOrEqual(t, status, 400)
		require.Contains(t, body, row[1])
		require.Empty(t, b.sim.Reconciliations())
	}
	b := withDocuments(t)
	status, _, _ := b.do(t, "POST", "/credit_note_reconciliations", `{"credit_note_reconciliation":{`+good+`}}`)
	require.Equal(t, 201, status)
	_, body, _ := b.do(t, "GET", "/credit_notes/103", "")
	require.Contains(t, body, `"status":"Refunded"`)
	require.Contains(t, body, `"due_value":"0.0"`)
}

// The wire ignores what it does not know; a client must not lean on such.
func TestList_refuses_a_parameter_that_it_does_not_know(t *testing.T) {
	t.Parallel()
	b := withDocuments(t)
	for _, path := range []string{"/invoices?reference=1", "/credit_notes?invoice=1", "/contacts?name=A", "/bank_accounts?status=active",
		"/credit_note_reconciliations?invoice=1", "/bank_transaction_explanations?bank_account=BASE/bank_accounts/1&paid_invoice=1"} {
		status, body, _ := b.do(t, "GET", strings.ReplaceAll(path, "BASE", b.url), "")
		require.Equal(t, 400, status, path)
		require.Contains(t, body, "unpermitted parameters")
	}
	status, body, _ := b.do(t, "GET", "/bank_transaction_explanations", "")
	require.Equal(t, 400, status)
	require.Contains(t, body, "bank_account is missing")
}

func TestContact_change_keeps_what_is_not_sent(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.sim.AddContact(map[string]string{"organisation_name": "A", "email": "a@example.com"})
	b.sim.AddContact(map[string]string{"organisation_name": "B", "email": "b@example.com"})
	status, body, _ := b.do(t, "PUT", "/contacts/101", `{"contact":{"town":"Leeds","email":"a@example.com"}}`)
	require.Equal(t, 200, status, body)
	require.Equal(t, map[string]string{"organisation_name": "A", "email": "a@example.com", "town": "Leeds"}, b.sim.Contacts()[0].Fields)
	status, _, _ = b.do(t, "PUT", "/contacts/101", `{"contact":{"email":"b@example.com"}}`)
	require.Equal(t, 422, status)
	status, _, _ = b.do(t, "PUT", "/contacts/9", `{"contact":{"town":"Leeds"}}`)
	require.Equal(t, 404, status)
}
