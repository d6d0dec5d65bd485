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

// reconciliation sets a part of a credit note against an invoice.
type reconciliation struct {
	id              int
	invoice, credit *invoice
	gross           *big.Rat // above zero
	dated           time.Time
	created         time.Time
	body            []byte
}

func (c *reconciliation) url(base string) string {
	return fmt.Sprintf("%s/credit_note_reconciliations/%d", base, c.id)
}

func (c *reconciliation) shown(base string) map[string]any {
	return map[string]any{
		"url": c.url(base), "invoice": c.invoice.url(base), "credit_note": c.credit.url(base), "gross_value": show(c.gross),
		"dated_on": c.dated.Format(time.DateOnly), "currency": c.invoice.currency, "exchange_rate": c.invoice.rate,
		"created_at": stamp(c.created), "updated_at": stamp(c.created),
	}
}

func (s *Server) createReconciliation(base string, body []byte) reply {
	raw, ok := unwrap(body, "credit_note_reconciliation")
	if !ok {
		return malformed("param is missing or the value is empty: credit_note_reconciliation")
	}
	if unknown := unpermitted(raw, []string{"invoice", "credit_note", "gross_value", "dated_on", "currency", "exchange_rate"}); unknown != "" {
		return malformed("found unpermitted parameters: " + unknown)
	}
	dated, refusal := dayOf(raw["dated_on"])
	if refusal.status != 0 {
		return refusal
	}
	made := &reconciliation{dated: dated}
	if faults := s.readReconciliation(base, raw, made); len(faults) > 0 {
		return invalid(faults...)
	}
	if s.isLocked(dated) {
		return locked()
	}
	made.id, made.created, made.body = s.nextID(), s.cfg.Now(), bytes.Clone(body)
	s.reconciliations = append(s.reconciliations, made)
	made.invoice.settle(made.gross, s.cfg.Now())
	made.credit.settle(made.gross, s.cfg.Now())
	return created(made.url(base), map[string]any{"credit_note_reconciliation": made.shown(base)})
}

func (s *Server) readReconciliation(base string, raw map[string]json.RawMessage, made *reconciliation) []string {
	var faults []string
	made.invoice = s.at(invoices, base, textOf(raw["invoice"]))
	made.credit = s.at(creditNotes, base, textOf(raw["credit_note"]))
	if made.invoice == nil {
		faults = append(faults, "Invoice not found for this company")
	}
	if made.credit == nil {
		faults = append(faults, "Credit note not found for this company")
	}
	gross, ok := amountOf(raw["gross_value"])
	if !ok || gross.Sign() <= 0 {
		faults = append(faults, "Gross value must be greater than 0")
	}
	if len(faults) > 0 {
		return faults
	}
	made.gross = gross
	switch {
	case !made.invoice.open() || !made.credit.open():
		return []string{"Invoice and credit note must be open"}
	case made.invoice.contact != made.credit.contact:
		return []string{"Invoice and credit note must have the same contact"}
	case made.invoice.currency != made.credit.currency, textOf(raw["currency"]) != "" && textOf(raw["currency"]) != made.invoice.currency:
		return []string{"Currency must be that of the invoice and the credit note"}
	case gross.Cmp(made.invoice.due()) > 0:
		return []string{"Gross value is more than the invoice has due"}
	case gross.Cmp(new(big.Rat).Neg(made.credit.due())) > 0:
		return []string{"Gross value is more than the credit note has left"}
	}
	return nil
}

// listReconciliations knows from_date and to_date.
func (s *Server) listReconciliations(base string, r *http.Request) reply {
	query := r.URL.Query()
	all := []map[string]any{}
	for _, c := range s.reconciliations {
		if within(query.Get("from_date"), query.Get("to_date"), c.dated) {
			all = append(all, c.shown(base))
		}
	}
	slices.Reverse(all)
	return page(r, "credit_note_reconciliations", all)
}

func (s *Server) getReconciliation(base, id string) reply {
	for _, c := range s.reconciliations {
		if strconv.Itoa(c.id) == id {
			return ok(map[string]any{"credit_note_reconciliation": c.shown(base)})
		}
	}
	return notFound()
}
