package xerosim

import (
	"net/http"
	"strconv"
	"strings"
)

// getInvoices lists or shows invoices. Lists without page have no lines.
func (s *Sim) getInvoices(c call) answer {
	if c.id != "" {
		v := s.invoiceBy(c.id, c.id)
		if v == nil {
			return answer{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html"}}}
		}
		return s.document(http.StatusOK, fields{"Invoices": []fields{s.showInvoice(v, true)}})
	}
	conditions, refusal := s.where(c)
	if refusal != nil {
		return *refusal
	}
	numbers, ids := listed(c.get("InvoiceNumbers")), listed(c.get("IDs"))
	statuses, contacts := listed(c.get("Statuses")), listed(c.get("ContactIDs"))
	var found []*invoice
	for _, v := range s.invoices {
		if numbers.has(v.number) && ids.has(v.id) && statuses.has(v.status) && contacts.has(v.contactID) && conditions.hold(v.fields()) {
			found = append(found, v)
		}
	}
	shown := []fields{}
	for _, v := range page(c, found) {
		shown = append(shown, s.showInvoice(v, c.get("page") != ""))
	}
	return s.document(http.StatusOK, fields{"Invoices": shown})
}

// fields are what a where clause may ask for.
func (v *invoice) fields() map[string]string {
	return map[string]string{"InvoiceNumber": v.number, "Reference": v.reference, "Type": v.kind, "Status": v.status, "InvoiceID": v.id}
}

func (s *Sim) showInvoice(v *invoice, withLines bool) fields {
	f := fields{
		"InvoiceID": v.id, "InvoiceNumber": v.number, "Type": v.kind, "Status": v.status, "Reference": v.reference,
		"DateString": isoDay(v.date), "Date": msDay(v.date), "LineAmountTypes": v.amountTypes,
		"CurrencyCode": v.currency, "CurrencyRate": s.num(v.rate), "SubTotal": s.num(v.sub), "TotalTax": s.num(v.tax),
		"Total": s.num(v.total), "AmountDue": s.num(v.total), "AmountPaid": s.num(sumOf()), "AmountCredited": s.num(sumOf()),
		"HasErrors": s.flag(false), "StatusAttributeString": "OK", "LineItems": []fields{}, "Payments": []fields{}, "Prepayments": []fields{},
		"UpdatedDateUTC": "/Date(" + strconv.FormatInt(v.updated.UnixMilli(), 10) + "+0000)/",
	}
	if v.due != "" {
		f["DueDateString"], f["DueDate"] = isoDay(v.due), msDay(v.due)
	}
	if v.url != "" {
		f["Url"] = v.url
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

func page[T any](c call, all []T) []T {
	number, err := strconv.Atoi(c.get("page"))
	if err != nil || number < 1 {
		return all
	}
	size, err := strconv.Atoi(c.get("pageSize"))
	if err != nil || size < 1 || size > 1000 {
		size = 100
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}
