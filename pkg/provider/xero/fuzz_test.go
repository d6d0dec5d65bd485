package xero

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Whatever comes as an answer is read or refused, in bounded time, and what an
// operator gets to see is valid text.
func Fuzz_Answers_are_read_or_refused(f *testing.F) {
	for _, seed := range []string{
		`{"Invoices":[{"InvoiceID":"5e","InvoiceNumber":42,"Total":"47.99","Contact":[],"HasErrors":"true"}]}`,
		`{"Invoices":{}}`, `{"Contacts":[{"ContactID":null,"ContactNumber":1042}]}`,
		`{"Invoices":[{"Total":1e999999999}]}`, `{"Organisations":[{"PeriodLockDate":"/Date(1222732800000+0000)/"}]}`,
		`{"Elements":[{"ValidationErrors":[{"Message":"x"},{"Description":"y"}],"LineItems":[{"ValidationErrors":[{}]}]}]}`,
		`[[[]]]`, "\xff", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var answer struct {
			Invoices      list[documentAnswer]
			Contacts      list[contactAnswer]
			Organisations list[struct{ PeriodLockDate day }]
		}
		if json.Unmarshal(raw, &answer) == nil {
			for _, v := range answer.Invoices {
				_ = v.Total.Decimal.StringFixed(2)
			}
			for _, o := range answer.Organisations {
				require.Contains(t, []int{0, 10}, len(o.PeriodLockDate))
			}
		}
		failure := classify(reply{write: true, operation: opInvoiceCreate, status: 400, body: string(raw)})
		require.NotEmpty(t, failure.Message)
		require.LessOrEqual(t, len(failure.Detail), 2000)
		if utf8.Valid(raw) {
			require.True(t, utf8.ValidString(failure.Detail))
		}
	})
}
