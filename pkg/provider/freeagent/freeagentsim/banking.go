package freeagentsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// explanation is a bank transaction that pays an invoice or refunds a credit note.
type explanation struct {
	id          int
	account     string // its URL's id
	document    *invoice
	dated       time.Time
	gross       *big.Rat // in the account's currency; below zero: money out
	foreign     *big.Rat // in the document's, where that is another; else nil
	description string
	created     time.Time
	body        []byte
}

// value is the amount in the document's currency.
func (e *explanation) value() *big.Rat {
	if e.foreign != nil {
		return e.foreign
	}
	return e.gross
}

func (e *explanation) shown(base string) map[string]any {
	kind := "Invoice Receipt"
	if e.document.credit {
		kind = "Credit Note Refund"
	}
	shown := map[string]any{
		"url": fmt.Sprintf("%s/bank_transaction_explanations/%d", base, e.id), "type": kind,
		"bank_account":     base + "/bank_accounts/" + e.account,
		"bank_transaction": fmt.Sprintf("%s/bank_transactions/%d", base, e.id*10), "dated_on": e.dated.Format(time.DateOnly),
		"gross_value": show(e.gross), "paid_invoice": e.document.url(base), "is_deletable": true, "marked_for_review": false,
		"updated_at": stamp(e.created),
	}
	if e.description != "" {
		shown["description"] = e.description
	}
	if e.foreign != nil {
		shown["foreign_currency_value"] = show(e.foreign)
	}
	return shown
}

func (s *Server) createExplanation(base string, body []byte) reply {
	raw, ok := unwrap(body, "bank_transaction_explanation")
	if !ok {
		return malformed("param is missing or the value is empty: bank_transaction_explanation")
	}
	known := []string{"bank_account", "dated_on", "gross_value", "foreign_currency_value", "paid_invoice", "description", "sales_tax_rate"}
	if unknown := unpermitted(raw, known); unknown != "" {
		return malformed("found unpermitted parameters: " + unknown)
	}
	dated, refusal := dayOf(raw["dated_on"])
	if refusal.status != 0 {
		return refusal
	}
	made := &explanation{description: textOf(raw["description"]), dated: dated}
	if faults := s.readExplanation(base, raw, made); len(faults) > 0 {
		return invalid(faults...)
	}
	if s.isLocked(dated) {
		return locked()
	}
	made.id, made.created, made.body = s.nextID(), s.cfg.Now(), bytes.Clone(body)
	s.explanations = append(s.explanations, made)
	made.document.settle(new(big.Rat).Abs(made.value()), s.cfg.Now())
	return created(fmt.Sprintf("%s/bank_transaction_explanations/%d", base, made.id), map[string]any{"bank_transaction_explanation": made.shown(base)})
}

func dayOf(raw json.RawMessage) (time.Time, reply) {
	text := textOf(raw)
	if text == "" {
		return time.Time{}, invalid("Dated on can't be blank")
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, malformed("Invalid date supplied: " + text)
	}
	return day, reply{}
}

func (s *Server) readExplanation(base string, raw map[string]json.RawMessage, made *explanation) []string {
	var faults []string
	currency := ""
	for _, a := range bankAccounts(base) {
		if a["url"] == textOf(raw["bank_account"]) && a["status"] == "active" {
			currency, made.account = fmt.Sprint(a["currency"]), idIn(fmt.Sprint(a["url"]))
		}
	}
	if currency == "" {
		faults = append(faults, "Bank account not found for this company")
	}
	link := textOf(raw["paid_invoice"])
	if made.document = s.at(invoices, base, link); made.document == nil {
		made.document = s.at(creditNotes, base, link)
	}
	if made.document == nil {
		return append(faults, "Invoice not found for this company")
	}
	if !made.document.open() {
		faults = append(faults, "Paid invoice must be open")
	}
	if rate, sent := raw["sales_tax_rate"]; sent {
		if read, ok := number(rate); !ok || read.Sign() > 0 {
			faults = append(faults, "sales_tax_rate must be the AUTO rate or a rate less than or equal to 0")
		}
	}
	var ok bool
	if made.gross, ok = amountOf(raw["gross_value"]); !ok {
		return append(faults, "Gross value is not a number")
	}
	if currency != made.document.currency {
		if made.foreign, ok = amountOf(raw["foreign_currency_value"]); !ok {
			return append(faults, "Foreign currency value can't be blank")
		}
	} else if raw["foreign_currency_value"] != nil {
		return append(faults, "Foreign currency value must be blank")
	}
	return append(faults, made.refused()...)
}

// refused says why the amount cannot be set against the document. An invoice may
// be paid over, a credit note is not refunded beyond its total.
func (e *explanation) refused() []string {
	switch sign := e.value().Sign(); {
	case sign == 0:
		return []string{"Gross value must be other than 0"}
	case e.document.credit && sign > 0, !e.document.credit && sign < 0:
		return []string{"Gross value has the wrong sign"}
	case e.document.credit && new(big.Rat).Abs(e.value()).Cmp(new(big.Rat).Abs(e.document.due())) > 0:
		return []string{"Gross value is more than the credit note has left"}
	}
	return nil
}

// amountOf is a decimal with two places at most.
func amountOf(raw json.RawMessage) (*big.Rat, bool) {
	read, ok := number(raw)
	return read, ok && round(read, 2).Cmp(read) == 0
}

func idIn(link string) string {
	for i := len(link) - 1; i >= 0; i-- {
		if link[i] == '/' {
			return link[i+1:]
		}
	}
	return link
}

// listExplanations wants a bank account, and knows from_date and to_date.
func (s *Server) listExplanations(base string, r *http.Request) reply {
	query := r.URL.Query()
	account := query.Get("bank_account")
	if account == "" {
		return malformed("bank_account is missing")
	}
	all := []map[string]any{}
	for _, e := range s.explanations {
		if base+"/bank_accounts/"+e.account == account && within(query.Get("from_date"), query.Get("to_date"), e.dated) {
			all = append(all, e.shown(base))
		}
	}
	slices.Reverse(all)
	return page(r, "bank_transaction_explanations", all)
}

func within(from, to string, at time.Time) bool {
	day := at.Format(time.DateOnly)
	return from <= day && (to == "" || day <= to)
}

func (s *Server) getExplanation(base, id string) reply {
	for _, e := range s.explanations {
		if strconv.Itoa(e.id) == id {
			return ok(map[string]any{"bank_transaction_explanation": e.shown(base)})
		}
	}
	return notFound()
}
