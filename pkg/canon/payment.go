package canon

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Payment is the shop's canonical payment, as GET /rest/V1/byte8/payment/{invoice
// id} answers it. Magento captures nothing by itself, so it is made of the invoice.
type Payment struct {
	MagentoID          Int             `json:"magento_id"` // the invoice's
	InvoiceID          Int             `json:"invoice_id"`
	InvoiceIncrementID string          `json:"invoice_increment_id"`
	Method             string          `json:"method"`
	Currency           string          `json:"currency"`
	Amount             decimal.Decimal `json:"amount"`      // the invoice's grand total; 0 where a gift card paid all
	CapturedAt         time.Time       `json:"captured_at"` // the invoice's creation, also where it was paid weeks later
	// GatewayTxnID is the order's last transaction: one for all its invoices, so it
	// proves nothing alone.
	GatewayTxnID *string `json:"gateway_txn_id"`
}

type wirePayment struct {
	MagentoID          Int       `json:"magento_id"`
	InvoiceID          Int       `json:"invoice_id"`
	InvoiceIncrementID text      `json:"invoice_increment_id"`
	Method             text      `json:"method"`
	Currency           text      `json:"currency"`
	Amount             amount    `json:"amount"`
	CapturedAt         timestamp `json:"captured_at"`
	GatewayTxnID       *text     `json:"gateway_txn_id"`
}

func (w *wirePayment) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }

// DecodePayment reads a canonical payment. The gateway's own data is not read: it
// may hold anything.
func DecodePayment(raw []byte) (Payment, error) {
	var w wirePayment
	if err := decode("payment", raw, &w); err != nil {
		return Payment{}, err
	}
	p := Payment{
		MagentoID: w.MagentoID, InvoiceID: w.InvoiceID, InvoiceIncrementID: string(w.InvoiceIncrementID), Method: string(w.Method),
		Currency: strings.ToUpper(string(w.Currency)), Amount: w.Amount.money(), CapturedAt: w.CapturedAt.Time, GatewayTxnID: (*string)(w.GatewayTxnID),
	}
	if err := p.check(w.Amount.set); err != nil {
		return Payment{}, fmt.Errorf("decode payment %d: %w", p.MagentoID, err)
	}
	return p, nil
}

func (p Payment) check(hasAmount bool) error {
	if err := checkDocument(p.MagentoID, p.InvoiceIncrementID, p.Currency, Contact{}, p.CapturedAt); err != nil {
		return err
	}
	switch {
	case p.InvoiceID != p.MagentoID:
		return errors.New("invoice_id and magento_id differ")
	case p.Method == "":
		return errors.New("method is missing")
	case !hasAmount:
		return errors.New("amount is missing")
	case p.Amount.IsNegative():
		return errors.New("amount is negative")
	}
	return nil
}

// WithoutGatewayData is a payment's document without gateway_metadata: the
// gateway's own data, word for word, is never logged, shown or kept longer than the
// call needs. A document that is no JSON object has none to keep: it becomes null.
func WithoutGatewayData(raw []byte) json.RawMessage {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return json.RawMessage("null")
	}
	delete(keys, "gateway_metadata")
	kept, err := json.Marshal(keys)
	if err != nil {
		panic(err) // unreachable: every value was read as JSON
	}
	return kept
}
