package canon_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each sample decodes to what its golden file says, in words a person can check
// against the sample.
func Test_Samples_decode(t *testing.T) {
	t.Parallel()
	for _, s := range canontest.Samples(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "golden", s.Name+".txt")
			got := describe(s.Invoice)
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// What the shop writes for a document comes back as the same document.
func Test_Encoded_invoices_decode_unchanged(t *testing.T) {
	t.Parallel()
	same := func(t require.TestingT, inv canon.Invoice) {
		once := canon.EncodeInvoice(inv)
		again, err := canon.DecodeInvoice(once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(canon.EncodeInvoice(again)))
		require.Equal(t, describe(inv), describe(again))
	}
	for _, s := range canontest.Samples(t) {
		same(t, s.Invoice)
	}
	rapid.Check(t, func(t *rapid.T) { same(t, canontest.DrawInvoice(t)) })
}

func Test_Numeric_strings_are_numbers(t *testing.T) {
	t.Parallel()
	inv := decode(t, `"magento_id":"42","website_id":"1","grand_total":"12.30","base_to_order_rate":"1.1634",
		"customer":{"magento_id":"7","group_id":"3","email":"a@example.com"},
		"lines":[{"sku":42,"qty":"2.0000","unit_price":"6.1500","line_subtotal":"12.3","line_total":1.23e1,"tax_rate":""}]`)
	require.EqualValues(t, 42, inv.MagentoID)
	require.Equal(t, "12.3", inv.GrandTotal.String())
	require.Equal(t, "1.1634", inv.BaseToOrderRate.String())
	require.EqualValues(t, 3, *inv.Customer.GroupID)
	require.Equal(t, "42", inv.Lines[0].SKU)
	require.Equal(t, "12.3", inv.Lines[0].LineTotal.String())
	require.Nil(t, inv.Lines[0].TaxRate)
}

func Test_Empty_values_of_PHP_are_empty(t *testing.T) {
	t.Parallel()
	inv := decode(t, `"lines":null,"customer":[],"billing_address":[],"shipping_address":null,"po_number":null,"subtotal":null,"base_to_order_rate":null`)
	require.Empty(t, inv.Lines)
	require.Nil(t, inv.BillingAddress)
	require.Nil(t, inv.ShippingAddress)
	require.Nil(t, inv.BaseToOrderRate)
	require.True(t, inv.Subtotal.IsZero())
	require.True(t, inv.Customer.IsGuest())
	inv = decode(t, `"customer":{"addresses":null,"company":false},"billing_address":{"street":"1 Test Street\nFlat 2","city":"London"}`)
	require.Empty(t, inv.Customer.CompanyName())
	require.Equal(t, []string{"1 Test Street", "Flat 2"}, inv.BillingAddress.Street)
}

func Test_A_list_with_gaps_keeps_its_order(t *testing.T) {
	t.Parallel()
	inv := decode(t, `"lines":{"3":{"sku":"B"},"1":{"sku":"A"}},"billing_address":{"street":{"0":"1 Test Street","2":"Flat 2"}}`)
	require.Equal(t, "B", inv.Lines[0].SKU)
	require.Equal(t, "A", inv.Lines[1].SKU)
	require.Equal(t, []string{"1 Test Street", "Flat 2"}, inv.BillingAddress.Street)
}

func Test_Times_are_UTC(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 4, 29, 9, 59, 58, 0, time.UTC)
	for _, form := range []string{"2026-04-29T09:59:58Z", "2026-04-29T11:59:58+02:00", "2026-04-29 09:59:58", "2026-04-29T09:59:58"} {
		require.Equal(t, want, decode(t, fmt.Sprintf(`"created_at":%q`, form)).CreatedAt, form)
	}
}

func Test_Noise_of_binary_floats_is_rounded_away(t *testing.T) {
	t.Parallel()
	inv := decode(t, `"grand_total":4840.860000000001,"subtotal":0.30000000000000004,"base_to_order_rate":0.8612345678901234`)
	require.Equal(t, "4840.86", inv.GrandTotal.String())
	require.Equal(t, "0.3", inv.Subtotal.String())
	require.Equal(t, "0.8612345678901234", inv.BaseToOrderRate.String(), "a rate is no money")
}

// A free gift: price and tax less the discount of both, in binary floats.
func Test_Noise_of_a_row_that_comes_to_nothing_is_nothing(t *testing.T) {
	t.Parallel()
	for noise, want := range map[string]string{
		"1.7763568394002505e-15": "0", "-8.881784197001252e-16": "0", "1.7763568394002505E-15": "0", "5e-324": "0",
		"3745.6499999999996": "3745.65", "0.00004999999": "0", "2.220446049250313e-16": "0", "12.345000000000001": "12.345",
	} {
		inv := decode(t, `"lines":[{"sku":"GIFT","line_subtotal":7.79,"line_tax":1.56,"line_total":`+noise+`}]`)
		require.Equal(t, want, inv.Lines[0].LineTotal.String(), noise)
	}
	_, err := canon.DecodeInvoice(document(`"lines":[{"line_total":1e99}]`))
	require.ErrorContains(t, err, "lines: line_total")
}

