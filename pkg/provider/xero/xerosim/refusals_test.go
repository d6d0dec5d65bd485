package xerosim_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider/xero/xerosim"
)

// invoiceWith is a good invoice for contact with one field or line replaced.
func invoiceWith(contact string, change func(invoice, line map[string]any)) string {
	line := map[string]any{"Description": "Widget", "Quantity": 2, "UnitAmount": 10.005, "AccountCode": "200", "TaxType": "OUTPUT2"}
	invoice := map[string]any{
		"Type": "ACCREC", "Contact": map[string]any{"ContactID": contact}, "Date": "2026-04-29", "DueDate": "2026-05-13",
		"InvoiceNumber": "N1", "Status": "AUTHORISED", "LineItems": []any{line},
	}
	if change != nil {
		change(invoice, line)
	}
	raw, _ := json.Marshal(map[string]any{"Invoices": []any{invoice}})
	return string(raw)
}

const put = "/Invoices?summarizeErrors=false&unitdp=4"

func Test_What_Xero_refuses_is_refused(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any, map[string]any) {
		return func(invoice, _ map[string]any) { invoice[name] = value }
	}
	line := func(name string, value any) func(map[string]any, map[string]any) {
		return func(_, l map[string]any) { l[name] = value }
	}
	cases := []struct {
		name   string
		change func(invoice, line map[string]any)
		says   string
	}{
		{"wrong LineAmount", line("LineAmount", 1), "The line total 1.00 does not match the expected line total 20.01"},
		{"unknown account", line("AccountCode", "999"), "Account code '999' is not a valid code"},
		{"bank account", line("AccountCode", "090"), "is not a valid code"},
		{"receivables", line("AccountCode", "610"), "is not a valid code"},
		{"archived account", line("AccountCode", "260"), "Account code '260' has been archived"},
		{"no account", line("AccountCode", nil), "Account code must be specified"},
		{"unknown tax type", line("TaxType", "OUTPUT9"), "does not exist"},
		{"purchase tax type", line("TaxType", "INPUT2"), "cannot be used with account code '200'"},
		{"no quantity", line("Quantity", nil), "must be specified"},
		{"long quantity", line("Quantity", "12345678901234"), "13 characters"},
		{"no number", line("UnitAmount", "ten"), "not a number"},
		{"no description", line("Description", nil), "Description"},
		{"long description", line("Description", strings.Repeat("x", 4001)), "Description"},
		{"discount over the line", line("DiscountAmount", 20.02), "Discount must not be greater than the line total"},
		{"both discounts", func(_, l map[string]any) { l["DiscountAmount"], l["DiscountRate"] = 1, 10 }, "Only one"},
		{"tracking", line("Tracking", []any{map[string]any{"Name": "Region", "Option": "Mars"}}), "tracking category"},
		{"no due date", set("DueDate", nil), "DueDate"},
		{"bad date", set("Date", "29/04/2026"), "Date is not a valid date"},
		{"locked period", set("Date", "2026-01-31"), "period lock date, currently set at 2026-01-31"},
		{"currency", set("CurrencyCode", "SEK"), "Organisation is not subscribed to currency SEK"},
		{"long number", set("InvoiceNumber", strings.Repeat("9", 256)), "255"},
		{"number taken, in another case", set("InvoiceNumber", "taken-1"), "Invoice # must be unique."},
		{"status", set("Status", "PAID"), "Status"},
		{"amount types", set("LineAmountTypes", "Net"), "LineAmountTypes"},
		{"url", set("Url", "https://my.xero.example/1"), "Url"},
		{"theme", set("BrandingThemeID", org), "branding theme"},
		{"no contact", set("Contact", map[string]any{}), "A Contact must be specified"},
		{"no lines", set("LineItems", []any{}), "line items must be specified"},
		{"wrong total", set("Total", 1), "The invoice total does not equal the sum of the lines."},
		{"type", set("Type", "INVOICE"), "Type"},
		{"negative", line("UnitAmount", -1), "negative"},
	}
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	b.sim.SetAccountStatus("260", "ARCHIVED")
	require.NoError(t, b.sim.SetLockDates("2026-01-31", ""))
	require.Empty(t, b.call(t, "PUT", put, "", invoiceWith(contact, set("InvoiceNumber", "TAKEN-1"))).errors("Invoices"))
	for _, c := range cases {
		body := invoiceWith(contact, c.change)
		r := b.call(t, "PUT", put, "", body)
		require.Equal(t, 200, r.status, c.name)
		require.Contains(t, r.errors("Invoices"), c.says, c.name)
		require.Contains(t, r.text, `"InvoiceID":"00000000-0000-0000-0000-000000000000"`)
		require.Contains(t, r.text, `"StatusAttributeString":"ERROR"`)
		summed := b.call(t, "PUT", "/Invoices?unitdp=4", "", body)
		require.Equal(t, 400, summed.status, c.name)
		require.Contains(t, summed.errors("Elements"), c.says, c.name)
	}
	require.Len(t, b.sim.Invoices(), 1)
}

