package freeagentsim

import (
	"bytes"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"time"
)

type invoice struct {
	id        int
	contact   *contact
	reference string
	dated     time.Time
	terms     int
	currency  string
	rate      string
	comments  string
	status    string
	items     []item
	created   time.Time
	body      []byte
}

type item struct {
	itemType, description, category string
	quantity, price, taxRate        *big.Rat
}

// net and tax: the price has two decimals by then; a line's net and its tax are
// rounded one by one.
func (i item) net() *big.Rat { return round(new(big.Rat).Mul(i.quantity, i.price), 2) }

func (i item) tax() *big.Rat {
	part := new(big.Rat).Mul(i.net(), i.taxRate)
	return round(part.Quo(part, big.NewRat(100, 1)), 2)
}

func (i *invoice) sums() (net, tax, total *big.Rat) {
	net, tax = new(big.Rat), new(big.Rat)
	for _, line := range i.items {
		net.Add(net, line.net())
		tax.Add(tax, line.tax())
	}
	return net, tax, new(big.Rat).Add(net, tax)
}

func (i *invoice) outside() Invoice {
	net, tax, total := i.sums()
	return Invoice{
		ID: i.id, Reference: i.reference, ContactID: i.contact.id, Status: i.status, Currency: i.currency,
		Net: outside(net), Tax: outside(tax), Total: outside(total), Terms: i.terms, Body: bytes.Clone(i.body),
	}
}

func (i *invoice) shown(base string, nested bool) map[string]any {
	net, tax, total := i.sums()
	shown := map[string]any{
		"url": fmt.Sprintf("%s/invoices/%d", base, i.id), "contact": fmt.Sprintf("%s/contacts/%d", base, i.contact.id),
		"dated_on": i.dated.Format(time.DateOnly), "due_on": i.due().Format(time.DateOnly), "payment_terms_in_days": i.terms,
		"reference": i.reference, "currency": i.currency, "exchange_rate": i.rate, "status": i.status, "long_status": i.status,
		"net_value": show(net), "total_value": show(total), "paid_value": "0.0", "due_value": show(total),
		"involves_sales_tax": tax.Sign() != 0, "omit_header": false, "payment_methods": map[string]any{},
		"created_at": stamp(i.created), "updated_at": stamp(i.created),
	}
	if tax.Sign() != 0 {
		shown["sales_tax_value"] = show(tax)
	}
	if i.comments != "" {
		shown["comments"] = i.comments
	}
	if nested {
		items := []map[string]any{}
		for n, line := range i.items {
			items = append(items, map[string]any{
				"url": fmt.Sprintf("%s/invoice_items/%d", base, i.id*1000+n), "position": n + 1, "item_type": line.itemType,
				"quantity": show(line.quantity), "price": show(line.price), "description": line.description,
				"sales_tax_rate": show(line.taxRate), "sales_tax_status": "TAXABLE", "category": line.category,
			})
		}
		shown["invoice_items"] = items
	}
	return shown
}

func (i *invoice) due() time.Time { return i.dated.AddDate(0, 0, i.terms) }

func (s *Server) createInvoice(base string, body []byte) reply {
	made, refusal := s.readInvoice(base, body)
	if refusal.status != 0 {
		return refusal
	}
	if s.lockedUntil != "" && made.dated.Format(time.DateOnly) <= s.lockedUntil {
		return failure(http.StatusForbidden, map[string]any{"errors": wrapped("Invoice is locked.")})
	}
	if made.reference == "" {
		made.reference = fmt.Sprintf("%03d", len(s.invoices)+1)
	}
	if !s.cfg.DuplicateReferences && slices.ContainsFunc(s.invoices, func(i *invoice) bool { return i.reference == made.reference }) {
		return invalid("Reference has already been taken")
	}
	made.id, made.status, made.created, made.body = s.nextID(), "Draft", s.cfg.Now(), bytes.Clone(body)
	s.invoices = append(s.invoices, made)
	return created(fmt.Sprintf("%s/invoices/%d", base, made.id), map[string]any{"invoice": made.shown(base, true)})
}

func (s *Server) find(id string) *invoice {
	for _, i := range s.invoices {
		if strconv.Itoa(i.id) == id {
			return i
		}
	}
	return nil
}

func (s *Server) getInvoice(base, id string) reply {
	if found := s.find(id); found != nil {
		return ok(map[string]any{"invoice": found.shown(base, true)})
	}
	return notFound()
}

// moveInvoice does a transition. To send what is sent changes nothing.
func (s *Server) moveInvoice(base, id, operation string) reply {
	found := s.find(id)
	if found == nil {
		return notFound()
	}
	_, _, total := found.sums()
	switch {
	case operation == InvoiceDraft:
		found.status = "Draft"
	case len(found.items) == 0:
		return failure(http.StatusForbidden, map[string]any{"errors": wrapped("You are not allowed to access this action.")})
	case total.Sign() < 0:
		return invalid("Invoices with a negative total cannot be marked as sent")
	case total.Sign() == 0:
		found.status = "Zero Value"
	case found.due().Before(s.cfg.Now().Truncate(24 * time.Hour)):
		found.status = "Overdue"
	default:
		found.status = "Open"
	}
	return ok(map[string]any{"invoice": found.shown(base, true)})
}

// listInvoices knows view all and draft, contact, from_date, to_date, sort and
// nested_invoice_items; there is no filter by reference.
func (s *Server) listInvoices(base string, r *http.Request) reply {
	query := r.URL.Query()
	all := []map[string]any{}
	for _, i := range s.invoices {
		wanted := query.Get("contact")
		dated := i.dated.Format(time.DateOnly)
		switch {
		case query.Get("view") == "draft" && i.status != "Draft",
			!s.cfg.IgnoreContactFilter && wanted != "" && wanted != strconv.Itoa(i.contact.id) && wanted != fmt.Sprintf("%s/contacts/%d", base, i.contact.id),
			query.Get("from_date") > dated,
			query.Get("to_date") != "" && query.Get("to_date") < dated:
			continue
		}
		all = append(all, i.shown(base, query.Get("nested_invoice_items") == "true"))
	}
	if query.Get("sort") == "-created_at" {
		slices.Reverse(all)
	}
	return page(r, "invoices", all)
}
