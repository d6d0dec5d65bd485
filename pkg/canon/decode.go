package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/shopspring/decimal"
)

// Int is an integer of the wire: a JSON number or, as PHP may send it, a
// numeric string.
type Int int64

// UnmarshalJSON accepts 42 and "42"; anything else is an error.
func (i *Int) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	text := string(raw)
	if len(raw) > 1 && raw[0] == '"' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not an integer", raw)
	}
	*i = Int(n)
	return nil
}

// DecodeInvoice reads a canonical invoice. It refuses documents that lack what
// every later step relies on, and amounts beyond 15 integer digits or 8
// decimals, which no shop computes but a hostile one could send to exhaust
// memory in decimal arithmetic.
func DecodeInvoice(raw []byte) (Invoice, error) {
	var inv Invoice
	if err := json.Unmarshal(raw, &inv); err != nil {
		return Invoice{}, fmt.Errorf("decode invoice: %w", err)
	}
	if err := inv.check(); err != nil {
		return Invoice{}, fmt.Errorf("decode invoice %d: %w", inv.MagentoID, err)
	}
	return inv, nil
}

func (inv Invoice) check() error {
	switch {
	case inv.MagentoID <= 0:
		return errors.New("magento_id is missing or not positive")
	case inv.IncrementID == "":
		return errors.New("increment_id is missing")
	case len(inv.Currency) != 3:
		return fmt.Errorf("currency %q is not an ISO 4217 code", inv.Currency)
	case inv.CreatedAt.IsZero():
		return errors.New("created_at is missing")
	}
	amounts := []decimal.Decimal{inv.Subtotal, inv.TaxAmount, inv.ShippingAmount, inv.ShippingTax, inv.DiscountAmount, inv.GrandTotal}
	if inv.BaseToOrderRate != nil {
		amounts = append(amounts, *inv.BaseToOrderRate)
	}
	for _, l := range inv.Lines {
		amounts = append(amounts, l.Qty, l.UnitPrice, l.LineSubtotal, l.LineTax, l.LineTotal)
		if l.TaxRate != nil {
			amounts = append(amounts, *l.TaxRate)
		}
	}
	for _, a := range amounts {
		if !sane(a) {
			return errors.New("an amount is out of range")
		}
	}
	return nil
}

func sane(d decimal.Decimal) bool {
	exp := int(d.Exponent())
	if exp < -20 || exp > 15 {
		return false
	}
	return d.NumDigits()+exp <= 15 && -exp <= 20
}
