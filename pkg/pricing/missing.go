package pricing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// missingRate is for a tax that no rate of the settings explains. It advises to map a
// rate that the ledger has if with it the whole document can be read; else it says
// which percentage the tax is, where all that the document shows leaves only one.
func missingRate(items []item, u unexplained, rates Rates, off beside) error {
	it := u.item
	what := "tax " + amount(it.tax) + " on " + amount(it.base(afterDiscount, decimal.Zero)) + ", " + it.describe()
	if it.base(u.basis, decimal.Zero).IsZero() && !it.tax.IsZero() {
		return provider.Hold(provider.HeldTaxRateNotMapped, "no tax rate explains a tax without an amount ("+what+")")
	}
	usable, word := ledgersAnswer(items, u, rates, off)
	return rateAdvice(what, named(usable, word), impliedPercents(items, rates, off), rates)
}

// ledgersAnswer are the rates of the ledger each of which, once mapped, makes the
// document readable; of several those whose reading is best. Where it takes more than
// one rate, those that the reading by all of the ledger's uses.
func ledgersAnswer(items []item, u unexplained, rates Rates, off beside) (usable []Rate, word string) {
	var answers []answer
	for _, r := range rates.Ledger {
		if a, ok := answerWith(items, rates, off, r); ok {
			answers = append(answers, a)
		}
	}
	if len(answers) == 0 && u.count > 1 {
		if a, ok := answerWith(items, rates, off, rates.Ledger...); ok {
			return a.newRates(rates), " and "
		}
	}
	slices.SortStableFunc(answers, answer.compare)
	for _, a := range answers {
		if a.compare(answers[0]) == 0 {
			usable = append(usable, a.added)
		}
	}
	return usable, " or "
}

// answer is the document read with a rate that the settings do not have.
type answer struct {
	reading
	added Rate
	class int             // of the worst fit of the added rate
	off   decimal.Decimal // of that
}

func (a answer) compare(other answer) int {
	return cmp.Or(first(a.settled(), other.settled()), cmp.Compare(a.class, other.class), a.off.Cmp(other.off), a.reading.compare(other.reading))
}

func answerWith(items []item, rates Rates, off beside, added ...Rate) (answer, bool) {
	with := Rates{Known: slices.Clone(rates.Known), Zero: rates.Zero}
	for i, r := range added {
		if r.positive() && !has(with.Known, r) {
			with.Known = append(with.Known, r)
		}
		if with.Zero == nil && r.Percent.Valid && r.Percent.Decimal.IsZero() {
			with.Zero = &added[i]
		}
	}
	if len(with.Known) == len(rates.Known) && with.Zero == rates.Zero {
		return answer{}, false
	}
	r, _, failed := read(items, with, off)
	if failed != nil {
		return answer{}, false
	}
	a := answer{reading: r, added: added[0]}
	for _, t := range r.items {
		if t.split != nil || has(rates.Known, t.rate) || !t.rate.positive() || t.tax.IsZero() {
			continue
		}
		f, _ := t.explainedBy(&t.rate, r.basis)
		if a.class = max(a.class, f.class); f.off.GreaterThan(a.off) {
			a.off = f.off
		}
	}
	return a, a.class <= byUnit
}

// newRates are those that the settings do not have, in the items' order.
func (a answer) newRates(rates Rates) []Rate {
	var list []Rate
	for _, t := range a.items {
		isNew := t.rate.Percent.Valid && !has(rates.Known, t.rate) && (t.rate.positive() || rates.Zero == nil)
		if t.split == nil && isNew && !has(list, t.rate) {
			list = append(list, t.rate)
		}
	}
	return list
}

func has(list []Rate, rate Rate) bool {
	return slices.ContainsFunc(list, func(r Rate) bool {
		return r.Percent.Valid && rate.Percent.Valid && r.Percent.Decimal.Equal(rate.Percent.Decimal)
	})
}

// impliedPercents are the percentages that the unexplained taxes can have: one for
// each basis under which the document, read with it, leaves nothing of the grand
// total; where that is none, those of all bases.
func impliedPercents(items []item, rates Rates, off beside) []decimal.Decimal {
	var settled, all []decimal.Decimal
	add := func(to *[]decimal.Decimal, percent decimal.Decimal) {
		if !slices.ContainsFunc(*to, percent.Equal) {
			*to = append(*to, percent)
		}
	}
	for _, b := range basesOf(items) {
		percent, ok := impliedBy(items, b, rates)
		if !ok {
			continue
		}
		add(&all, percent)
		guess := Rates{Known: append(slices.Clone(rates.Known), Rate{Percent: decimal.NewNullDecimal(percent)}), Zero: rates.Zero}
		r, failed := readBy(b, items, guess)
		if failed != nil {
			continue
		}
		if r.compensate(off.residue); r.settled() {
			add(&settled, percent)
		}
	}
	if len(settled) > 0 {
		return settled
	}
	return all
}

