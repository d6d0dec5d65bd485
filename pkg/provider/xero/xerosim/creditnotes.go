package xerosim

import (
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// isCredit reports whether the document is a credit note: it is kept like an
// invoice, beside them.
func (v *invoice) isCredit() bool { return strings.HasSuffix(v.kind, "CREDIT") }

// creditBy finds a credit note by id or number, in any case.
func (s *Sim) creditBy(id, number string) *invoice {
	for _, v := range s.credits {
		if id != "" && strings.EqualFold(v.id, id) || number != "" && strings.EqualFold(v.number, number) {
			return v
		}
	}
	return nil
}

// creditNotes routes what lies under /CreditNotes: the notes, and the allocations
// of one.
func (s *Sim) creditNotes(c call) answer {
	id, rest, nested := strings.Cut(c.id, "/")
	switch {
	case nested:
		return s.allocationsOf(c, id, rest)
	case c.method == http.MethodGet:
		return s.getCreditNotes(c)
	case c.method == http.MethodPut && c.id == "", c.method == http.MethodPost:
		return s.writeCreditNotes(c)
	}
	return answer{status: http.StatusNotImplemented}
}

// writeCreditNotes is writeInvoices for credit notes, with the same traps.
func (s *Sim) writeCreditNotes(c call) answer {
	if c.unread != nil {
		return *c.unread
	}
	var shown []fields
	failed := false
	for _, element := range c.elements {
		if c.id != "" {
			element["CreditNoteID"] = c.id
		}
		made, faults, err := s.takeCreditNote(c, element)
		switch {
		case err != nil:
			return notFound()
		case len(faults) > 0:
			failed = true
			shown = append(shown, s.echo(element, "CreditNoteID", faults))
		default:
			shown = append(shown, s.showCreditNote(made, true))
		}
	}
	return s.batch(c, "CreditNotes", shown, failed)
}

func (s *Sim) takeCreditNote(c call, element map[string]any) (*invoice, []string, error) {
	var existing *invoice
	if c.method == http.MethodPost {
		if existing = s.creditBy(stringOf(element["CreditNoteID"]), stringOf(element["CreditNoteNumber"])); existing != nil {
			merged := maps.Clone(existing.raw)
			maps.Copy(merged, element)
			element = merged
		}
	}
	made, faults, err := s.readCreditNote(c, element, existing)
	if err != nil || len(faults) > 0 {
		return nil, faults, err
	}
	if existing != nil {
		made.id = existing.id
		*existing = *made
		return existing, nil, nil
	}
	made.id = s.guid()
	s.credits = append(s.credits, made)
	return made, nil, nil
}

func (s *Sim) readCreditNote(c call, e map[string]any, existing *invoice) (*invoice, []string, error) {
	v := s.header(e, "CreditNoteNumber")
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	who, err := s.contactOf(e["Contact"], fault)
	if err != nil {
		return nil, nil, err
	}
	if who != nil {
		v.contactID = who.id
	}
	if v.kind != "ACCRECCREDIT" && v.kind != "ACCPAYCREDIT" {
		fault("The document Type must be ACCRECCREDIT or ACCPAYCREDIT")
	}
	s.checkStatus(v, existing, "Credit note", fault)
	s.checkCreditNumber(v, existing, fault)
	s.checkDay(v, e, fault)
	if v.status != "DRAFT" {
		s.checkLocks(v.date, fault)
	}
	s.checkCurrency(v, e, fault)
	s.checkTexts(v, fault)
	checkNoDiscount(e["LineItems"], fault)
	faults = append(faults, s.readLines(c, v, e["LineItems"])...)
	if len(faults) == 0 {
		v.add()
		s.checkTotals(v, e, existing, fault)
	}
	return v, faults, nil
}

// checkCreditNumber: a number once used stays taken, also by a voided note.
func (s *Sim) checkCreditNumber(v, existing *invoice, fault func(string, ...any)) {
	if v.number == "" {
		s.nextAuto++
		v.number = fmt.Sprintf("CN-%d", 1000+s.nextAuto)
	}
	checkPrintable(v.number, fault)
	if taken := s.creditBy("", v.number); taken != nil && taken != existing {
		fault("Credit Note # must be unique.")
	}
}

// checkNoDiscount: lines of a credit note are net of discount.
func checkNoDiscount(raw any, fault func(string, ...any)) {
	lines, _ := raw.([]any)
	for _, item := range lines {
		line, _ := item.(map[string]any)
		if line["DiscountRate"] != nil || line["DiscountAmount"] != nil {
			fault("Discounts are not allowed on credit notes")
			return
		}
	}
}

func (s *Sim) getCreditNotes(c call) answer {
	if c.id != "" {
		v := s.creditBy(c.id, c.id)
		if v == nil {
			return notFound()
		}
		return s.document(http.StatusOK, fields{"CreditNotes": []fields{s.showCreditNote(v, true)}})
	}
	return list(s, c, "CreditNotes", s.credits, lister[*invoice]{
		fields: func(v *invoice) map[string]string { return s.documentFields(v, "CreditNote") }, updated: func(v *invoice) time.Time { return v.updated },
		show: s.showCreditNote, orders: []string{"UpdatedDateUTC", "Date", "CreditNoteID", "CreditNoteNumber"},
	})
}

func (s *Sim) showCreditNote(v *invoice, withLines bool) fields {
	f := s.showDocument(v, withLines)
	f["CreditNoteID"], f["CreditNoteNumber"] = v.id, v.number
	f["RemainingCredit"] = s.num(s.due(v))
	list := []fields{}
	for _, a := range s.allocations {
		if a.credit == v {
			list = append(list, s.showAllocation(a))
		}
	}
	f["Allocations"] = list
	return f
}

// credited is what credit notes took off an invoice, or what of a credit note was
// allocated.
func (s *Sim) credited(v *invoice) *big.Rat {
	sum := new(big.Rat)
	for _, a := range s.allocations {
		if a.invoice == v || a.credit == v {
			sum.Add(sum, a.amount)
		}
	}
	return sum
}
