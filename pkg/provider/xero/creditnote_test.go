package xero_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
)

func buildCredit(memo canon.CreditMemo, change ...func(*policy.Policy, *provider.Reference)) (provider.Document, error) {
	pol, ref := samplePolicy(), ukReference()
	withAccounts(&pol, &ref)
	for _, c := range change {
		c(&pol, &ref)
	}
	return xero.BuildCreditNote(memo, pol, ref, someContact)
}

// Each is the golden file's, Xero's own specification takes it, and it comes to what
// the buyer got back.
func Test_Credit_notes_come_to_what_the_buyer_got_back(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	for _, m := range canontest.Memos() {
		doc, err := buildCredit(m.Memo)
		require.NoError(t, err, m.Name)
		golden(t, m.Name, doc.Body)
		spec.accepts(t, "PUT", "/CreditNotes?summarizeErrors=false&unitdp=4", doc.Body)
		require.Equal(t, m.Memo.GrandTotal.StringFixed(2), doc.Total.StringFixed(2), m.Name)
		requireSums(t, doc, creditLinesIn(t, doc))
	}
}

type shownCredit struct {
	Type, Date, CreditNoteNumber, Reference, Status, CurrencyCode string
	CurrencyRate                                                  json.Number
}

func showCredit(t *testing.T, doc provider.Document) shownCredit {
	t.Helper()
	var body struct{ CreditNotes []shownCredit }
	require.NoError(t, json.Unmarshal(doc.Body, &body))
	return body.CreditNotes[0]
}

func Test_Credit_note_is_numbered_as_its_stores_invoices_are(t *testing.T) {
	t.Parallel()
	memo := canontest.Sale().Row("Chair", "1", "60", "60", "12", "0").Memo("72", "0", "0")
	memo.CreatedAt = time.Date(2026, 5, 7, 23, 30, 0, 0, time.UTC)
	prefixes := func(p *policy.Policy, r *provider.Reference) {
		p.NumberPrefixByStore, r.Organisation.Timezone = map[string]string{"2": "B-"}, "GMTSTANDARDTIME"
	}
	for store, prefix := range map[canon.Int]string{1: "", 2: "B-"} {
		memo.StoreID = store
		doc, err := buildCredit(memo, prefixes)
		require.NoError(t, err)
		require.Equal(t, shownCredit{Type: "ACCRECCREDIT", Date: "2026-05-08", CreditNoteNumber: prefix + "900000009", Reference: prefix + "700000007",
			Status: "AUTHORISED", CurrencyCode: "GBP"}, showCredit(t, doc))
		require.Equal(t, prefix+"900000009", doc.Number)
	}
	memo.InvoiceID, memo.InvoiceIncrementID = nil, nil
	doc, err := buildCredit(memo, prefixes)
	require.NoError(t, err)
	require.Empty(t, showCredit(t, doc).Reference, "a refund from the order")
}

func Test_Credit_note_is_held_for_what_holds_an_invoice(t *testing.T) {
	t.Parallel()
	memo := canontest.Sale().Row("Chair", "1", "60", "60", "12", "0").Memo("72", "0", "0")
	_, err := buildCredit(memo, func(_ *policy.Policy, r *provider.Reference) { r.Organisation.PeriodLockDate = "2026-05-31" })
	require.Equal(t, "period_locked", failure(t, err).Reason)
	require.True(t, strings.HasPrefix(failure(t, err).Message, "the credit note is dated 2026-05-07"))
	_, err = buildCredit(memo, func(p *policy.Policy, _ *provider.Reference) { p.TaxRateMap = map[string]string{"5.00": "RROUTPUT"} })
	require.Contains(t, failure(t, err).Message, `add "20.00" (OUTPUT2)`)
	memo = canontest.Sale().Row("Wine", "1", "60", "60", "12", "0").In("EUR", "1.17").To("AT").Memo("72", "0", "0")
	doc, err := buildCredit(memo)
	require.NoError(t, err)
	require.Contains(t, string(doc.Body), `"TaxType":"AT20"`, "the rate of where it was delivered")
}

// A fee that was kept is income, on the account of charges where there is one.
func Test_Adjustments_have_no_tax_and_the_accounts_of_sales_and_charges(t *testing.T) {
	t.Parallel()
	memo := canontest.Sale().Row("Chair", "1", "60", "60", "12", "0").Memo("79.50", "10", "2.50")
	for account, change := range map[string]func(*policy.Policy, *provider.Reference){
		"270": func(*policy.Policy, *provider.Reference) {},
		"200": func(p *policy.Policy, _ *provider.Reference) { p.ChargesAccount = "" },
	} {
		doc, err := buildCredit(memo, change)
		require.NoError(t, err)
		var body struct {
			CreditNotes []struct {
				LineItems []struct{ Description, TaxType, AccountCode string }
			}
		}
		require.NoError(t, json.Unmarshal(doc.Body, &body))
		lines := body.CreditNotes[0].LineItems
		require.Equal(t, []string{"Adjustment refund", "NONE", "200"}, []string{lines[1].Description, lines[1].TaxType, lines[1].AccountCode})
		require.Equal(t, []string{"Adjustment fee", "NONE", account}, []string{lines[2].Description, lines[2].TaxType, lines[2].AccountCode})
	}
}