// impliedBy is the percentage of the item of the most tax that no known rate explains.
func impliedBy(items []item, b basis, rates Rates) (percent decimal.Decimal, ok bool) {
	var of *item
	for i, it := range items {
		if len(it.fits(b, rates)) == 0 && (of == nil || it.tax.GreaterThan(of.tax)) {
			of = &items[i]
		}
	}
	if of == nil {
		return decimal.Zero, false
	}
	if b == withTax && !of.discount.IsZero() {
		return of.impliedWithTax()
	}
	return plainest(of.base(b, decimal.Zero), of.tax)
}

// impliedWithTax is the percentage by which the tax is right on a net that itself
// depends on it: each step takes the net of the last, from the undiscounted one on.
func (it item) impliedWithTax() (percent decimal.Decimal, ok bool) {
	for range 40 {
		base := it.base(withTax, percent)
		if !base.IsPositive() {
			base = it.gross
		}
		if !base.IsPositive() {
			return decimal.Zero, false
		}
		next := it.tax.Shift(2).DivRound(base, 8)
		if next.GreaterThan(hundred) {
			return decimal.Zero, false
		}
		if next.Sub(percent).Abs().LessThan(smallest) {
			break
		}
		percent = next
	}
	return plainest(it.base(withTax, percent), it.tax)
}

func chargeRateMissing(net, tax decimal.Decimal, rates Rates, certain bool) error {
	what := "tax " + amount(tax) + " on " + amount(net) + ", a charge that no line shows"
	var usable []Rate
	var implied []decimal.Decimal
	if certain {
		for _, r := range rates.Ledger {
			if r.positive() && net.Mul(r.Percent.Decimal).Shift(-2).Sub(tax).Abs().LessThanOrEqual(halfPenny) {
				usable = append(usable, r)
			}
		}
		if percent, ok := plainest(net, tax); ok {
			implied = append(implied, percent)
		}
	}
	return rateAdvice(what, named(usable, " or "), implied, rates)
}

// rateAdvice says what to map. A percentage is named only if it is known.
func rateAdvice(what, usable string, implied []decimal.Decimal, rates Rates) error {
	percent := "a rate that the document does not tell"
	switch len(implied) {
	case 0:
	case 1:
		percent = "about " + percentText(implied[0]) + " %"
	default:
		var texts []string
		for _, p := range implied {
			texts = append(texts, percentText(p)+" %")
		}
		percent = strings.Join(texts, " or ") + ", by how the discount was taken"
	}
	if usable != "" {
		if len(implied) == 0 {
			what = "for it (" + what
		} else {
			what = "for " + percent + " (" + what
		}
		return provider.Hold(provider.HeldTaxRateNotMapped, "no tax type is mapped "+what+"): add "+usable+" to tax_rate_map in the settings")
	}
	if rates.Ledger == nil && len(implied) == 1 {
		text := percentText(implied[0])
		return provider.Hold(provider.HeldTaxRateNotMapped, "no tax type is mapped for "+text+" % ("+what+"): add \""+text+"\" to tax_rate_map in the settings")
	}
	if rates.Ledger == nil {
		return provider.Hold(provider.HeldTaxRateNotMapped, "no tax type is mapped for this tax ("+what+", "+percent+
			"): add the shop's rate to tax_rate_map in the settings")
	}
	return provider.Hold(provider.HeldTaxRateNotMapped, "no one tax rate of the settings or of the ledger explains this tax ("+what+", "+percent+
		"): make a rate for it in the ledger and map it in tax_rate_map, or correct the tax in the shop")
}

// named are rates as keys of tax_rate_map, with the ledger's types; three at most.
func named(list []Rate, word string) string {
	var texts []string
	for _, r := range list[:min(len(list), 3)] {
		text := "\"" + percentText(r.Percent.Decimal) + "\""
		if r.Type != "" {
			text += " (" + r.Type + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, word)
}

// plainest is the percentage with the fewest decimals that gives tax on base.
func plainest(base, tax decimal.Decimal) (decimal.Decimal, bool) {
	if !base.IsPositive() || tax.IsNegative() {
		return decimal.Zero, false
	}
	exact := tax.Shift(2).DivRound(base, 8)
	for decimals := int32(0); decimals < 4; decimals++ {
		percent := exact.Round(decimals)
		if base.Mul(percent).Shift(-2).Sub(tax).Abs().LessThanOrEqual(halfPenny) {
			exact = percent
			break
		}
	}
	exact = exact.Round(4)
	return exact, exact.LessThanOrEqual(hundred)
}
