package xero

import (
	"github.com/shopspring/decimal"

	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// rounding is the line that takes up what rounding leaves between the lines and
// the shop's grand total: without tax, on the organisation's ROUNDING account,
// which is what accountants know. It is for amounts of more decimals than Xero
// has and nothing else: tax is put right on the lines, and what the total has
// beside them is explained or held before (package pricing).
func (b *builder) rounding(residue decimal.Decimal) (line, error) {
	account, ok := b.roundingAccount()
	if !ok {
		return line{}, held(reasonMissingMapping, "the document needs a rounding line of "+residue.StringFixed(2)+
			" but Xero shows no active account with SystemAccount ROUNDING: restore the organisation's rounding account")
	}
	return line{
		description: "Rounding", quantity: one, unit: residue, account: account.Code,
		rate: pricing.Rate{Percent: decimal.NewNullDecimal(decimal.Zero), Type: b.noTax(account)},
		why:  "the shop's amounts have more decimals than the ledger's, or miss each other by a rounding",
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

const noTaxType = "NONE"

// noTax is the type outside the scope of tax: NONE in every country's
// organisation; where the rates are known and it is not among them, what the
// account itself has.
func (b *builder) noTax(account provider.Account) string {
	if b.ref.TaxRates == nil || account.TaxType == "" {
		return noTaxType
	}
	for _, rate := range b.ref.TaxRates {
		if rate.TaxType == noTaxType {
			return noTaxType
		}
	}
	return account.TaxType
}
