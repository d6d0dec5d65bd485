package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxIncrementID is far above the 50 characters of Magento's own; what a ledger
// would not take, policy.PlainNumber shortens.
const maxIncrementID = 1000

// DecodeInvoice reads a canonical invoice as any PHP may write it: integers,
// money and texts as numbers or strings, null or [] for what is empty, a gap in
// a list that turns it into an object, unknown fields. A field counts under its
// exact name only, and the last of two. Money is rounded to the
// four decimals that the shop's columns hold.
//
// It refuses documents that are not UTF-8, that lack what every later step relies on, and what no
// shop computes but a hostile one could send to exhaust memory or time: amounts
// beyond 15 integer digits, lists beyond 10,000 entries.
func DecodeInvoice(raw []byte) (Invoice, error) {
	var w wireInvoice
	if err := decode("invoice", raw, &w); err != nil {
		return Invoice{}, err
	}
	inv := w.invoice()
	if err := inv.check(); err != nil {
		return Invoice{}, fmt.Errorf("decode invoice %d: %w", inv.MagentoID, err)
	}
	if !w.GrandTotal.set {
		return Invoice{}, fmt.Errorf("decode invoice %d: grand_total is missing", inv.MagentoID)
	}
	return inv, nil
}

// byteOrderMark is what some module's PHP file begins with, and every answer of
// that shop then; RFC 8259 section 8.1 lets a reader ignore it.
const byteOrderMark = "\ufeff"

// decode reads a document of the shop into its wire form.
func decode(what string, raw []byte, into any) error {
	raw = bytes.TrimPrefix(raw, []byte(byteOrderMark))
	if !utf8.Valid(raw) {
		return fmt.Errorf("decode %s: the document is not valid UTF-8", what)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode %s: %w", what, placed(err, raw))
	}
	return nil
}

// placed says where in raw the document stops being JSON; a wrong value is named by
// its field.
func placed(err error, raw []byte) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(raw)) {
		return err
	}
	before := raw[:syntax.Offset-1]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

func (inv Invoice) check() error {
	if err := checkDocument(inv.MagentoID, inv.IncrementID, inv.Currency, inv.Customer, inv.CreatedAt); err != nil {
		return err
	}
	switch {
	case inv.State != StateOpen && inv.State != StatePaid && inv.State != StateCancelled:
		return fmt.Errorf("state %.20q is not open, paid or cancelled", inv.State)
	case inv.BaseToOrderRate != nil && !inv.BaseToOrderRate.IsPositive():
		return errors.New("base_to_order_rate is not positive")
	}
	return nil
}

// checkDocument holds what every document of money must have.
func checkDocument(id Int, number, currency string, customer Contact, created time.Time) error {
	switch {
	case id <= 0:
		return errors.New("magento_id is missing or not positive")
	case strings.TrimSpace(number) == "":
		return errors.New("increment_id is missing")
	case len(number) > maxIncrementID:
		return fmt.Errorf("increment_id is longer than %d bytes", maxIncrementID)
	case !isCurrency(currency):
		return fmt.Errorf("currency %.10q is not an ISO 4217 code", currency)
	case customer.MagentoID < 0:
		return errors.New("customer.magento_id is negative")
	case created.IsZero():
		return errors.New("created_at is missing")
	}
	return nil
}

func isCurrency(code string) bool {
	return len(code) == 3 && strings.IndexFunc(code, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}
