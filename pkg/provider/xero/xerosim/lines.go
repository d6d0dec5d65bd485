package xerosim

import (
	"fmt"
	"math/big"
	"unicode/utf8"
)

// soldLine is a line as Xero keeps it.
type soldLine struct {
	id, description, account, taxType, item string
	quantity, unit, discount                *big.Rat
	amount, tax                             *big.Rat
	tracking                                []fields
}

// lineReader turns the lines of one invoice into sold lines and gathers what
// Xero would say against them.
type lineReader struct {
	org       *organisation
	sim       *Sim
	decimals  int  // of UnitAmount: 2, or 4 with unitdp=4
	complete  bool // SUBMITTED or AUTHORISED: every line needs everything
	inclusive bool
	noTax     bool
	faults    []string
}

func (r *lineReader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *lineReader) read(raw any) []soldLine {
	list, ok := raw.([]any)
	if raw != nil && !ok {
		r.fault("LineItems must be a list")
	}
	var lines []soldLine
	for i, item := range list {
		element, ok := item.(map[string]any)
		if !ok {
			r.fault("Line item %d is not an object", i+1)
			continue
		}
		lines = append(lines, r.line(element))
	}
	if r.complete && len(lines) == 0 {
		r.fault("One or more line items must be specified")
	}
	return lines
}

func (r *lineReader) line(raw map[string]any) soldLine {
	l := soldLine{id: r.sim.guid(), description: stringOf(raw["Description"])}
	if n := utf8.RuneCountInString(l.description); n > 4000 || n == 0 && (r.complete || raw["Description"] != nil) {
		r.fault("Description must be between 1 and 4000 characters")
	}
	if l.item = stringOf(raw["ItemCode"]); l.item != "" && r.sim.itemBy(l.item) == nil {
		r.fault("Item code '%s' is not valid", l.item)
	}
	r.money(&l, raw)
	r.accountOf(&l, raw)
	r.taxOf(&l, raw)
	r.trackingOf(&l, raw)
	return l
}

func (r *lineReader) number(raw map[string]any, name string) *big.Rat {
	n, err := rational(raw[name])
	if err != nil {
		r.fault("%s: %s", name, err)
	}
	return n
}

// money computes the line's amount: quantity to four decimals, unit amount to
// two or four first, then quantity x unit less the discount, to two.
func (r *lineReader) money(l *soldLine, raw map[string]any) {
	quantity, unit, given := r.number(raw, "Quantity"), r.number(raw, "UnitAmount"), r.number(raw, "LineAmount")
	rate, discount := r.number(raw, "DiscountRate"), r.number(raw, "DiscountAmount")
	if r.complete && (quantity == nil || unit == nil) {
		r.fault("Quantity and UnitAmount must be specified")
	}
	if len(stringOf(raw["Quantity"])) > 13 {
		r.fault("Quantity must not exceed 13 characters")
	}
	l.quantity, l.unit = rounded(orZero(quantity), 4), rounded(orZero(unit), r.decimals)
	gross := new(big.Rat).Mul(l.quantity, l.unit)
	net := gross
	switch {
	case rate != nil && discount != nil:
		r.fault("Only one of DiscountRate and DiscountAmount may be specified")
	case rate != nil:
		keep := new(big.Rat).Sub(big.NewRat(100, 1), rounded(rate, 2))
		net = new(big.Rat).Mul(gross, keep.Quo(keep, big.NewRat(100, 1)))
	case discount != nil:
		l.discount = rounded(discount, 2)
		if l.discount.Sign() < 0 || l.discount.Sign() > 0 && l.discount.Cmp(gross) > 0 {
			r.fault("Discount must not be greater than the line total")
		}
		net = new(big.Rat).Sub(gross, l.discount)
	}
	l.amount = rounded(net, 2)
	if given != nil && given.Cmp(l.amount) != 0 {
		r.fault("The line total %s does not match the expected line total %s", decimalText(given), decimalText(l.amount))
	}
	if new(big.Rat).Abs(l.amount).Cmp(big.NewRat(999999999999, 100)) > 0 {
		r.fault("LineAmount is out of range")
	}
}

func (r *lineReader) accountOf(l *soldLine, raw map[string]any) {
	l.account = stringOf(raw["AccountCode"])
	if l.account == "" {
		if r.complete {
			r.fault("Account code must be specified")
		}
		return
	}
	a := r.org.account(l.account)
	switch {
	case a == nil, a.kind == "BANK", a.system == "DEBTORS", a.system == "CREDITORS":
		r.fault("Account code '%s' is not a valid code for this document.", l.account)
	case a.status != "ACTIVE":
		r.fault("Account code '%s' has been archived, or has been deleted. Each line item must reference a valid account", l.account)
	}
}

// taxOf takes TaxAmount as it is; without one it computes it from the type,
// which without one is the account's.
func (r *lineReader) taxOf(l *soldLine, raw map[string]any) {
	l.tax = new(big.Rat)
	l.taxType = stringOf(raw["TaxType"])
	if l.taxType == "" {
		if a := r.org.account(l.account); a != nil {
			l.taxType = a.taxType
		}
	}
	rate := r.org.rate(l.taxType)
	switch {
	case l.taxType == "" && !r.complete:
		return
	case rate == nil || rate.status != "ACTIVE":
		r.fault("The TaxType code '%s' does not exist or cannot be used with this type of transaction.", l.taxType)
		return
	case !rate.revenue:
		r.fault("The TaxType code '%s' cannot be used with account code '%s'.", l.taxType, l.account)
	}
	given := r.number(raw, "TaxAmount")
	switch {
	case r.noTax:
		l.taxType = "NONE"
	case given != nil:
		l.tax = rounded(given, 2)
	case r.inclusive:
		whole := new(big.Rat).Add(big.NewRat(100, 1), rate.percent)
		l.tax = rounded(new(big.Rat).Mul(l.amount, new(big.Rat).Quo(rate.percent, whole)), 2)
	default:
		l.tax = rounded(new(big.Rat).Mul(l.amount, new(big.Rat).Quo(rate.percent, big.NewRat(100, 1))), 2)
	}
}

func (r *lineReader) trackingOf(l *soldLine, raw map[string]any) {
	list, _ := raw["Tracking"].([]any)
	if len(list) > 2 {
		r.fault("A line item can have at most 2 tracking categories")
	}
	for _, item := range list {
		t, _ := item.(map[string]any)
		name, option := stringOf(t["Name"]), stringOf(t["Option"])
		if !r.org.tracks(name, option) {
			r.fault("The tracking category '%s' with option '%s' does not exist", name, option)
		}
		l.tracking = append(l.tracking, fields{"Name": name, "Option": option})
	}
}

func (s *Sim) showLine(l soldLine) fields {
	f := fields{
		"LineItemID": l.id, "Description": l.description, "Quantity": s.num(l.quantity), "UnitAmount": s.num(l.unit),
		"LineAmount": s.num(l.amount), "TaxAmount": s.num(l.tax), "TaxType": l.taxType, "AccountCode": l.account, "Tracking": l.tracking,
	}
	if l.tracking == nil {
		f["Tracking"] = []fields{}
	}
	if l.item != "" {
		f["ItemCode"] = l.item
	}
	if l.discount != nil {
		f["DiscountAmount"] = s.num(l.discount)
	}
	return f
}

func orZero(r *big.Rat) *big.Rat {
	if r == nil {
		return new(big.Rat)
	}
	return r
}

func stringOf(raw any) string {
	if raw == nil {
		return ""
	}
	return fmt.Sprint(raw)
}
