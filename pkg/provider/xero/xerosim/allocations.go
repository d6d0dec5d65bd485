package xerosim

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
)

// allocation is a part of a credit note that was set against an invoice.
type allocation struct {
	id, date        string
	credit, invoice *invoice
	amount          *big.Rat
}

func (s *Sim) allocationsOf(c call, id, rest string) answer {
	credit := s.creditBy(id, id)
	resource, allocationID, _ := strings.Cut(rest, "/")
	switch {
	case credit == nil || resource != "Allocations":
		return notFound()
	case c.method == http.MethodPut && allocationID == "":
		return s.allocate(c, credit)
	case c.method == http.MethodDelete && allocationID != "":
		return s.deallocate(credit, allocationID)
	}
	return answer{status: http.StatusNotImplemented}
}

func (s *Sim) allocate(c call, credit *invoice) answer {
	if c.unread != nil {
		return *c.unread
	}
	var shown []fields
	failed := false
	for _, element := range c.elements {
		made, faults := s.takeAllocation(credit, element)
		if len(faults) > 0 {
			failed = true
			shown = append(shown, s.echo(element, "AllocationID", faults))
			continue
		}
		s.allocations = append(s.allocations, made)
		credit.updated, made.invoice.updated = s.cfg.Now(), s.cfg.Now()
		shown = append(shown, s.showAllocation(made))
	}
	return s.batch(c, "Allocations", shown, failed)
}

func (s *Sim) takeAllocation(credit *invoice, e map[string]any) (*allocation, []string) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	given, _ := e["Invoice"].(map[string]any)
	a := &allocation{credit: credit, invoice: s.invoiceBy(stringOf(given["InvoiceID"]), stringOf(given["InvoiceNumber"]))}
	ok := false
	if a.date, ok = readDay(e["Date"]); !ok {
		fault("Date is not a valid date")
	}
	amount, err := rational(e["Amount"])
	switch {
	case a.invoice == nil:
		fault("Invoice could not be found")
	case a.invoice.status != "AUTHORISED" || credit.status != "AUTHORISED":
		fault("Credits can only be allocated between Authorised documents")
	case a.invoice.contactID != credit.contactID || a.invoice.currency != credit.currency:
		fault("The credit note and the invoice must have the same contact and currency")
	case err != nil || amount == nil || amount.Sign() <= 0 || rounded(amount, 2).Cmp(amount) != 0:
		fault("The allocation amount must be greater than zero, with at most two decimals")
	case amount.Cmp(s.due(credit)) > 0:
		fault("The amount allocated exceeds the remaining credit")
	case amount.Cmp(s.due(a.invoice)) > 0:
		fault("The amount allocated exceeds the amount outstanding on the invoice")
	}
	if len(faults) > 0 {
		return nil, faults
	}
	a.id, a.amount = s.guid(), amount
	a.date = slices.Max([]string{credit.date, a.invoice.date}) // the later one, whatever was sent
	return a, nil
}

func (s *Sim) deallocate(credit *invoice, id string) answer {
	before := len(s.allocations)
	s.allocations = slices.DeleteFunc(s.allocations, func(a *allocation) bool { return a.credit == credit && strings.EqualFold(a.id, id) })
	if len(s.allocations) == before {
		return notFound()
	}
	return s.document(http.StatusOK, fields{"AllocationId": id, "IsDeleted": s.flag(true)})
}

func (s *Sim) showAllocation(a *allocation) fields {
	return fields{
		"AllocationID": a.id, "Amount": s.num(a.amount), "Date": msDay(a.date), "HasErrors": s.flag(false), "StatusAttributeString": "OK",
		"Invoice": fields{"InvoiceID": a.invoice.id, "InvoiceNumber": a.invoice.number},
	}
}
