package freeagentsim

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readDocument reads and checks a posted invoice or credit note. The reply has a
// status only where it is refused.
func (s *Server) readDocument(k kind, base string, body []byte) (*invoice, reply) {
	raw, ok := unwrap(body, k.name)
	if !ok {
		return nil, malformed("param is missing or the value is empty: " + k.name)
	}
	if unknown := unpermitted(raw, documentFields(k)); unknown != "" {
		return nil, malformed("found unpermitted parameters: " + unknown)
	}
	made := &invoice{
		kind: k, settled: new(big.Rat), reference: textOf(raw["reference"]), comments: textOf(raw["comments"]),
		currency: textOf(raw["currency"]), rate: "1.0",
	}
	var faults []string
	if faults = append(faults, s.readHeader(base, raw, made)...); made.dated.IsZero() && textOf(raw["dated_on"]) != "" {
		return nil, malformed("Invalid date supplied: " + textOf(raw["dated_on"]))
	}
	items, refusal := s.readItems(k, base, raw[k.items()])
	if refusal.status != 0 {
		return nil, refusal
	}
	made.lines = items
	if _, _, total := made.sums(); k.credit && total.Sign() > 0 {
		faults = append(faults, "Total value must be less than or equal to 0")
	}
	if len(faults) > 0 {
		return nil, invalid(faults...)
	}
	return made, reply{}
}

func (s *Server) readHeader(base string, raw map[string]json.RawMessage, made *invoice) []string {
	var faults []string
	switch link := textOf(raw["contact"]); {
	case link == "":
		faults = append(faults, "Contact can't be blank")
	default:
		if made.contact = s.contactAt(base, link); made.contact == nil {
			faults = append(faults, "Contact not found for this company")
		}
	}
	if dated := textOf(raw["dated_on"]); dated == "" {
		faults = append(faults, "Dated on can't be blank")
	} else if day, err := time.Parse(time.DateOnly, dated); err == nil {
		made.dated = day
	}
	terms, err := strconv.Atoi(strings.Trim(string(raw["payment_terms_in_days"]), `"`))
	if made.credit && raw["payment_terms_in_days"] == nil {
		err = nil // a credit note has a default
	}
	if err != nil || terms < 0 {
		faults = append(faults, "payment_terms_in_days is not a number")
	}
	made.terms = terms
	if made.currency == "" {
		made.currency = "GBP"
	}
	if !slices.Contains([]string{"GBP", "EUR", "USD", "AUD", "CAD", "SEK", "DKK", "NOK", "CHF", "JPY", "PLN", "NZD"}, made.currency) {
		faults = append(faults, "Currency is not included in the list")
	}
	if sent, ok := raw["exchange_rate"]; ok {
		rate, ok := number(sent)
		if !ok || rate.Sign() <= 0 {
			return append(faults, "Exchange rate must be greater than 0")
		}
		made.rate = show(rate)
	}
	return faults
}

// contactAt finds a contact by its URL on this host, or by its bare id.
func (s *Server) contactAt(base, link string) *contact {
	for _, c := range s.contacts {
		if id := strconv.Itoa(c.id); link == id || link == base+"/contacts/"+id {
			return c
		}
	}
	return nil
}

func (s *Server) readItems(k kind, base string, raw json.RawMessage) ([]item, reply) {
	if raw == nil {
		return nil, reply{}
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, malformed("'" + k.items() + "' parameter does not match expected type 'array'")
	}
	var items []item
	for _, fields := range list {
		if unknown := unpermitted(fields, itemFields()); unknown != "" {
			return nil, malformed("found unpermitted parameters: " + unknown)
		}
		read, faults := s.readItem(fields)
		if link := textOf(fields["category"]); link != "" && !isIncome(base, link) {
			return nil, malformed("Invalid nominal code")
		}
		if len(faults) > 0 {
			return nil, invalid(append(faults, k.items()+" contain errors")...)
		}
		items = append(items, read)
	}
	return items, reply{}
}

func (s *Server) readItem(fields map[string]json.RawMessage) (item, []string) {
	read := item{
		itemType: textOf(fields["item_type"]), description: textOf(fields["description"]), category: textOf(fields["category"]),
		quantity: new(big.Rat), price: new(big.Rat), taxRate: new(big.Rat),
	}
	var faults []string
	if read.itemType != "" && !slices.Contains(itemTypes(), read.itemType) {
		faults = append(faults, "invoice_items.item_type is not included in the list")
	}
	if strings.TrimSpace(read.description) == "" {
		faults = append(faults, "invoice_items.description can't be blank")
	}
	if sent, ok := fields["quantity"]; ok { // without one it is 0
		if read.quantity, ok = number(sent); !ok {
			faults = append(faults, "invoice_items.quantity is not a number")
		}
	}
	price, ok := number(fields["price"])
	if !ok {
		return read, append(faults, "invoice_items.price is not a number")
	}
	read.price = round(price, 2)
	if sent, ok := fields["sales_tax_rate"]; ok && !s.cfg.NotRegistered {
		rate, ok := number(sent)
		if !ok || !slices.Contains(s.cfg.Rates, show(rate)) {
			return read, append(faults, fmt.Sprintf("invoice_items.sales_tax_rate %s is not a rate of this company", string(sent)))
		}
		read.taxRate = rate
	}
	return read, faults
}

// textOf is a string field, empty where it is absent, null or no string.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func unpermitted(fields map[string]json.RawMessage, known []string) string {
	var unknown []string
	for key := range fields {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	return strings.Join(unknown, ", ")
}

// documentFields are those that can be sent and that this server knows what to
// do with; status and the values are ignored, as on the wire.
func documentFields(k kind) []string {
	return []string{
		"contact", "reference", "dated_on", "due_on", "payment_terms_in_days", "currency", "exchange_rate", "comments", "po_reference",
		"client_contact_name", "payment_terms", "bank_account", "send_new_invoice_emails", "send_reminder_emails", "send_thank_you_emails", "omit_header", "show_project_name",
		"always_show_bic_and_iban", "payment_methods", k.items(), "status", "net_value", "sales_tax_value", "total_value",
	}
}

func itemFields() []string {
	return []string{"position", "item_type", "quantity", "description", "price", "sales_tax_rate", "category"}
}

func itemTypes() []string {
	return []string{"Hours", "Days", "Weeks", "Months", "Years", "Products", "Services", "Training", "Expenses", "Comment", "Bills", "Discount", "Credit", "VAT", "Stock"}
}
