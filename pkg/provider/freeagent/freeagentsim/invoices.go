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

// kind is what the two documents differ in. They share the sequence of ids.
type kind struct {
	name, plural string
	credit       bool
}

var (
	invoices    = kind{name: "invoice", plural: "invoices"}
	creditNotes = kind{name: "credit_note", plural: "credit_notes", credit: true}
)

func (k kind) items() string { return k.name + "_items" }

type invoice struct {
	kind
	id        int
	settled   *big.Rat // paid, refunded and reconciled, as a positive amount
	contact   *contact
	reference string
	dated     time.Time
	terms     int
	currency  string
	rate      string
	comments  string
	status    string
	lines     []item
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
	for _, line := range i.lines {
		net.Add(net, line.net())
		tax.Add(tax, line.tax())
	}
	return net, tax, new(big.Rat).Add(net, tax)
}

// due is what is open: below zero on a credit note.
func (i *invoice) due() *big.Rat {
	_, _, total := i.sums()
	if i.credit {
		return new(big.Rat).Add(total, i.settled)
	}
	return new(big.Rat).Sub(total, i.settled)
}

// open reports whether money or credit may be set against it.
func (i *invoice) open() bool { return i.status == "Open" || i.status == "Overdue" }

// settle sets amount against it, or takes it back where that is negative.
func (i *invoice) settle(amount *big.Rat, now time.Time) {
	i.settled = new(big.Rat).Add(i.settled, amount)
	switch left := i.due().Sign(); {
	case left == 0 && i.credit:
		i.status = "Refunded"
	case left == 0:
		i.status = "Paid"
	case left < 0 && !i.credit:
		i.status = "Overpaid"
	default:
		i.status = i.unpaid(now)
	}
}

func (i *invoice) unpaid(now time.Time) string {
	if i.dueOn().Before(now.Truncate(24 * time.Hour)) {
		return "Overdue"
	}
	return "Open"
}

func (i *invoice) url(base string) string { return fmt.Sprintf("%s/%s/%d", base, i.plural, i.id) }

func (i *invoice) outside() Invoice {
	net, tax, total := i.sums()
	return Invoice{
		Due: outside(i.due()),
		ID:  i.id, Reference: i.reference, ContactID: i.contact.id, Status: i.status, Currency: i.currency,
		Net: outside(net), Tax: outside(tax), Total: outside(total), Terms: i.terms, Body: bytes.Clone(i.body),
	}
}

func (i *invoice) shown(base string, nested bool) map[string]any {
	net, tax, total := i.sums()
	shown := map[string]any{
		"url": i.url(base), "contact": fmt.Sprintf("%s/contacts/%d", base, i.contact.id),
		"dated_on": i.dated.Format(time.DateOnly), "due_on": i.dueOn().Format(time.DateOnly), "payment_terms_in_days": i.terms,
		"reference": i.reference, "currency": i.currency, "exchange_rate": i.rate, "status": i.status, "long_status": i.status,
		"net_value": show(net), "total_value": show(total), "due_value": show(i.due()),
		"involves_sales_tax": tax.Sign() != 0, "omit_header": false, "payment_methods": map[string]any{},
		"created_at": stamp(i.created), "updated_at": stamp(i.created),
	}
	settled := "paid_value"
	if i.credit {
		settled = "refunded_value"
	}
	shown[settled] = show(i.settled)
	if tax.Sign() != 0 {
		shown["sales_tax_value"] = show(tax)
	}
	if i.comments != "" {
		shown["comments"] = i.comments
	}
	if nested {
		items := []map[string]any{}
		for n, line := range i.lines {
			items = append(items, map[string]any{
				"url": fmt.Sprintf("%s/invoice_items/%d", base, i.id*1000+n), "position": n + 1, "item_type": line.itemType,
				"quantity": show(line.quantity), "price": show(line.price), "description": line.description,
				"sales_tax_rate": show(line.taxRate), "sales_tax_status": "TAXABLE", "category": line.category,
			})
		}
		shown[i.items()] = items
	}
	return shown
}

