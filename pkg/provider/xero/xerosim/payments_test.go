package xerosim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sold is a bundle with one authorised invoice N1 over 24.01.
func sold(t *testing.T) (bundle, string) {
	t.Helper()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	require.Equal(t, 200, b.call(t, "PUT", put, "", invoiceWith(contact, nil)).status)
	return b, contact
}

func pay(amount, more string) string {
	return fmt.Sprintf(`{"Payments":[{"Invoice":{"InvoiceNumber":"N1"},"Account":{"Code":"090"},"Date":"2026-04-29","Amount":%s%s}]}`, amount, more)
}

func Test_Payments_lower_what_is_due_until_it_is_paid(t *testing.T) {
	t.Parallel()
	b, _ := sold(t)
	first := b.call(t, "PUT", "/Payments", "", pay("20.00", `,"Reference":"order 7"`))
	require.Equal(t, 200, first.status, first.text)
	require.Equal(t, "4.01", b.sim.AmountDue("N1"))
	require.Contains(t, b.call(t, "PUT", "/Payments?summarizeErrors=false", "", pay("4.02", "")).errors("Payments"), "exceeds the amount outstanding")
	require.Equal(t, 200, b.call(t, "PUT", "/Payments", "", pay("2.00", "")).status)
	require.Equal(t, 200, b.call(t, "PUT", "/Payments", "", pay("2.00", "")).status, "the same payment again is another one: Xero has no key for them")
	require.Contains(t, b.call(t, "GET", "/Invoices/N1", "", "").text, `"Status":"AUTHORISED"`)
	require.Equal(t, 200, b.call(t, "PUT", "/Payments", "", pay("0.01", "")).status)
	shown := b.call(t, "GET", "/Invoices/N1", "", "").text
	require.Contains(t, shown, `"Status":"PAID"`)
	require.Contains(t, shown, `"AmountPaid":24.01`)
	require.Contains(t, b.call(t, "POST", put, "", invoiceWith("", func(i, _ map[string]any) { delete(i, "Contact") })).text, "cannot be edited")

	id := b.sim.Payments()[0].ID
	require.Equal(t, 200, b.call(t, "POST", "/Payments/"+id, "", `{"Status":"DELETED"}`).status)
	require.Equal(t, 400, b.call(t, "POST", "/Payments/"+id, "", `{"Status":"DELETED"}`).status, "deleted for good")
	require.Equal(t, "20.00", b.sim.AmountDue("N1"))
	require.Len(t, b.sim.Payments(), 3)
}

func Test_Payments_that_Xero_refuses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ body, says string }{
		"no_document":      {`{"Payments":[{"Account":{"Code":"090"},"Amount":1}]}`, "exactly one"},
		"two_documents":    {`{"Payments":[{"Invoice":{"InvoiceNumber":"N1"},"CreditNote":{"CreditNoteNumber":"C"},"Account":{"Code":"090"},"Amount":1}]}`, "exactly one"},
		"unknown_document": {`{"Payments":[{"Invoice":{"InvoiceNumber":"N9"},"Account":{"Code":"090"},"Amount":1}]}`, "could not be found"},
		"no_account":       {`{"Payments":[{"Invoice":{"InvoiceNumber":"N1"},"Amount":1}]}`, "Account could not be found"},
		"sales_account":    {`{"Payments":[{"Invoice":{"InvoiceNumber":"N1"},"Account":{"Code":"200"},"Amount":1}]}`, "Account type is invalid"},
		"zero":             {pay("0", ""), "greater than zero"},
		"below_zero":       {pay("-1", ""), "greater than zero"},
		"three_decimals":   {pay("1.001", ""), "two decimals"},
		"text":             {pay(`"much"`, ""), "greater than zero"},
		"date":             {`{"Payments":[{"Invoice":{"InvoiceNumber":"N1"},"Account":{"Code":"090"},"Date":"29/04/2026","Amount":1}]}`, "Date is not a valid date"},
		"long_reference":   {pay("1", `,"Reference":"`+strings.Repeat("r", 301)+`"`), "300"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := sold(t)
			require.Contains(t, b.call(t, "PUT", "/Payments?summarizeErrors=false", "", row.body).errors("Payments"), row.says)
			require.Empty(t, b.sim.Payments())
		})
	}
	b, _ := sold(t)
	require.NoError(t, b.sim.SetLockDates("2026-04-30", ""))
	require.Contains(t, b.call(t, "PUT", "/Payments?summarizeErrors=false", "", pay("1", "")).errors("Payments"), "period lock date")
	require.NoError(t, b.sim.SetLockDates("", ""))
	b.sim.SetInvoiceStatus("N1", "DRAFT")
	require.Contains(t, b.call(t, "PUT", "/Payments?summarizeErrors=false", "", pay("1", "")).errors("Payments"), "Authorised documents")
}