func Test_Archived_and_unknown_contacts_are_refused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact := b.sim.AddContact("1", "Somebody")
	b.sim.ArchiveContact(contact)
	require.Contains(t, b.call(t, "PUT", put, "", invoiceWith(contact, nil)).errors("Invoices"), "has been archived")
	r := b.call(t, "PUT", put, "", invoiceWith("5eed0000-0000-4000-8000-00000000dead", nil))
	require.Equal(t, 404, r.status)
	require.Empty(t, r.text)
}

func Test_Arithmetic_is_that_of_the_documentation(t *testing.T) {
	t.Parallel()
	lines := func(amounts ...any) func(map[string]any, map[string]any) {
		return func(invoice, _ map[string]any) {
			var list []any
			for _, a := range amounts {
				list = append(list, map[string]any{"Description": "x", "Quantity": 1, "UnitAmount": a, "AccountCode": "200", "TaxType": "TAX15"})
			}
			invoice["LineItems"] = list
		}
	}
	one := func(fields map[string]any) func(map[string]any, map[string]any) {
		return func(_, line map[string]any) {
			for k, v := range fields {
				line[k] = v
			}
		}
	}
	cases := []struct {
		name, query, sub, tax string
		change                func(invoice, line map[string]any)
	}{
		{"Xero's own example: tax per line, then the sum", "4", "76.30", "11.44", lines(25.06, 25.61, 25.63)},
		{"unit amount to two decimals first", "2", "20.02", "4.00", nil},
		{"unit amount to four decimals", "4", "20.01", "4.00", nil},
		{"half a penny goes up", "4", "2.17", "0.43", one(map[string]any{"Quantity": 1, "UnitAmount": 2.165})},
		{"half a penny goes away from zero", "4", "-2.17", "-0.43", func(invoice, line map[string]any) {
			invoice["Status"] = "DRAFT"
			line["Quantity"], line["UnitAmount"] = 1, -2.165
		}},
		{"tax as given", "4", "20.01", "3.07", one(map[string]any{"TaxAmount": 3.07})},
		{"discount amount", "4", "15.00", "3.00", one(map[string]any{"DiscountAmount": "5.01"})},
		{"discount rate", "4", "18.01", "3.60", one(map[string]any{"DiscountRate": 10})},
		{"inclusive", "4", "16.67", "3.34", func(invoice, _ map[string]any) { invoice["LineAmountTypes"] = "Inclusive" }},
		{"no tax", "4", "20.01", "0.00", func(invoice, _ map[string]any) { invoice["LineAmountTypes"] = "NoTax" }},
		{"tax type of the account", "4", "20.01", "4.00", one(map[string]any{"TaxType": nil})},
	}
	for _, c := range cases {
		b := setup(t)
		require.NoError(t, b.sim.AddTaxRate("TAX15", "15"))
		contact := b.sim.AddContact("1", "Somebody")
		r := b.call(t, "PUT", "/Invoices?unitdp="+c.query, "", invoiceWith(contact, c.change))
		require.Equal(t, 200, r.status, "%s: %s", c.name, r.text)
		made := b.sim.Invoices()[0]
		require.Equal(t, []string{c.sub, c.tax}, []string{made.SubTotal, made.TotalTax}, c.name)
	}
}

func Test_Where_joins_equalities_by_AND_and_OR_and_refuses_the_rest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	strict := setup(t, func(c *xerosim.Config) { c.NoAlternatives = true })
	for _, sim := range []*xerosim.Sim{b.sim, strict.sim} {
		for _, number := range []string{"1", "2", `a" OR b`, "c and d"} {
			sim.AddContact(number, "Name of "+number)
		}
	}
	for where, want := range map[string]int{
		`ContactNumber=="1"`: 1, `ContactNumber=="1" OR ContactNumber=="2"`: 2, `ContactNumber=="1"||ContactNumber="3"`: 1,
		`ContactNumber=="1" or ContactNumber=="2" AND Name=="Name of 1"`: 1, `ContactNumber=="1" AND ContactNumber=="2"`: 0,
		`ContactNumber=="a\" OR b" OR ContactNumber=="C AND D"`: 2, `ContactNumber=="1" && Name=="name of 1"`: 1,
		`ContactNumber=="1" OR`: -1, `OR ContactNumber=="1"`: -1, `ContactNumber=="1" ContactNumber=="2"`: -1,
		`(ContactNumber=="1")`: -1, `ContactNumber=="1"OR ContactNumber=="2"`: -1, `ContactNumber!="1"`: -1,
		`ContactNumber=="1" OR Name.Contains("2")`: -1, `ContactNumber=="1" XOR ContactNumber=="2"`: -1, `ContactNumber=guid("1"`: -1,
		`ContactNumber=="1`: -1,
	} {
		r := b.call(t, "GET", "/Contacts?where="+url.QueryEscape(where), "", "")
		if want < 0 {
			require.Contains(t, r.text, "QueryParseException", where)
			continue
		}
		require.Equal(t, 200, r.status, where)
		require.Len(t, r.json["Contacts"], want, where)
	}
	for where, status := range map[string]int{`ContactNumber=="1" OR ContactNumber=="2"`: 400, `ContactNumber=="a\" OR b"`: 200} {
		require.Equal(t, status, strict.call(t, "GET", "/Contacts?where="+url.QueryEscape(where), "", "").status, where)
	}
}
