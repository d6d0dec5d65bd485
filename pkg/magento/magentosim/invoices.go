package magentosim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"towpath/pkg/canon"
)

// document is a canonical form as it is answered; inv and sale only for invoices.
type document struct {
	raw  json.RawMessage
	inv  canon.Invoice
	sale *Sale
	txn  string // the order's last transaction at the gateway
}

// RaiseInvoice is "Submit Invoice": the cart becomes an invoice with the next
// number, and its events are in the outbox and its chip pending when this
// returns.
func (s *Shop) RaiseInvoice(cart Cart) Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	sale := cart.Sale(s.lastID+1, s.now())
	return s.addInvoice(document{raw: CanonicalJSON(sale.Invoice), inv: sale.Invoice, sale: sale, txn: cart.GatewayTxn})
}

// RaiseCanonical raises a given canonical invoice under the next number: its
// magento_id and increment_id are replaced, everything else stays.
func (s *Shop) RaiseCanonical(raw json.RawMessage) (Invoice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := Cart{}.Invoice(s.lastID+1, s.now())
	raw, err := with(raw, map[string]any{"magento_id": int64(numbers.MagentoID), "increment_id": numbers.IncrementID})
	if err != nil {
		return Invoice{}, err
	}
	inv, err := canon.DecodeInvoice(raw)
	if err != nil {
		return Invoice{}, fmt.Errorf("raise invoice: %w", err)
	}
	return s.addInvoice(document{raw: raw, inv: inv, sale: saleOf(inv)}), nil
}

// RaiseExact raises a canonical invoice byte for byte, under its own number,
// which must be free.
func (s *Shop) RaiseExact(raw json.RawMessage) (Invoice, error) {
	inv, err := canon.DecodeInvoice(raw)
	if err != nil {
		return Invoice{}, fmt.Errorf("raise invoice: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.documents[entity{"invoice", int64(inv.MagentoID)}]; taken {
		return Invoice{}, fmt.Errorf("raise invoice: %d is taken", inv.MagentoID)
	}
	return s.addInvoice(document{raw: slices.Clone(raw), inv: inv, sale: saleOf(inv)}), nil
}

// addInvoice stores the invoice with its customer and enqueues its events, as
// the observers do on the first save: created, and paid too if it is. The lock
// must be held.
func (s *Shop) addInvoice(d document) Invoice {
	id := int64(d.inv.MagentoID)
	s.lastID = max(s.lastID, id)
	s.documents[entity{"invoice", id}] = d
	if customer := int64(d.inv.Customer.MagentoID); customer > 0 {
		var parts map[string]json.RawMessage
		if json.Unmarshal(d.raw, &parts) == nil {
			s.documents[entity{"customer", customer}] = document{raw: parts["customer"]}
		}
	}
	s.enqueueInvoice("invoice.created", d.inv)
	if d.inv.State == canon.StatePaid {
		s.enqueueInvoice("invoice.paid", d.inv)
	}
	return s.invoiceView(id)
}

// MarkPaid turns an open invoice into a paid one and enqueues invoice.paid.
func (s *Shop) MarkPaid(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, found := s.documents[entity{"invoice", id}]
	if !found || d.inv.State != canon.StateOpen {
		return fmt.Errorf("mark invoice %d paid: it is not open", id)
	}
	raw, err := with(d.raw, map[string]any{"state": canon.StatePaid})
	if err != nil {
		return err
	}
	d.raw, d.inv.State = raw, canon.StatePaid
	s.documents[entity{"invoice", id}] = d
	s.enqueueInvoice("invoice.paid", d.inv)
	return nil
}

// Put stores or replaces a canonical document that is not raised here
// (a memo of an order, an odd customer). It enqueues nothing; see Enqueue.
func (s *Shop) Put(kind string, id int64, raw json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == "creditmemo" {
		s.lastMemo = max(s.lastMemo, id)
	}
	s.documents[entity{kind, id}] = document{raw: slices.Clone(raw)}
}

// with replaces some fields of a JSON object and leaves the others' text as it is.
func with(raw json.RawMessage, change map[string]any) (json.RawMessage, error) {
	parts := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fmt.Errorf("change canonical document: %w", err)
	}
	for name, value := range change {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("change canonical document: %w", err)
		}
		parts[name] = text
	}
	out, err := json.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("change canonical document: %w", err)
	}
	return out, nil
}

func (s *Shop) document(kind string) handler {
	return func(r *http.Request, _ []byte) answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		d, a, found := s.find(kind, r)
		if !found {
			return a
		}
		return answer{status: http.StatusOK, body: d.raw}
	}
}

// find reads the id of the path; the lock must be held.
func (s *Shop) find(kind string, r *http.Request) (document, answer, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return document{}, says(http.StatusBadRequest, `The "%value" value's type is invalid. The "%type" type was expected. Verify and try again.`,
			"value", r.PathValue("id"), "type", "int"), false
	}
	d, found := s.documents[entity{kind, id}]
	return d, noSuchEntity(id), found
}

func noSuchEntity(id int64) answer {
	return says(http.StatusNotFound, "No such entity with %fieldName = %fieldValue", "fieldName", "entity_id", "fieldValue", id)
}

// Invoice is what the shop's Sales > Invoices grid shows of one.
type Invoice struct {
	ID               int64     `json:"id"`
	IncrementID      string    `json:"increment_id"`
	OrderIncrementID string    `json:"order_increment_id"`
	Customer         string    `json:"customer"`
	State            string    `json:"state"`
	Currency         string    `json:"currency"`
	GrandTotal       string    `json:"grand_total"`
	CreatedAt        time.Time `json:"created_at"`
	Chip             Chip      `json:"chip"`
	Outbox           []Row     `json:"outbox"` // its rows, oldest first
}

// Invoices lists all, newest first.
func (s *Shop) Invoices() []Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := []int64{}
	for e := range maps.Keys(s.documents) {
		if e.kind == "invoice" {
			ids = append(ids, e.id)
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	list := []Invoice{}
	for _, id := range ids {
		list = append(list, s.invoiceView(id))
	}
	return list
}

// Invoice shows one.
func (s *Shop) Invoice(id int64) (Invoice, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.documents[entity{"invoice", id}]
	if !found {
		return Invoice{}, false
	}
	return s.invoiceView(id), true
}

// invoiceView needs the lock held.
func (s *Shop) invoiceView(id int64) Invoice {
	inv := s.documents[entity{"invoice", id}].inv
	view := Invoice{
		ID: id, IncrementID: inv.IncrementID, OrderIncrementID: inv.OrderIncrementID,
		Customer: buyer(inv.Customer), State: inv.State, Currency: inv.Currency,
		GrandTotal: inv.GrandTotal.StringFixed(2), CreatedAt: inv.CreatedAt,
		Chip:   s.chips[chipKey{entity{"invoice", id}, s.cfg.Provider}],
		Outbox: []Row{},
	}
	for _, event := range []string{"invoice.created", "invoice.paid"} {
		if i, found := s.rowOf[fmt.Sprintf("%s:%d", event, id)]; found {
			view.Outbox = append(view.Outbox, s.outbox[i])
		}
	}
	return view
}

func buyer(c canon.Contact) string {
	for _, name := range []string{c.CompanyName(), c.PersonName()} {
		if name != "" {
			return name
		}
	}
	return c.Email
}