func Test_Payments_are_found_by_invoice_and_reference(t *testing.T) {
	t.Parallel()
	b, _ := sold(t)
	for _, reference := range []string{"a", "b"} {
		require.Equal(t, 200, b.call(t, "PUT", "/Payments", "", pay("1", `,"Reference":"`+reference+`"`)).status)
	}
	invoice := b.sim.Invoices()[0].ID
	found := b.call(t, "GET", "/Payments?where=Invoice.InvoiceID%3D%3Dguid(%22"+invoice+"%22)%20AND%20Reference%3D%3D%22b%22", "", "")
	require.Len(t, found.json["Payments"], 1, found.text)
	require.Contains(t, found.text, `"PaymentType":"ACCRECPAYMENT"`)
	require.Empty(t, b.call(t, "GET", "/Payments?where=Reference%3D%3D%22c%22", "", "").json["Payments"])
}

func Test_Lists_refuse_what_is_not_simulated_and_keep_what_is(t *testing.T) {
	t.Parallel()
	b, _ := sold(t)
	for _, query := range []string{"/Invoices?modified=1", "/Invoices?order=Total", "/Invoices?order=Date%20UP", "/Invoices?page=0", "/Invoices?page=1&pageSize=1001", "/Items?page=1", "/Contacts?name=x"} {
		r := b.call(t, "GET", query, "", "")
		require.Equal(t, 400, r.status, query)
		require.Contains(t, r.text, "QueryParseException", query)
	}
	b.sim.AddContact("2", "Northern Paper")
	require.Len(t, b.call(t, "GET", "/Contacts?searchTerm=paper", "", "").json["Contacts"], 1)
	require.Len(t, b.call(t, "GET", "/Contacts?IDs="+b.sim.Contacts()[1].ID, "", "").json["Contacts"], 1)
	names := b.call(t, "GET", "/Contacts?order=Name%20DESC", "", "").json["Contacts"].([]any)
	require.Equal(t, "Somebody", names[0].(map[string]any)["Name"])
	page := b.call(t, "GET", "/Invoices?page=1&summaryOnly=true", "", "")
	require.Equal(t, map[string]any{"page": 1.0, "pageSize": 100.0, "pageCount": 1.0, "itemCount": 1.0}, page.json["pagination"])
	require.NotContains(t, page.text, "Widget", "a summary has no lines")
}

func Test_Items_are_created_once_and_carried_by_lines(t *testing.T) {
	t.Parallel()
	b, contact := sold(t)
	const lamp = `{"Items":[{"Code":"LAMP","Name":"Lamp","SalesDetails":{"UnitPrice":12.5,"AccountCode":"200"}}]}`
	require.Equal(t, 200, b.call(t, "PUT", "/Items", "", lamp).status)
	require.Contains(t, b.call(t, "PUT", "/Items?summarizeErrors=false", "", lamp).errors("Items"), "already exists")
	require.Equal(t, 200, b.call(t, "POST", "/Items", "", strings.Replace(lamp, "12.5", "13", 1)).status)
	require.Contains(t, b.call(t, "GET", "/Items/LAMP", "", "").text, `"UnitPrice":13.00`)
	require.Contains(t, b.call(t, "PUT", "/Items?summarizeErrors=false", "", `{"Items":[{"Code":"`+strings.Repeat("x", 31)+`"}]}`).errors("Items"), "30")
	require.Equal(t, 404, b.call(t, "GET", "/Items/lamp2", "", "").status)
	withItem := func(number, code string) reply {
		return b.call(t, "PUT", put, "", invoiceWith(contact, func(i, l map[string]any) { i["InvoiceNumber"], l["ItemCode"] = number, code }))
	}
	require.Contains(t, withItem("N2", "LAMP").text, `"ItemCode":"LAMP"`)
	require.Contains(t, withItem("N3", "NONE").errors("Invoices"), "Item code 'NONE' is not valid")
}

func note(contact, number, more string) string {
	return fmt.Sprintf(`{"CreditNotes":[{"Type":"ACCRECCREDIT","Status":"AUTHORISED","CreditNoteNumber":%q,"Date":"2026-05-02","Contact":{"ContactID":%q},`+
		`"LineItems":[{"Description":"Widget","Quantity":1,"UnitAmount":10,"TaxAmount":2,"TaxType":"OUTPUT2","AccountCode":"200"%s}]}]}`, number, contact, more)
}

