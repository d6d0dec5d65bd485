package xerosim

import (
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// invoice is a document as Xero keeps it.
type invoice struct {
	id, number, kind, status   string
	contactID, reference, url  string
	date, due, currency, theme string
	amountTypes                string
	rate                       *big.Rat
	lines                      []soldLine
	sub, tax, total            *big.Rat
	raw                        map[string]any
	updated                    time.Time
}

// unknownContact is what Xero answers 404 to, for the whole request.
type unknownContact struct{ id string }

func (u unknownContact) Error() string { return "contact " + u.id + " is unknown" }

// writeInvoices takes PUT, which only creates, and POST, which also updates
// whatever has the id or the number: that is Xero's trap, so it is here too. An
// unknown contact makes it a 404 for the whole request; whether the elements
// before that one are saved nobody knows, so here they are.
func (s *Sim) writeInvoices(c call) answer {
	if c.unread != nil {
		return *c.unread
	}
	var shown []fields
	failed := false
	for _, element := range c.elements {
		if c.id != "" {
			element["InvoiceID"] = c.id
		}
		made, faults, err := s.takeInvoice(c, element)
		switch {
		case err != nil:
			return answer{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html"}}}
		case len(faults) > 0:
			failed = true
			shown = append(shown, s.echo(element, "InvoiceID", faults))
		default:
			shown = append(shown, s.showInvoice(made, true))
		}
	}
	return s.batch(c, "Invoices", shown, failed)
}

func (s *Sim) takeInvoice(c call, element map[string]any) (*invoice, []string, error) {
	var existing *invoice
	if c.method == http.MethodPost {
		existing = s.invoiceBy(stringOf(element["InvoiceID"]), stringOf(element["InvoiceNumber"]))
		if existing != nil {
			merged := maps.Clone(existing.raw)
			maps.Copy(merged, element)
			element = merged
		}
	}
	made, faults, err := s.readInvoice(c, element, existing)
	if existing != nil && (s.paid(existing).Sign() != 0 || s.credited(existing).Sign() != 0) {
		faults = append(faults, "This document cannot be edited as it has a payment or credit note allocated to it.")
	}
	if err != nil || len(faults) > 0 {
		return nil, faults, err
	}
	if existing != nil {
		made.id = existing.id
		*existing = *made
		return existing, nil, nil
	}
	made.id = s.guid()
	s.invoices = append(s.invoices, made)
	return made, nil, nil
}

func (s *Sim) readInvoice(c call, e map[string]any, existing *invoice) (*invoice, []string, error) {
	v := s.header(e, "InvoiceNumber")
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	who, err := s.contactOf(e["Contact"], fault)
	if err != nil {
		return nil, nil, err
	}
	if who != nil {
		v.contactID = who.id
	}
	s.checkHeader(v, e, existing, fault)
	faults = append(faults, s.readLines(c, v, e["LineItems"])...)
	if len(faults) == 0 {
		v.add()
		s.checkTotals(v, e, existing, fault)
	}
	return v, faults, nil
}

// header reads what invoices and credit notes have alike beside their lines.
func (s *Sim) header(e map[string]any, number string) *invoice {
	return &invoice{
		number: stringOf(e[number]), kind: stringOf(e["Type"]), status: orText(e["Status"], "DRAFT"),
		reference: stringOf(e["Reference"]), url: stringOf(e["Url"]), currency: orText(e["CurrencyCode"], s.org.base),
		theme: stringOf(e["BrandingThemeID"]), amountTypes: orText(e["LineAmountTypes"], "Exclusive"), raw: e, updated: s.cfg.Now(),
	}
}

// readLines sets the document's lines and answers what Xero says against them.
func (s *Sim) readLines(c call, v *invoice, raw any) []string {
	reader := &lineReader{org: &s.org, sim: s, decimals: 2, complete: v.status == "AUTHORISED" || v.status == "SUBMITTED",
		inclusive: v.amountTypes == "Inclusive", noTax: v.amountTypes == "NoTax"}
	if c.get("unitdp") == "4" {
		reader.decimals = 4
	}
	v.lines = reader.read(raw)
	return reader.faults
}

// add sums the lines: tax per line, then the sum.
func (v *invoice) add() {
	v.sub, v.tax = new(big.Rat), new(big.Rat)
	for _, l := range v.lines {
		v.sub.Add(v.sub, l.amount)
		v.tax.Add(v.tax, l.tax)
	}
	if v.amountTypes == "Inclusive" {
		v.sub.Sub(v.sub, v.tax)
	}
	v.total = sumOf(v.sub, v.tax)
}

func (s *Sim) checkTotals(v *invoice, e map[string]any, existing *invoice, fault func(string, ...any)) {
	for name, truth := range map[string]*big.Rat{"SubTotal": v.sub, "TotalTax": v.tax, "Total": v.total} {
		if given, err := rational(e[name]); err != nil || given != nil && given.Cmp(truth) != 0 {
			fault("The invoice total does not equal the sum of the lines.")
		}
	}
	if v.total.Sign() < 0 && v.status != "DRAFT" {
		fault("The document total cannot be negative")
	}
	if v.status != "AUTHORISED" || existing != nil || v.isCredit() {
		return
	}
	if s.approvals == 0 {
		fault("You have reached the limit of invoices you can approve.")
	} else if s.approvals > 0 {
		s.approvals--
	}
}

func orText(raw any, otherwise string) string {
	if text := stringOf(raw); text != "" {
		return text
	}
	return otherwise
}

// invoiceBy finds an invoice by id, or a sales invoice by number, in any case.
func (s *Sim) invoiceBy(id, number string) *invoice {
	for _, v := range s.invoices {
		if id != "" && strings.EqualFold(v.id, id) || number != "" && v.kind == "ACCREC" && strings.EqualFold(v.number, number) {
			return v
		}
	}
	return nil
}
