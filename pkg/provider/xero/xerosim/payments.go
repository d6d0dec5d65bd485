package xerosim

import (
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// payment is money that came for an invoice, or went back for a credit note.
type payment struct {
	id, accountID, date, reference string
	deleted                        bool
	of                             *invoice
	amount, rate                   *big.Rat
	updated                        time.Time
}

// writePayments takes PUT, a list or one, and POST, which the published spec
// types as one. Payments have no key of their own: the same one sent twice is
// there twice. POST with an id deletes.
func (s *Sim) writePayments(c call) answer {
	if c.unread != nil {
		return *c.unread
	}
	if c.id != "" {
		return s.deletePayment(c)
	}
	var shown []fields
	failed := false
	for _, element := range c.elements {
		made, faults := s.takePayment(element)
		if len(faults) > 0 {
			failed = true
			shown = append(shown, s.echo(element, "PaymentID", faults))
			continue
		}
		s.payments = append(s.payments, made)
		made.of.updated = s.cfg.Now()
		shown = append(shown, s.showPayment(made))
	}
	return s.batch(c, "Payments", shown, failed)
}

func (s *Sim) takePayment(e map[string]any) (*payment, []string) {
	p := &payment{reference: stringOf(e["Reference"]), updated: s.cfg.Now()}
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	p.of = s.paidDocument(e, fault)
	s.checkPaidFrom(p, e["Account"], fault)
	s.checkPaidOn(p, e, fault)
	if len([]rune(p.reference)) > 300 {
		fault("Reference must not exceed 300 characters")
	}
	amount, err := rational(e["Amount"])
	switch {
	case err != nil || amount == nil || amount.Sign() <= 0:
		fault("Payment amount must be greater than zero")
	case rounded(amount, 2).Cmp(amount) != 0:
		fault("Payment amount must have at most two decimals")
	case p.of != nil && amount.Cmp(s.due(p.of)) > 0:
		fault("Payment amount exceeds the amount outstanding on this document")
	}
	if p.rate, err = rational(e["CurrencyRate"]); err != nil || p.rate != nil && p.rate.Sign() <= 0 {
		fault("CurrencyRate is not valid")
	}
	if len(faults) > 0 {
		return nil, faults
	}
	p.id, p.amount = s.guid(), amount
	return p, nil
}

// paidDocument is the one document that a payment names.
func (s *Sim) paidDocument(e map[string]any, fault func(string, ...any)) *invoice {
	var named []string
	for _, name := range []string{"Invoice", "CreditNote", "Prepayment", "Overpayment"} {
		if _, given := e[name].(map[string]any); given {
			named = append(named, name)
		}
	}
	if len(named) != 1 {
		fault("Payments must have exactly one of Invoice, CreditNote, Prepayment and Overpayment")
		return nil
	}
	given, _ := e[named[0]].(map[string]any)
	var found *invoice
	switch named[0] {
	case "Invoice":
		found = s.invoiceBy(stringOf(given["InvoiceID"]), stringOf(given["InvoiceNumber"]))
	case "CreditNote":
		found = s.creditBy(stringOf(given["CreditNoteID"]), stringOf(given["CreditNoteNumber"]))
	}
	switch {
	case found == nil:
		fault("%s could not be found", named[0])
	case found.status != "AUTHORISED":
		fault("Payments can only be made against Authorised documents")
	}
	return found
}

func (s *Sim) checkPaidFrom(p *payment, raw any, fault func(string, ...any)) {
	given, _ := raw.(map[string]any)
	id, code := stringOf(given["AccountID"]), stringOf(given["Code"])
	for _, a := range s.org.accounts {
		if id != "" && !strings.EqualFold(a.id, id) || id == "" && (code == "" || a.code != code) {
			continue
		}
		p.accountID = a.id
		switch {
		case a.status != "ACTIVE":
			fault("Account code '%s' has been archived, or has been deleted", a.code)
		case a.kind != "BANK" && !a.payments:
			fault("Account type is invalid for making a payment to/from")
		}
		return
	}
	fault("Account could not be found")
}

func (s *Sim) checkPaidOn(p *payment, e map[string]any, fault func(string, ...any)) {
	ok := true
	p.date = s.cfg.Now().UTC().Format(time.DateOnly)
	if e["Date"] != nil {
		if p.date, ok = readDay(e["Date"]); !ok {
			fault("Date is not a valid date")
		}
	}
	s.checkLocks(p.date, fault)
}

func (s *Sim) deletePayment(c call) answer {
	p := s.paymentBy(c.id)
	if p == nil {
		return notFound()
	}
	if len(c.elements) != 1 || stringOf(c.elements[0]["Status"]) != "DELETED" || p.deleted {
		return s.batch(c, "Payments", []fields{s.echo(fields{}, "PaymentID", []string{"Payment is not of valid status for modification"})}, true)
	}
	p.deleted, p.updated, p.of.updated = true, s.cfg.Now(), s.cfg.Now()
	return s.document(http.StatusOK, fields{"Payments": []fields{s.showPayment(p)}})
}

func (s *Sim) paymentBy(id string) *payment {
	for _, p := range s.payments {
		if strings.EqualFold(p.id, id) {
			return p
		}
	}
	return nil
}

func (s *Sim) getPayments(c call) answer {
	if c.id != "" {
		p := s.paymentBy(c.id)
		if p == nil {
			return notFound()
		}
		return s.document(http.StatusOK, fields{"Payments": []fields{s.showPayment(p)}})
	}
	return list(s, c, "Payments", s.payments, lister[*payment]{
		fields: (*payment).fields, updated: func(p *payment) time.Time { return p.updated },
		show: func(p *payment, _ bool) fields { return s.showPayment(p) }, orders: []string{"UpdatedDateUTC", "Date", "PaymentID"},
	})
}

// fields are what a where clause and a list may ask for.
func (p *payment) fields() map[string]string {
	f := map[string]string{
		"PaymentID": p.id, "Reference": p.reference, "Status": p.status(), "Date": p.date,
		"UpdatedDateUTC": p.updated.UTC().Format(time.RFC3339Nano), "Amount": p.amount.FloatString(2),
	}
	name := "Invoice"
	if p.of.isCredit() {
		name = "CreditNote"
	}
	f[name+"."+name+"ID"], f[name+"."+name+"Number"] = p.of.id, p.of.number
	return f
}

func (p *payment) status() string {
	if p.deleted {
		return "DELETED"
	}
	return "AUTHORISED"
}

func (s *Sim) showPayment(p *payment) fields {
	f := s.shortPayment(p)
	f["Status"], f["PaymentType"] = p.status(), "ACCRECPAYMENT"
	f["Account"] = fields{"AccountID": p.accountID}
	f["HasErrors"], f["StatusAttributeString"], f["IsReconciled"] = s.flag(false), "OK", s.flag(false)
	f["UpdatedDateUTC"] = "/Date(" + strconv.FormatInt(p.updated.UnixMilli(), 10) + "+0000)/"
	if p.of.isCredit() {
		f["PaymentType"] = "ARCREDITPAYMENT"
		f["CreditNote"] = fields{"CreditNoteID": p.of.id, "CreditNoteNumber": p.of.number, "Type": p.of.kind}
		return f
	}
	f["Invoice"] = fields{"InvoiceID": p.of.id, "InvoiceNumber": p.of.number, "Type": p.of.kind}
	return f
}

// shortPayment is how a document shows its payments.
func (s *Sim) shortPayment(p *payment) fields {
	return fields{"PaymentID": p.id, "Date": msDay(p.date), "Amount": s.num(p.amount), "Reference": p.reference}
}

// paid is what was paid of a document, or paid back of a credit note.
func (s *Sim) paid(v *invoice) *big.Rat {
	sum := new(big.Rat)
	for _, p := range s.payments {
		if p.of == v && !p.deleted {
			sum.Add(sum, p.amount)
		}
	}
	return sum
}

// due is what is still open: of an invoice what the buyer owes, of a credit note
// what is left of the credit.
func (s *Sim) due(v *invoice) *big.Rat {
	due := new(big.Rat).Sub(v.total, s.paid(v))
	return due.Sub(due, s.credited(v))
}

// standing is the status as Xero shows it: PAID is set by Xero alone.
func (s *Sim) standing(v *invoice) string {
	if v.status == "AUTHORISED" && v.total.Sign() > 0 && s.due(v).Sign() == 0 {
		return "PAID"
	}
	return v.status
}

func notFound() answer {
	return answer{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html"}}}
}
