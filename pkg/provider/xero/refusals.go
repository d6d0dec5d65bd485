package xero

import (
	"errors"
	"slices"
	"strings"

	"towpath/pkg/provider"
)

// refusalRule knows one of Xero's validation texts: all of its words occur, in
// lower case.
type refusalRule struct {
	words   []string
	reason  string
	message string
}

// refusalRules are the validation texts that do not mean that the data is
// wrong: something outside has to change, or the document exists already. In
// order of importance; everything else is Refused in Xero's own words.
var refusalRules = []refusalRule{
	{[]string{"invoice #", "must be unique"}, reasonNumberTaken,
		"the invoice number is taken in Xero"},
	{[]string{"credit note #", "must be unique"}, reasonNumberTaken,
		"the credit note number is taken in Xero"},
	{[]string{"amount", "exceeds the"}, provider.HeldAmountExceedsDue,
		"less is open in Xero than was to be written"},
	{[]string{"only", "authorised documents"}, provider.HeldDocumentNotApproved,
		"the document is not approved in Xero: approve it there"},
	{[]string{"account type is invalid"}, reasonAccountInvalid,
		"the account of the mapping takes no payments: enable payments to it in Xero, or choose another in the settings"},
	{[]string{"another contact has this contact number"}, reasonContactTaken,
		"the contact number is taken in Xero"},
	{[]string{"contact name", "already assigned"}, reasonNameTaken,
		"the contact name is taken in Xero"},
	{[]string{"archived contact"}, reasonContactArchived,
		"the contact is archived in Xero: restore it there"},
	{[]string{"contact", "has been archived"}, reasonContactArchived,
		"the contact is archived in Xero: restore it there"},
	{[]string{"contact", "is archived"}, reasonContactArchived,
		"the contact is archived in Xero: restore it there"},
	{[]string{"lock date"}, reasonPeriodLocked,
		"the invoice's date lies in a period that is locked in Xero: move the lock date, or set the status to DRAFT"},
	{[]string{"not subscribed to currency"}, reasonCurrencyOff,
		"the invoice's currency is not enabled in Xero: add it under Settings, Currencies"},
	{[]string{"account code", "archived"}, reasonAccountArchived,
		"an account of the mapping is archived in Xero: restore it, or choose another account in the settings"},
	{[]string{"account code", "not a valid code"}, reasonAccountInvalid,
		"an account of the mapping cannot be used on invoices: choose another account in the settings"},
	{[]string{"limit of invoices"}, reasonPlanLimit,
		"the Xero plan's limit of approved invoices is reached: upgrade it, or set the status to DRAFT"},
	{[]string{"taxtype code"}, reasonTaxInvalid,
		"a tax type of the mapping cannot be used here: choose another in the settings' tax_rate_map"},
}

// refusal is the failure for what Xero's validation said of a write. Where several things
// are wrong the one that has to change outside goes first: the run is held and
// shows the rest, and the next look says what remains.
func refusal(said []string) *provider.Failure {
	f := refused("Xero refused the data")
	for _, r := range refusalRules {
		if slices.ContainsFunc(said, func(line string) bool { return r.fits(strings.ToLower(line)) }) {
			f = held(r.reason, r.message)
			break
		}
	}
	f.Wrote, f.KeySpent = provider.WroteNo, true
	f.Detail = clip(strings.Join(said, "; "), 2000)
	return f
}

func (r refusalRule) fits(lower string) bool {
	for _, w := range r.words {
		if !strings.Contains(lower, w) {
			return false
		}
	}
	return true
}

// held is a failure that goes on by itself once something outside changes.
func held(reason, message string) *provider.Failure {
	return provider.Hold(reason, message)
}

// hasKind reports whether err is a failure of that kind; an error that is none
// (a permit's own) is of no kind.
func hasKind(err error, kind provider.Kind) bool {
	var f *provider.Failure
	return errors.As(err, &f) && f.Kind == kind
}

// hasReason reports whether err is a failure with one of the reasons.
func hasReason(err error, reasons ...string) bool {
	if err == nil {
		return false
	}
	f := provider.AsFailure(err)
	for _, r := range reasons {
		if f.Reason == r {
			return true
		}
	}
	return false
}