func allocation(amount string, b bundle) string {
	return fmt.Sprintf(`{"Allocations":[{"Amount":%s,"Date":"2026-05-02","Invoice":{"InvoiceID":%q}}]}`, amount, b.sim.Invoices()[0].ID)
}

func Test_Credit_is_allocated_in_part_and_the_rest_paid_back(t *testing.T) {
	t.Parallel()
	b, contact := sold(t)
	made := b.call(t, "PUT", "/CreditNotes", "", note(contact, "C1", ""))
	require.Equal(t, 200, made.status, made.text)
	require.Contains(t, made.text, `"RemainingCredit":12.00`)
	require.Equal(t, 200, b.call(t, "PUT", "/Payments", "", pay("15", "")).status)
	allocations := "/CreditNotes/" + b.sim.CreditNotes()[0].ID + "/Allocations"
	require.Contains(t, b.call(t, "PUT", allocations+"?summarizeErrors=false", "", allocation("9.02", b)).errors("Allocations"), "outstanding on the invoice")
	done := b.call(t, "PUT", allocations, "", allocation("9.01", b))
	require.Equal(t, 200, done.status, done.text)
	require.Equal(t, "0.00", b.sim.AmountDue("N1"))
	require.Equal(t, "2.99", b.sim.AmountDue("C1"))
	require.Equal(t, 1, b.sim.Calls("PUT /CreditNotes"))
	require.Equal(t, 2, b.sim.Calls("PUT /CreditNotes/Allocations"))
	invoice := b.call(t, "GET", "/Invoices/N1", "", "").text
	require.Contains(t, invoice, `"AmountCredited":9.01`)
	require.Contains(t, invoice, `"Status":"PAID"`)

	refund := `{"Payments":[{"CreditNote":{"CreditNoteNumber":"C1"},"Account":{"Code":"090"},"Date":"2026-05-02","Amount":2.99}]}`
	require.Equal(t, 200, b.call(t, "PUT", "/Payments", "", refund).status)
	require.Contains(t, b.call(t, "GET", "/CreditNotes/C1", "", "").text, `"Status":"PAID"`)

	id := b.call(t, "GET", "/CreditNotes/C1", "", "").json["CreditNotes"].([]any)[0].(map[string]any)["Allocations"].([]any)[0].(map[string]any)["AllocationID"].(string)
	require.Equal(t, 200, b.call(t, "DELETE", allocations+"/"+id, "", "").status)
	require.Equal(t, 404, b.call(t, "DELETE", allocations+"/"+id, "", "").status)
	require.Equal(t, "9.01", b.sim.AmountDue("N1"))
}

func Test_Credit_notes_that_Xero_refuses(t *testing.T) {
	t.Parallel()
	b, contact := sold(t)
	other := b.sim.AddContact("2", "Somebody else")
	refused := func(body string) string {
		return b.call(t, "PUT", "/CreditNotes?summarizeErrors=false", "", body).errors("CreditNotes")
	}
	require.Contains(t, refused(note(contact, "C1", `,"DiscountAmount":1`)), "Discounts are not allowed")
	require.Contains(t, refused(strings.Replace(note(contact, "C1", ""), "ACCRECCREDIT", "ACCREC", 1)), "ACCRECCREDIT")
	require.Contains(t, refused(strings.Replace(note(contact, "C1", ""), `"UnitAmount":10`, `"UnitAmount":-10`, 1)), "cannot be negative")
	require.Equal(t, 404, b.call(t, "PUT", "/CreditNotes", "", note("5eed0000-0000-4000-8000-00000000ffff", "C1", "")).status)
	require.Empty(t, refused(note(other, "C1", "")))
	require.Contains(t, refused(note(contact, "C1", "")), "must be unique")
	require.Empty(t, refused(note(contact, "N1", "")), "whether invoices and notes share numbers is unknown; here they do not")
	allocate := func(number, amount string) string {
		id := ""
		for _, n := range b.sim.CreditNotes() {
			if n.Number == number {
				id = n.ID
			}
		}
		return b.call(t, "PUT", "/CreditNotes/"+id+"/Allocations?summarizeErrors=false", "", allocation(amount, b)).errors("Allocations")
	}
	require.Contains(t, allocate("C1", "1"), "same contact")
	require.Contains(t, allocate("N1", "12.01"), "remaining credit")
	require.Contains(t, allocate("N1", "0"), "greater than zero")
	require.Equal(t, 404, b.call(t, "PUT", "/CreditNotes/none/Allocations", "", allocation("1", b)).status)
	require.Equal(t, 501, b.call(t, "PUT", "/CreditNotes/C1", "", note(contact, "C1", "")).status)
	require.Empty(t, b.sim.Payments())
}
