package magentosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"towpath/pkg/canon"
)

// Memo is what the shop's grid shows of a credit memo.
type Memo struct {
	ID          int64           `json:"id"`
	IncrementID string          `json:"increment_id"`
	InvoiceID   int64           `json:"invoice_id"`
	Currency    string          `json:"currency"`
	GrandTotal  decimal.Decimal `json:"grand_total"`
	Chip        Chip            `json:"chip"`
}

// RefundInvoice is "Credit Memo" on an invoice: the memo gets the next number, and
// its event is in the outbox and its chip pending when this returns. It may be
// refunded again, as far as something is left.
func (s *Shop) RefundInvoice(id int64, r Refund) (Memo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, found := s.documents[entity{"invoice", id}]
	if !found {
		return Memo{}, fmt.Errorf("refund invoice %d: there is none", id)
	}
	memo, err := d.sale.Refund(s.lastMemo+1, s.now(), r)
	if err != nil {
		return Memo{}, err
	}
	s.lastMemo++
	raw, err := withCustomer(canon.EncodeCreditMemo(memo), d.raw)
	if err != nil {
		return Memo{}, err
	}
	s.documents[entity{"creditmemo", s.lastMemo}] = document{raw: raw}
	// The canonical memo has no store: only the event says it.
	s.enqueue("creditmemo.created", s.lastMemo, int64(d.inv.WebsiteID), int64(d.inv.StoreID), map[string]any{"increment_id": memo.IncrementID})
	return Memo{
		ID: s.lastMemo, IncrementID: memo.IncrementID, InvoiceID: id, Currency: memo.Currency, GrandTotal: memo.GrandTotal,
		Chip: s.chips[chipKey{entity{"creditmemo", s.lastMemo}, s.cfg.Provider}],
	}, nil
}

// Left is what Refund could still give back of an invoice: the zero Refund with
// nothing in it, to be filled in by line.
func (s *Shop) Left(id int64) (lines []decimal.Decimal, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, found := s.documents[entity{"invoice", id}]
	if !found {
		return nil, false
	}
	for _, p := range d.sale.left {
		lines = append(lines, p.qty)
	}
	return lines, true
}

// withCustomer gives a document the customer as another shows it: as it is now.
func withCustomer(raw, from json.RawMessage) (json.RawMessage, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(from, &parts); err != nil {
		return nil, fmt.Errorf("read customer: %w", err)
	}
	if parts["customer"] == nil {
		return raw, nil
	}
	return with(raw, map[string]any{"customer": parts["customer"]})
}

// EditCustomer saves a customer with some fields of the canonical form changed; nil
// removes one. Documents show the customer as it is now, so every invoice and memo
// of the customer changes too. It reports whether the shop sends an event: while an
// earlier one is in its outbox, for 30 days, a change is lost.
func (s *Shop) EditCustomer(id int64, change map[string]any) (told bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, found := s.documents[entity{"customer", id}]
	if !found {
		return false, fmt.Errorf("edit customer %d: there is none", id)
	}
	saved, err := with(d.raw, change)
	if err != nil {
		return false, err
	}
	if d.raw, err = with(saved, map[string]any{"updated_at": s.now().Format(time.RFC3339)}); err != nil {
		return false, err
	}
	s.documents[entity{"customer", id}] = d
	for e, other := range s.documents {
		if e.kind != "invoice" && e.kind != "creditmemo" || customerOf(other.raw) != id {
			continue
		}
		if other.raw, err = with(other.raw, map[string]any{"customer": saved}); err != nil {
			return false, err
		}
		s.documents[e] = other
	}
	s.notify()
	return s.enqueue("customer.upserted", id, 0, 0, map[string]any{}), nil
}

func customerOf(raw json.RawMessage) int64 {
	var shown struct {
		Customer struct {
			ID canon.Int `json:"magento_id"`
		} `json:"customer"`
	}
	if json.Unmarshal(raw, &shown) != nil {
		return 0
	}
	return int64(shown.Customer.ID)
}

// Product is one of the shop's catalog.
type Product struct {
	ID    int64
	SKU   string
	Name  string
	Type  string           // empty: simple
	Price *decimal.Decimal // nil: it has none of its own, as a configurable one
}

// SaveProduct saves a product, new or changed. It reports whether the shop sends an
// event: while an earlier one is in its outbox, for 30 days, a change is lost.
func (s *Shop) SaveProduct(p Product) (told bool, err error) {
	if p.ID <= 0 || p.SKU == "" {
		return false, errors.New("save product: it needs an id and a SKU")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var price any
	if p.Price != nil {
		price = json.Number(p.Price.String())
	}
	raw, err := json.Marshal(map[string]any{
		"magento_id": p.ID, "sku": p.SKU, "name": p.Name, "product_type": or(p.Type, "simple"), "price": price, "special_price": nil,
		"cost": nil, "weight": nil, "stock_qty": json.Number("7.0000"), "manage_stock": true, "tax_class": nil, "website_ids": []int{1},
		"created_at": nil, "updated_at": s.now().Format(time.RFC3339),
	})
	if err != nil {
		return false, fmt.Errorf("save product: %w", err)
	}
	s.documents[entity{"product", p.ID}] = document{raw: raw}
	s.notify()
	return s.enqueue("product.upserted", p.ID, 1, 0, map[string]any{"sku": p.SKU}), nil
}

// payment is that of a paid invoice, by the invoice's id: the shop keeps none, so
// it is made of the invoice. Its time is the invoice's, whenever it was paid.
func (s *Shop) payment(r *http.Request, _ []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, a, found := s.find("invoice", r)
	if !found {
		return a
	}
	if d.inv.State != canon.StatePaid {
		return noSuchEntity(int64(d.inv.MagentoID))
	}
	method := "free"
	if d.inv.PaymentMethod != nil {
		method = *d.inv.PaymentMethod
	}
	return answerJSON(map[string]any{
		"magento_id": d.inv.MagentoID, "invoice_id": d.inv.MagentoID, "invoice_increment_id": d.inv.IncrementID,
		"method": method, "currency": d.inv.Currency, "amount": json.Number(d.inv.GrandTotal.String()),
		"captured_at": d.inv.CreatedAt.Format(time.RFC3339), "gateway_txn_id": optional(d.txn),
		// The gateway's own data, word for word.
		"gateway_metadata": map[string]any{"method_title": "Card", "cc_last_4": "4242", "raw_response": `{"token":"tok_` + strconv.FormatInt(int64(d.inv.MagentoID), 10) + `"}`},
	})
}

// SetTransaction replaces the transaction of an invoice's order, as a refund at the
// gateway does.
func (s *Shop) SetTransaction(id int64, txn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, found := s.documents[entity{"invoice", id}]; found {
		d.txn = txn
		s.documents[entity{"invoice", id}] = d
	}
}

// MemoIDs are the ids of all credit memos, in order.
func (s *Shop) MemoIDs() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := []int64{}
	for e := range s.documents {
		if e.kind == "creditmemo" {
			ids = append(ids, e.id)
		}
	}
	slices.Sort(ids)
	return ids
}
