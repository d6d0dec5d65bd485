package xero

import (
	"strconv"
	"strings"
	"time"

	"towpath/pkg/provider"
)

// Preflight checks against the cached reference data, before a document is posted: a
// known lock date or archived account costs no call, and the merchant reads what to
// do. What is not known is not checked here; Xero refuses it itself.

const draft = "DRAFT"

// status is what the document is to be in Xero.
func (b *builder) status() string {
	if b.pol.InvoiceStatus == "" {
		return "AUTHORISED"
	}
	return b.pol.InvoiceStatus
}

// date is the day of the invoice where the organisation is.
func (b *builder) date() time.Time {
	return b.inv.CreatedAt.In(location(b.ref.Organisation.Timezone))
}

// checkPeriod holds what lies in a locked period: on the later of the two lock
// dates or before. A draft posts nothing to the ledger, so Xero takes it there;
// one to be approved later (SUBMITTED) is treated as if it were.
func (b *builder) checkPeriod() error {
	if b.status() == draft {
		return nil
	}
	return checkDay(b.date().Format(time.DateOnly), "the "+b.what, ", or set xero_invoice_status_default to DRAFT", b.ref.Organisation)
}

// checkDay holds what is dated on the later of the two lock dates or before. or is
// what else may be done than to move that.
func checkDay(day, what, or string, org provider.Organisation) error {
	locked, name := org.PeriodLockDate, "period lock date"
	if org.EndOfYearLockDate > locked {
		locked, name = org.EndOfYearLockDate, "end of year lock date"
	}
	if locked == "" || day > locked {
		return nil
	}
	return held(reasonPeriodLocked, what+" is dated "+day+", but Xero takes nothing dated "+locked+" or before ("+name+
		"): move the lock date in Xero (Financial settings)"+or+goesOn)
}

// goesOn ends a message about something that a person has to change elsewhere.
const goesOn = "; then this goes on by itself"

// checkMapping holds lines on accounts and tax types that Xero would refuse.
func (b *builder) checkMapping(lines []line) error {
	for _, l := range lines {
		if err := b.checkAccount(l.account); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if l.rate.Type == noTaxType {
			continue // not of the settings
		}
		if err := b.checkTaxType(l.rate.Type); err != nil {
			return err
		}
	}
	return nil
}

// checkAccount: an account that is shown in any other state than archived or
// deleted may be used, as far as is known.
func (b *builder) checkAccount(code string) error {
	if b.ref.Accounts == nil {
		return nil
	}
	archived := ""
	for _, a := range b.ref.Accounts {
		switch {
		case a.Code != code, a.Status == "DELETED":
		case a.Status == "ARCHIVED":
			archived = "account " + strconv.Quote(code) + " (" + a.Name + ")"
		default:
			return nil
		}
	}
	if archived != "" {
		return held(reasonAccountArchived, archived+" of the settings is archived in Xero: restore it there (Chart of accounts, Archive), or choose another in the settings"+goesOn)
	}
	return held(reasonAccountInvalid, "account "+strconv.Quote(code)+" of the settings is not in Xero's chart of accounts: choose another in the settings, or add it in Xero"+goesOn)
}

// checkTaxType wants a type that Xero lists as active.
func (b *builder) checkTaxType(taxType string) error {
	if b.ref.TaxRates == nil {
		return nil
	}
	state := "not among Xero's tax rates"
	for _, rate := range b.ref.TaxRates {
		if rate.TaxType != taxType {
			continue
		}
		if rate.Status == "ACTIVE" || rate.Status == "" {
			return nil
		}
		state = strings.ToLower(rate.Status) + " in Xero"
	}
	return held(reasonTaxInvalid, "tax type "+strconv.Quote(taxType)+" of the settings is "+state+
		": choose another in tax_rate_map or default_xero_tax_type, or make it active in Xero (Tax rates)"+goesOn)
}
