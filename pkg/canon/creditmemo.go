package canon

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// CreditMemo is the shop's canonical credit memo, as GET
// /rest/V1/byte8/creditmemo/{id} answers it. Amounts are in Currency and, but for
// AdjustmentNegative, what goes back to the buyer. There is no header for tax or
// discount.
type CreditMemo struct {
	MagentoID   Int    `json:"magento_id"`
	IncrementID string `json:"increment_id"`
	// InvoiceID is nil for a refund that was made from the order.
	InvoiceID          *Int             `json:"invoice_id"`
	InvoiceIncrementID *string          `json:"invoice_increment_id"`
	WebsiteID          Int              `json:"website_id"`
	StoreID            Int              `json:"-"` // not of the form: the event tells it, and who reads the form sets it
	InvoiceNumber      string           `json:"-"` // nor this: the ledger's number of the invoice, where it is known
	Currency           string           `json:"currency"`
	Customer           Contact          `json:"customer"` // as it is now
	Lines              []Line           `json:"lines"`
	AdjustmentPositive decimal.Decimal  `json:"adjustment_positive"` // refunded besides the lines
	AdjustmentNegative decimal.Decimal  `json:"adjustment_negative"` // a fee that was kept, positive or zero
	GrandTotal         decimal.Decimal  `json:"grand_total"`
	ShippingAmount     decimal.Decimal  `json:"shipping_amount"`
	ShippingTax        decimal.Decimal  `json:"shipping_tax_amount"`
	Reason             *string          `json:"reason"` // the first comment, often written for colleagues
	CreatedAt          time.Time        `json:"created_at"`
	InvoiceCreatedAt   *time.Time       `json:"invoice_created_at"`
	BaseToOrderRate    *decimal.Decimal `json:"base_to_order_rate"`
}

type wireCreditMemo struct {
	MagentoID          Int                 `json:"magento_id"`
	IncrementID        text                `json:"increment_id"`
	InvoiceID          *Int                `json:"invoice_id"`
	InvoiceIncrementID *text               `json:"invoice_increment_id"`
	WebsiteID          Int                 `json:"website_id"`
	Currency           text                `json:"currency"`
	Customer           object[wireContact] `json:"customer"`
	Lines              list[wireLine]      `json:"lines"`
	AdjustmentPositive amount              `json:"adjustment_positive"`
	AdjustmentNegative amount              `json:"adjustment_negative"`
	GrandTotal         amount              `json:"grand_total"`
	ShippingAmount     amount              `json:"shipping_amount"`
	ShippingTax        amount              `json:"shipping_tax_amount"`
	Reason             *text               `json:"reason"`
	CreatedAt          timestamp           `json:"created_at"`
	InvoiceCreatedAt   *timestamp          `json:"invoice_created_at"`
	BaseToOrderRate    *amount             `json:"base_to_order_rate"`
}

func (w *wireCreditMemo) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }

// DecodeCreditMemo reads a canonical credit memo, as leniently and as strictly as
// DecodeInvoice. An invoice_id of 0 is none.
func DecodeCreditMemo(raw []byte) (CreditMemo, error) {
	var w wireCreditMemo
	if err := decode("credit memo", raw, &w); err != nil {
		return CreditMemo{}, err
	}
	memo := w.memo()
	if err := memo.check(w.GrandTotal.set); err != nil {
		return CreditMemo{}, fmt.Errorf("decode credit memo %d: %w", memo.MagentoID, err)
	}
	return memo, nil
}

func (w wireCreditMemo) memo() CreditMemo {
	memo := CreditMemo{
		MagentoID: w.MagentoID, IncrementID: string(w.IncrementID), InvoiceIncrementID: (*string)(w.InvoiceIncrementID),
		WebsiteID: w.WebsiteID, Currency: strings.ToUpper(string(w.Currency)), Lines: make([]Line, 0, len(w.Lines)),
		AdjustmentPositive: w.AdjustmentPositive.money(), AdjustmentNegative: w.AdjustmentNegative.money(), GrandTotal: w.GrandTotal.money(),
		ShippingAmount: w.ShippingAmount.money(), ShippingTax: w.ShippingTax.money(), Reason: (*string)(w.Reason),
		CreatedAt: w.CreatedAt.Time, BaseToOrderRate: rate(w.BaseToOrderRate),
	}
	if w.InvoiceID != nil && *w.InvoiceID != 0 {
		memo.InvoiceID = w.InvoiceID
	}
	if w.InvoiceCreatedAt != nil && !w.InvoiceCreatedAt.IsZero() {
		memo.InvoiceCreatedAt = &w.InvoiceCreatedAt.Time
	}
	if w.Customer.value != nil {
		memo.Customer = w.Customer.value.contact()
	}
	for _, l := range w.Lines {
		memo.Lines = append(memo.Lines, l.line())
	}
	return memo
}

func (m CreditMemo) check(hasTotal bool) error {
	if err := checkDocument(m.MagentoID, m.IncrementID, m.Currency, m.Customer, m.CreatedAt); err != nil {
		return err
	}
	switch {
	case !hasTotal:
		return errors.New("grand_total is missing")
	case m.GrandTotal.IsNegative():
		return errors.New("grand_total is negative")
	case m.AdjustmentPositive.IsNegative() || m.AdjustmentNegative.IsNegative():
		return errors.New("an adjustment is negative")
	case m.InvoiceID != nil && *m.InvoiceID < 0:
		return errors.New("invoice_id is negative")
	case m.BaseToOrderRate != nil && !m.BaseToOrderRate.IsPositive():
		return errors.New("base_to_order_rate is not positive")
	}
	return nil
}

// AsInvoice is the memo in the form of an invoice, for whatever asks of a document
// what both have: number, store, day, currency, buyer and where it was delivered to.
// Its sums are the lines'.
func (m CreditMemo) AsInvoice() Invoice {
	inv := Invoice{
		MagentoID: m.MagentoID, IncrementID: m.IncrementID, WebsiteID: m.WebsiteID, StoreID: m.StoreID, Currency: m.Currency,
		State: StatePaid, Customer: m.Customer, Lines: m.Lines, TaxAmount: m.ShippingTax, ShippingAmount: m.ShippingAmount,
		ShippingTax: m.ShippingTax, GrandTotal: m.GrandTotal, CreatedAt: m.CreatedAt, BaseToOrderRate: m.BaseToOrderRate,
	}
	for _, l := range m.Lines {
		inv.Subtotal, inv.TaxAmount = inv.Subtotal.Add(l.LineSubtotal), inv.TaxAmount.Add(l.LineTax)
		inv.DiscountAmount = inv.DiscountAmount.Sub(l.Discount())
	}
	for i, address := range m.Customer.Addresses {
		switch address.Kind {
		case "billing":
			inv.BillingAddress = &m.Customer.Addresses[i]
		case "shipping":
			inv.ShippingAddress = &m.Customer.Addresses[i]
		}
	}
	return inv
}
