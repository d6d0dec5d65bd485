package find

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_A_form_is_known_by_its_numbers_buyer_and_amount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		form string
		want Facts
	}{
		"invoice": {
			`{"increment_id":"000000123","order_increment_id":9000045,"grand_total":119,"currency":"EUR",
				"customer":{"email":"Anna@Example.org","first_name":"Anna","last_name":"Meyer-Lüdenscheid","company":null}}`,
			Facts{"000000123", "Anna Meyer-Lüdenscheid", "119.00", "EUR",
				[]string{"000000123", "9000045", "anna@example.org", "anna", "meyer-lüdenscheid", "meyer", "lüdenscheid", "119.00"}},
		},
		"payment":  {`{"invoice_increment_id":"7","amount":"1.5","currency":"EUR"}`, Facts{"7", "", "1.50", "EUR", []string{"7", "1.50"}}},
		"customer": {`{"magento_id":5,"email":"a@b.c","company":"Acme"}`, Facts{"", "Acme", "", "", []string{"a@b.c", "acme"}}},
		"product":  {`{"sku":"WS 12-XS","name":"Shirt"}`, Facts{"WS 12-XS", "", "", "", []string{"ws", "12-xs"}}},
		"odd":      {`{"increment_id":{"a":1},"grand_total":"a lot","customer":[],"sku":"a\u0000b\nc"}`, Facts{"a b c", "", "a lot", "", []string{"a", "b", "c", "lot"}}},
		"no form":  {`[]`, Facts{}},
		"nothing":  {``, Facts{}},
	} {
		require.Equal(t, c.want, Of([]byte(c.form)), name)
	}
	long := Of([]byte(`{"increment_id":"` + strings.Repeat("ü", 3000) + `"}`))
	require.LessOrEqual(t, len(long.Terms[0]), longest)
}

func Test_What_a_person_types_is_quoted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Anna  MÜLLER": `'anna':* & 'müller':*`, "€1.234,50": `'1234.50':*`, "119,00": `'119.00':*`, "119": `'119':*`,
		`o'neil\`: `'o''neil\\':*`, "a & !b": `'a' & '&' & '!b'`,
	} {
		require.Equal(t, want, query(text), text)
	}
}

// FuzzOf: whatever a shop writes, no term is empty or has a second line.
func FuzzOf(f *testing.F) {
	f.Add([]byte(`{"increment_id":"1","customer":{"first_name":"\u0000\n"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, term := range Of(raw).Terms {
			require.NotEmpty(t, term)
			require.NotContains(t, term, "\n")
			require.NotContains(t, term, "\x00")
			require.LessOrEqual(t, len(term), longest)
		}
	})
}
