package canon_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
)

// Whatever a shop answers, in each of its other forms, is read or refused with a
// reason; what is read can be read again as it is stored.
func FuzzDecodeOtherForms(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, "\xef\xbb\xbf{}", "\xff", `{"magento_id":"9007199254740993"}`, `{"magento_id":1,"amount":1e999999999}`,
		`{"magento_id":1,"invoice_id":1,"invoice_increment_id":"1","method":"checkmo","currency":"GBP","amount":1.0,"captured_at":"0000-01-01T00:00:00Z"}`,
		`{"magento_id":1,"sku":"A","name":"B","product_type":"simple","price":"NaN"}`,
		`{"magento_id":1,"email":"a@b","addresses":[{"street":[null]}]}`,
		`{"magento_id":1,"increment_id":"3","items":[{"qty":1e30}],"grand_total":"-0"}`,
	} {
		f.Add([]byte(seed))
	}
	forms := map[string]func([]byte) error{
		"payment":    func(raw []byte) error { _, err := canon.DecodePayment(raw); return err },
		"creditmemo": func(raw []byte) error { _, err := canon.DecodeCreditMemo(raw); return err },
		"customer":   func(raw []byte) error { _, err := canon.DecodeCustomer(raw); return err },
		"product":    func(raw []byte) error { _, err := canon.DecodeProduct(raw); return err },
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, decode := range forms {
			if err := decode(raw); err != nil {
				require.NotEmpty(t, err.Error(), name)
				continue
			}
			require.NoError(t, decode(canon.Storable(raw)), name)
		}
	})
}