func Test_Byte_order_mark_is_ignored(t *testing.T) {
	t.Parallel()
	inv, err := canon.DecodeInvoice(append([]byte("\xef\xbb\xbf"), document(`"increment_id":"77"`)...))
	require.NoError(t, err)
	require.Equal(t, "77", inv.IncrementID)
}

func Test_Magentos_spelling_of_cancelled_is_taken(t *testing.T) {
	t.Parallel()
	require.Equal(t, canon.StateCancelled, decode(t, `"state":"canceled"`).State)
}

func Test_The_last_of_two_lists_counts(t *testing.T) {
	t.Parallel()
	require.Len(t, decode(t, `"lines":[{"sku":"A"}],"lines":[{"sku":"B"}]`).Lines, 1)
}

func Test_Only_exact_names_count(t *testing.T) {
	t.Parallel()
	inv := decode(t, `"Magento_ID":7,"grand_total":10,"Grand_Total":99,"GRAND_TOTAL":98,"Payment_Method":"x","ſtate":"paid",
		"lines":[{"sku":"A","SKU":"B","qty":1,"Qty":5,"line_tax":2,"Line_Tax":3}],
		"customer":{"magento_id":5,"Magento_Id":6,"addresses":[{"city":"York","City":"Leeds"}]},
		"billing_address":{"city":"York","CITY":"Leeds"}`)
	require.EqualValues(t, 42, inv.MagentoID)
	require.Equal(t, "10", inv.GrandTotal.String())
	require.Equal(t, canon.StateOpen, inv.State)
	require.Nil(t, inv.PaymentMethod)
	require.Equal(t, "A", inv.Lines[0].SKU)
	require.Equal(t, "1", inv.Lines[0].Qty.String())
	require.Equal(t, "2", inv.Lines[0].LineTax.String())
	require.EqualValues(t, 5, inv.Customer.MagentoID)
	require.Equal(t, "York", inv.Customer.Addresses[0].City)
	require.Equal(t, "York", inv.BillingAddress.City)

	_, err := canon.DecodeInvoice(bytes.Replace(document(`"po_number":null`), []byte("grand_total"), []byte("Grand_Total"), 1))
	require.ErrorContains(t, err, "grand_total is missing")
}

func Test_A_fault_names_its_field(t *testing.T) {
	t.Parallel()
	_, err := canon.DecodeInvoice(document(`"lines":[{"line_tax":"much"}]`))
	require.ErrorContains(t, err, `lines: line_tax: "much" is not an amount`)
}

func Test_Refused_when_not_UTF8(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"\xff", "caf\xe9", "\xed\xa0\x80", "\xc3"} {
		for _, fields := range []string{`"po_number":"` + bad + `"`, `"unknown":"` + bad + `"`, `"lines":[{"name":"` + bad + `"}]`} {
			_, err := canon.DecodeInvoice(document(fields))
			require.ErrorContains(t, err, "not valid UTF-8", "%q", fields)
		}
	}
	inv := decode(t, `"po_number":"\ud800 é 😀"`)
	require.Equal(t, "� é 😀", *inv.PONumber, "half a pair is no fault of the bytes")
}

func Test_Refused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ fields, says string }{
		"no id":                        {`"magento_id":null`, "magento_id"},
		"id zero":                      {`"magento_id":0`, "magento_id"},
		"id with a fraction":           {`"magento_id":42.5`, "not an integer"},
		"id beyond 64 bits":            {`"magento_id":99999999999999999999`, "not an integer"},
		"no increment id":              {`"increment_id":" "`, "increment_id"},
		"endless increment id":         {`"increment_id":"` + strings.Repeat("9", 1001) + `"`, "increment_id"},
		"no grand total":               {`"grand_total":null`, "grand_total"},
		"empty grand total":            {`"grand_total":""`, "grand_total"},
		"grand total is a word":        {`"grand_total":"free"`, "not an amount"},
		"grand total is NaN":           {`"grand_total":"NaN"`, "not an amount"},
		"grand total is a list":        {`"grand_total":[]`, "not an amount"},
		"16 integer digits":            {`"grand_total":1234567890123456`, "out of range"},
		"large exponent":               {`"grand_total":1e99`, "out of range"},
		"exponent below any float":     {`"grand_total":1e-400`, "out of range"},
		"enormous exponent":            {`"grand_total":1e999999999`, "not an amount"},
		"enormous negative exponent":   {`"grand_total":1e-999999999`, "not an amount"},
		"exponent beyond 32 bits":      {`"grand_total":1e99999999999`, "not an amount"},
		"endless digits":               {`"grand_total":0.` + strings.Repeat("1", 100_000), "too long"},
		"endless digits in a line":     {`"lines":[{"qty":"` + strings.Repeat("1", 100_000) + `"}]`, "too long"},
		"currency of four letters":     {`"currency":"EURO"`, "currency"},
		"currency of signs":            {`"currency":"£"`, "currency"},
		"unknown state":                {`"state":"3"`, "state"},
		"negative customer":            {`"customer":{"magento_id":-1}`, "customer"},
		"no date":                      {`"created_at":null`, "created_at"},
		"MySQL's zero date":            {`"created_at":"0000-00-00 00:00:00"`, "not a time"},
		"date is a number":             {`"created_at":1777456798`, "not a time"},
		"negative rate of exchange":    {`"base_to_order_rate":-1`, "base_to_order_rate"},
		"lines are a text":             {`"lines":"none"`, "not a list"},
		"a list as customer":           {`"customer":[1]`, "object is expected"},
		"more lines than memory takes": {`"lines":[` + strings.TrimSuffix(strings.Repeat("{},", 10_001), ",") + `]`, "10000"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			_, err := canon.DecodeInvoice(document(test.fields))
			require.ErrorContains(t, err, test.says)
			require.Less(t, len(err.Error()), 300, "the error quotes no endless input")
		})
	}
	for _, raw := range []string{``, `null`, `[]`, `{`, `"x"`, `{"magento_id":42}`, `<html>`} {
		_, err := canon.DecodeInvoice([]byte(raw))
		require.Error(t, err, raw)
	}
}

