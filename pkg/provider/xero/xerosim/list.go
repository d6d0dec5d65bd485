package xerosim

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lister says how a resource is listed. A query parameter that it does not know is
// refused: a client that leans on one which Xero ignores, or which is not simulated,
// must not pass here.
type lister[T any] struct {
	fields  func(T) map[string]string // what where, order and the list parameters may ask for
	updated func(T) time.Time
	show    func(T, bool) fields
	orders  []string          // fields of order
	lists   map[string]string // comma list parameter -> field
	also    []string          // parameters of its own
	keep    func(T) bool      // what these say of one; nil: nothing
	unpaged bool
}

// knows reports whether the list has the parameter.
func (l lister[T]) knows(name string) bool {
	_, listed := l.lists[name]
	switch name {
	case "where", "order", "unitdp":
		return true
	case "page", "pageSize":
		return !l.unpaged
	}
	return listed || slices.Contains(l.also, name)
}

// list answers GET of a whole resource. Lists without page have no lines.
func list[T any](s *Sim, c call, resource string, all []T, l lister[T]) answer {
	for _, name := range slices.Sorted(maps.Keys(c.query)) {
		if !l.knows(name) {
			return badQuery(fmt.Sprintf("the parameter %q of GET /%s is not simulated", name, resource))
		}
	}
	conditions, refusal := s.where(c)
	if refusal != nil {
		return *refusal
	}
	since, err := c.modifiedSince()
	if err != nil {
		return badQuery(err.Error())
	}
	var found []T
	for _, one := range all {
		f := l.fields(one)
		fits := conditions.hold(f) && l.updated(one).After(since) && (l.keep == nil || l.keep(one))
		for parameter, field := range l.lists {
			fits = fits && listed(c.get(parameter)).has(f[field])
		}
		if fits {
			found = append(found, one)
		}
	}
	if refusal := l.sort(c, found); refusal != nil {
		return *refusal
	}
	return l.answer(s, c, resource, found)
}

func (l lister[T]) answer(s *Sim, c call, resource string, found []T) answer {
	number, size, err := paging(c)
	if err != nil {
		return badQuery(err.Error())
	}
	body := fields{}
	if number > 0 {
		body["pagination"] = fields{"page": number, "pageSize": size, "pageCount": (len(found) + size - 1) / size, "itemCount": len(found)}
		from := min((number-1)*size, len(found))
		found = found[from:min(from+size, len(found))]
	}
	shown := []fields{}
	for _, one := range found {
		shown = append(shown, l.show(one, number > 0))
	}
	if c.get("order") == "" {
		s.mix(shown)
	}
	body[resource] = shown
	return s.document(http.StatusOK, body)
}

// sort is order=Field or order=Field ASC|DESC.
func (l lister[T]) sort(c call, found []T) *answer {
	order := strings.Fields(c.get("order"))
	if len(order) == 0 {
		return nil
	}
	descending := len(order) == 2 && strings.EqualFold(order[1], "DESC")
	if !slices.Contains(l.orders, order[0]) || len(order) > 2 || len(order) == 2 && !descending && !strings.EqualFold(order[1], "ASC") {
		a := badQuery(fmt.Sprintf("order %q is not understood", c.get("order")))
		return &a
	}
	slices.SortStableFunc(found, func(a, b T) int {
		n := cmp.Compare(l.fields(a)[order[0]], l.fields(b)[order[0]])
		if descending {
			return -n
		}
		return n
	})
	return nil
}

// paging is the page that was asked for and its size; page 0 is the whole list.
func paging(c call) (number, size int, err error) {
	size = 100
	if text := c.get("pageSize"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > 1000 {
			return 0, 0, fmt.Errorf("pageSize %q is not between 1 and 1000", text)
		}
	}
	if text := c.get("page"); text != "" {
		if number, err = strconv.Atoi(text); err != nil || number < 1 {
			return 0, 0, fmt.Errorf("page %q is not a number from 1", text)
		}
	}
	return number, size, nil
}

// modifiedSince is the If-Modified-Since of a list, in Xero's form.
func (c call) modifiedSince() (time.Time, error) {
	text := strings.TrimSuffix(c.since, "Z")
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse("2006-01-02T15:04:05", text)
	if err != nil {
		return time.Time{}, fmt.Errorf("If-Modified-Since %q is not YYYY-MM-DDThh:mm:ss", c.since)
	}
	return t, nil
}

