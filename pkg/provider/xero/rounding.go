package xero

import (
	"github.com/shopspring/decimal"

	"towpath/pkg/provider"
)

// rounding is the line that closes what is left between Xero's total of the
// lines and the shop's grand total; nil where nothing is left.
//
// It is always a line without tax on the organisation's ROUNDING account, also
// where the difference is one of tax (a header whose tax is not the sum of its
// rows'). The other way, changing a row's TaxAmount, would make a row say what
// the shop's invoice does not, and needs a choice of row; a line of its own is
// what accountants know, is found in one account, and is bounded by the
// policy's tolerance. The tax in Xero is then the sum of the shop's rows.
func (b *builder) rounding(t totals) (*line, error) {
	residue := b.inv.GrandTotal.Sub(t.total())
	if residue.IsZero() {
		return nil, nil
	}
	if residue.Abs().GreaterThan(b.pol.RoundingTolerance) || !residue.Equal(money(residue)) {
		return nil, held(reasonTotalMismatch, "the lines come to "+t.total().StringFixed(2)+" (net "+t.sub.StringFixed(2)+", tax "+
			t.tax.StringFixed(2)+") but the shop's grand total is "+number(b.inv.GrandTotal, 2).String()+": a difference of "+
			residue.String()+", more than rounding_tolerance "+b.pol.RoundingTolerance.StringFixed(2)+" allows")
	}
	account, ok := b.roundingAccount()
	if !ok {
		return nil, held(reasonMissingMapping, "the document needs a rounding line of "+residue.StringFixed(2)+
			" but Xero shows no active account with SystemAccount ROUNDING: restore the organisation's rounding account")
	}
	return &line{
		description: "Rounding", quantity: one, unit: residue, account: account.Code,
		rate: mappedRate{percent: decimal.NewNullDecimal(decimal.Zero), taxType: b.noTax(account)},
		why:  "the shop's grand total is not the sum of its rows",
	}, nil
}

func (b *builder) roundingAccount() (provider.Account, bool) {
	for _, a := range b.ref.Accounts {
		if a.SystemAccount == "ROUNDING" && a.Code != "" && (a.Status == "ACTIVE" || a.Status == "") {
			return a, true
		}
	}
	return provider.Account{}, false
}

// noTax is the type outside the scope of tax: NONE in every country's
// organisation; where the rates are known and it is not among them, what the
// rounding account itself has.
func (b *builder) noTax(account provider.Account) string {
	const none = "NONE"
	if b.ref.TaxRates == nil || account.TaxType == "" {
		return none
	}
	for _, rate := range b.ref.TaxRates {
		if rate.TaxType == none {
			return none
		}
	}
	return account.TaxType
}