func (i *invoice) dueOn() time.Time { return i.dated.AddDate(0, 0, i.terms) }

func (s *Server) documents(k kind) []*invoice {
	if k.credit {
		return s.creditNotes
	}
	return s.invoices
}

func (s *Server) createDocument(k kind, base string, body []byte) reply {
	made, refusal := s.readDocument(k, base, body)
	if refusal.status != 0 {
		return refusal
	}
	if s.isLocked(made.dated) {
		return locked()
	}
	others := s.documents(k)
	if made.reference == "" {
		made.reference = fmt.Sprintf("%03d", len(s.invoices)+len(s.creditNotes)+1)
	}
	if !s.cfg.DuplicateReferences && slices.ContainsFunc(others, func(i *invoice) bool { return i.reference == made.reference }) {
		return invalid("Reference has already been taken")
	}
	made.id, made.status, made.created, made.body = s.nextID(), "Draft", s.cfg.Now(), bytes.Clone(body)
	if k.credit {
		s.creditNotes = append(others, made)
	} else {
		s.invoices = append(others, made)
	}
	return created(made.url(base), map[string]any{k.name: made.shown(base, true)})
}

func (s *Server) isLocked(day time.Time) bool {
	return s.lockedUntil != "" && day.Format(time.DateOnly) <= s.lockedUntil
}

func locked() reply {
	return failure(http.StatusForbidden, map[string]any{"errors": wrapped("Invoice is locked.")})
}

func (s *Server) find(k kind, id string) *invoice {
	for _, i := range s.documents(k) {
		if strconv.Itoa(i.id) == id {
			return i
		}
	}
	return nil
}

// at finds a document by its URL on this host.
func (s *Server) at(k kind, base, link string) *invoice {
	for _, i := range s.documents(k) {
		if i.url(base) == link {
			return i
		}
	}
	return nil
}

func (s *Server) getDocument(k kind, base, id string) reply {
	if found := s.find(k, id); found != nil {
		return ok(map[string]any{k.name: found.shown(base, true)})
	}
	return notFound()
}

// moveDocument does a transition. To send what is sent changes nothing.
func (s *Server) moveDocument(k kind, base, id string, draft bool) reply {
	found := s.find(k, id)
	if found == nil {
		return notFound()
	}
	_, _, total := found.sums()
	switch {
	case draft && found.settled.Sign() != 0:
		return invalid("Documents with payments cannot be marked as draft")
	case draft:
		found.status = "Draft"
	case len(found.lines) == 0:
		return failure(http.StatusForbidden, map[string]any{"errors": wrapped("You are not allowed to access this action.")})
	case total.Sign() < 0 && !k.credit:
		return invalid("Invoices with a negative total cannot be marked as sent")
	case found.status != "Draft":
	case total.Sign() == 0:
		found.status = "Zero Value"
	default:
		found.status = found.unpaid(s.cfg.Now())
	}
	return ok(map[string]any{k.name: found.shown(base, true)})
}

// listDocuments knows view all and draft, contact, from_date, to_date, sort and the
// nesting of items; there is no filter by reference.
func (s *Server) listDocuments(k kind, base string, r *http.Request) reply {
	query := r.URL.Query()
	all := []map[string]any{}
	for _, i := range s.documents(k) {
		wanted := query.Get("contact")
		dated := i.dated.Format(time.DateOnly)
		switch {
		case query.Get("view") == "draft" && i.status != "Draft",
			!s.cfg.IgnoreContactFilter && wanted != "" && wanted != strconv.Itoa(i.contact.id) && wanted != fmt.Sprintf("%s/contacts/%d", base, i.contact.id),
			query.Get("from_date") > dated,
			query.Get("to_date") != "" && query.Get("to_date") < dated:
			continue
		}
		all = append(all, i.shown(base, query.Get("nested_"+k.items()) == "true"))
	}
	if query.Get("sort") == "-created_at" {
		slices.Reverse(all)
	}
	return page(r, k.plural, all)
}