func badQuery(why string) answer {
	return exception(http.StatusBadRequest, 16, "QueryParseException", why)
}

// getInvoices lists or shows invoices.
func (s *Sim) getInvoices(c call) answer {
	if c.id != "" {
		v := s.invoiceBy(c.id, c.id)
		if v == nil {
			return notFound()
		}
		return s.document(http.StatusOK, fields{"Invoices": []fields{s.showInvoice(v, true)}})
	}
	summary := c.get("summaryOnly") == "true"
	return list(s, c, "Invoices", s.invoices, lister[*invoice]{
		fields: func(v *invoice) map[string]string { return s.documentFields(v, "Invoice") }, updated: func(v *invoice) time.Time { return v.updated },
		show:   func(v *invoice, lines bool) fields { return s.showInvoice(v, lines && !summary) },
		orders: []string{"UpdatedDateUTC", "Date", "InvoiceID", "InvoiceNumber"},
		lists:  map[string]string{"InvoiceNumbers": "InvoiceNumber", "IDs": "InvoiceID", "Statuses": "Status", "ContactIDs": "Contact.ContactID"},
		also:   []string{"summaryOnly"},
	})
}

// documentFields are what a where clause and a list may ask of an invoice or a
// credit note.
func (s *Sim) documentFields(v *invoice, name string) map[string]string {
	return map[string]string{
		name + "Number": v.number, name + "ID": v.id, "Reference": v.reference, "Type": v.kind, "Status": s.standing(v), "Date": v.date,
		"Contact.ContactID": v.contactID, "UpdatedDateUTC": v.updated.UTC().Format(time.RFC3339Nano),
	}
}

func (s *Sim) showInvoice(v *invoice, withLines bool) fields {
	f := s.showDocument(v, withLines)
	f["InvoiceID"], f["InvoiceNumber"] = v.id, v.number
	f["AmountDue"], f["AmountPaid"], f["AmountCredited"] = s.num(s.due(v)), s.num(s.paid(v)), s.num(s.credited(v))
	f["Prepayments"] = []fields{}
	if v.due != "" {
		f["DueDateString"], f["DueDate"] = isoDay(v.due), msDay(v.due)
	}
	if v.url != "" {
		f["Url"] = v.url
	}
	notes := []fields{}
	for _, a := range s.allocations {
		if a.invoice == v {
			notes = append(notes, fields{"CreditNoteID": a.credit.id, "CreditNoteNumber": a.credit.number, "AppliedAmount": s.num(a.amount)})
		}
	}
	f["CreditNotes"] = notes
	return f
}

// showDocument is what invoices and credit notes have alike.
func (s *Sim) showDocument(v *invoice, withLines bool) fields {
	f := fields{
		"Type": v.kind, "Status": s.standing(v), "Reference": v.reference, "DateString": isoDay(v.date), "Date": msDay(v.date),
		"LineAmountTypes": v.amountTypes, "CurrencyCode": v.currency, "CurrencyRate": s.num(v.rate),
		"SubTotal": s.num(v.sub), "TotalTax": s.num(v.tax), "Total": s.num(v.total),
		"HasErrors": s.flag(false), "StatusAttributeString": "OK", "LineItems": []fields{}, "Payments": s.paymentsOf(v),
		"UpdatedDateUTC": "/Date(" + strconv.FormatInt(v.updated.UnixMilli(), 10) + "+0000)/",
	}
	if who := s.contactByID(v.contactID); who != nil {
		f["Contact"] = fields{"ContactID": who.id, "Name": who.name, "Addresses": []fields{}, "Phones": []fields{}}
	} else {
		f["Contact"] = []fields{} // Xero's way to say that there is none
	}
	if withLines {
		lines := []fields{}
		for _, l := range v.lines {
			lines = append(lines, s.showLine(l))
		}
		f["LineItems"] = lines
	}
	return f
}

func (s *Sim) paymentsOf(v *invoice) []fields {
	shown := []fields{}
	for _, p := range s.payments {
		if p.of == v && !p.deleted {
			shown = append(shown, s.shortPayment(p))
		}
	}
	return shown
}

// commaList is a list parameter; an empty one has everything. Case does not
// matter.
type commaList map[string]bool

func listed(raw string) commaList {
	if raw == "" {
		return nil
	}
	list := commaList{}
	for _, item := range strings.Split(raw, ",") {
		list[strings.ToLower(item)] = true
	}
	return list
}

func (l commaList) has(value string) bool { return l == nil || l[strings.ToLower(value)] }