func FuzzDecodeInvoice(f *testing.F) {
	for _, s := range canontest.Samples(f) {
		if len(s.Raw) < 5000 {
			f.Add(s.Raw)
		}
	}
	f.Add(document(`"lines":{"1":{"sku":1,"qty":"1e3"}},"customer":[],"created_at":"2026-04-29 09:59:58"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		inv, err := canon.DecodeInvoice(raw)
		if err != nil {
			return
		}
		again, err := canon.DecodeInvoice(canon.EncodeInvoice(inv))
		require.NoError(t, err, "what was accepted is accepted again")
		require.Equal(t, describe(inv), describe(again))
		require.LessOrEqual(t, len(inv.Customer.Key()), 50)
	})
}

// document is a small valid invoice with fields put in place of its own.
func document(fields string) []byte {
	var doc, own map[string]json.RawMessage
	base := `{"magento_id":42,"increment_id":"100000042","currency":"GBP","state":"open","grand_total":1,"created_at":"2026-04-29T09:59:58Z","unknown":{"x":[1]}}`
	if json.Unmarshal([]byte(base), &doc) != nil || json.Unmarshal([]byte("{"+fields+"}"), &own) != nil {
		panic("the test's own JSON is broken")
	}
	var out bytes.Buffer
	out.WriteString("{" + fields)
	for name, value := range doc {
		if _, replaced := own[name]; !replaced {
			fmt.Fprintf(&out, ",%q:%s", name, value)
		}
	}
	out.WriteString("}")
	return out.Bytes()
}

func decode(t *testing.T, fields string) canon.Invoice {
	t.Helper()
	inv, err := canon.DecodeInvoice(document(fields))
	require.NoError(t, err)
	return inv
}

// describe is inv in one line per fact, amounts without needless zeros.
func describe(inv canon.Invoice) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("invoice %d %q, order %d %q, website %d, store %d", inv.MagentoID, inv.IncrementID, inv.OrderID, inv.OrderIncrementID, inv.WebsiteID, inv.StoreID)
	p("%s, created %s, payment %s, po %s", inv.State, inv.CreatedAt.Format(time.RFC3339Nano), quoted(inv.PaymentMethod), quoted(inv.PONumber))
	p("%s, rate %s", inv.Currency, number(inv.BaseToOrderRate))
	p("subtotal %s, tax %s, shipping %s, its tax %s, discount %s, total %s", inv.Subtotal, inv.TaxAmount, inv.ShippingAmount, inv.ShippingTax, inv.DiscountAmount, inv.GrandTotal)
	c := inv.Customer
	group := "-"
	if c.GroupID != nil {
		group = fmt.Sprint(*c.GroupID)
	}
	p("customer %d %q, first %s, last %s, company %s, phone %s, website %d, group %s", c.MagentoID, c.Email, quoted(c.FirstName), quoted(c.LastName), quoted(c.Company), quoted(c.Phone), c.WebsiteID, group)
	for _, a := range c.Addresses {
		p("  %s", place(&a))
	}
	p("billing %s", place(inv.BillingAddress))
	p("shipping %s", place(inv.ShippingAddress))
	for i, l := range inv.Lines {
		p("line %d: %q %q %s, %s x %s = %s, tax %s (%s), total %s, discount %s", i+1, l.SKU, l.Name, quoted(l.ProductType), l.Qty, l.UnitPrice, l.LineSubtotal, l.LineTax, number(l.TaxRate), l.LineTotal, l.Discount())
	}
	return b.String()
}

func place(a *canon.Address) string {
	if a == nil {
		return "-"
	}
	return fmt.Sprintf("%s: %q, %q, region %s, postcode %s, %q, telephone %s", a.Kind, a.Street, a.City, quoted(a.Region), quoted(a.Postcode), a.CountryID, quoted(a.Telephone))
}

func quoted(s *string) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%q", *s)
}

func number(d *decimal.Decimal) string {
	if d == nil {
		return "-"
	}
	return d.String()
}
