package xerosim

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkHeader holds what Xero wants of an invoice beside its lines.
func (s *Sim) checkHeader(v *invoice, e map[string]any, existing *invoice, fault func(string, ...any)) {
	if v.kind != "ACCREC" && v.kind != "ACCPAY" {
		fault("The document Type must be ACCREC or ACCPAY")
	}
	s.checkStatus(v, existing, "Invoice", fault)
	s.checkNumber(v, existing, fault)
	s.checkDates(v, e, fault)
	s.checkCurrency(v, e, fault)
	s.checkTexts(v, fault)
}

func (s *Sim) checkStatus(v, existing *invoice, name string, fault func(string, ...any)) {
	allowed := []string{"DRAFT", "SUBMITTED", "AUTHORISED"}
	if existing != nil {
		allowed = append(allowed, "VOIDED", "DELETED")
		if existing.status == "VOIDED" || existing.status == "DELETED" || existing.status == "AUTHORISED" && v.status == "DELETED" {
			fault("%s not of valid status for modification", name)
		}
	}
	if !slices.Contains(allowed, v.status) {
		fault("The document cannot have the Status %s", v.status)
	}
	if !slices.Contains([]string{"Exclusive", "Inclusive", "NoTax"}, v.amountTypes) {
		fault("LineAmountTypes must be Exclusive, Inclusive or NoTax")
	}
}

func (s *Sim) checkTexts(v *invoice, fault func(string, ...any)) {
	if len([]rune(v.reference)) > 255 {
		fault("Reference must not exceed 255 characters")
	}
	if v.url != "" && (strings.Contains(strings.ToLower(v.url), "xero") || !strings.Contains(v.url, "://")) {
		fault("Url is not valid")
	}
	if v.theme != "" && !slices.ContainsFunc(s.org.themes, func(t theme) bool { return t.id == v.theme }) {
		fault("The branding theme does not exist")
	}
}

// checkNumber makes up a missing number; a number once used stays taken, also by
// a voided or deleted invoice.
func (s *Sim) checkNumber(v *invoice, existing *invoice, fault func(string, ...any)) {
	if v.number == "" && v.kind == "ACCREC" {
		s.nextAuto++
		v.number = "INV-" + strconv.Itoa(1000+s.nextAuto)
	}
	checkPrintable(v.number, fault)
	if taken := s.invoiceBy("", v.number); v.kind == "ACCREC" && taken != nil && taken != existing {
		fault("Invoice # must be unique.")
	}
}

func checkPrintable(number string, fault func(string, ...any)) {
	if len(number) > 255 || strings.ContainsFunc(number, func(r rune) bool { return r < ' ' || r > '~' }) {
		fault("Invoice # must be at most 255 printable ASCII characters.")
	}
}

var msForm = regexp.MustCompile(`^/Date\((-?\d+)([+-]\d{4})?\)/$`)

func readDay(raw any) (string, bool) {
	text := stringOf(raw)
	if m := msForm.FindStringSubmatch(text); m != nil {
		ms, err := strconv.ParseInt(m[1], 10, 64)
		return time.UnixMilli(ms).UTC().Format(time.DateOnly), err == nil
	}
	text, _, _ = strings.Cut(text, "T")
	_, err := time.Parse(time.DateOnly, text)
	return text, err == nil
}

func (s *Sim) checkDates(v *invoice, e map[string]any, fault func(string, ...any)) {
	s.checkDay(v, e, fault)
	if e["DueDate"] != nil {
		ok := false
		if v.due, ok = readDay(e["DueDate"]); !ok {
			fault("DueDate is not a valid date")
		}
	}
	if v.status == "DRAFT" {
		return // drafts post nothing, so they may lie in a locked period
	}
	if v.due == "" {
		fault("The DueDate must be specified")
	}
	s.checkLocks(v.date, fault)
}

func (s *Sim) checkDay(v *invoice, e map[string]any, fault func(string, ...any)) {
	ok := true
	v.date = s.cfg.Now().UTC().Format(time.DateOnly)
	if e["Date"] != nil {
		if v.date, ok = readDay(e["Date"]); !ok {
			fault("Date is not a valid date")
		}
	}
}

func (s *Sim) checkLocks(day string, fault func(string, ...any)) {
	if s.org.periodLock != "" && day <= s.org.periodLock {
		fault("The document date cannot be before the period lock date, currently set at %s", s.org.periodLock)
	}
	if s.org.endOfYear != "" && day <= s.org.endOfYear {
		fault("The document date cannot be before the end of year lock date, currently set at %s", s.org.endOfYear)
	}
}

func (s *Sim) checkCurrency(v *invoice, e map[string]any, fault func(string, ...any)) {
	if !slices.Contains(s.org.currencies, v.currency) {
		fault("Organisation is not subscribed to currency %s", v.currency)
	}
	rate, err := rational(e["CurrencyRate"])
	if err != nil || rate != nil && rate.Sign() <= 0 {
		fault("CurrencyRate is not valid")
	}
	v.rate = rate
	if rate == nil {
		v.rate, _ = rational("1")
	}
}
