package provider

// The reasons why a document is held, whichever ledger it is meant for.
const (
	HeldPeriodLocked     = "period_locked"
	HeldCurrencyOff      = "currency_not_enabled"
	HeldAccountArchived  = "account_archived"
	HeldAccountInvalid   = "account_invalid"
	HeldContactArchived  = "contact_archived"
	HeldContactGone      = "contact_not_found"
	HeldContactTaken     = "contact_number_taken"
	HeldNameTaken        = "contact_name_taken"
	HeldPlanLimit        = "plan_limit"
	HeldTaxInvalid       = "tax_type_invalid"
	HeldTaxRateNotMapped = "tax_rate_not_mapped"
	HeldMissingMapping   = "missing_mapping"
	HeldTotalMismatch    = "total_mismatch"
	HeldNumberTaken      = "number_taken"
	HeldInvoiceFailed    = "invoice_failed" // what follows an invoice waits for it
	HeldInvoiceHeld      = "invoice_held"   // so too where it is held itself

	// Calls to somebody's server have timed out, several in a row: its partition waits for
	// one to be answered.
	HeldShopNoAnswer     = "shop_no_answer"
	HeldLedgerNoAnswer   = "ledger_no_answer"
	HeldIdentityNoAnswer = "identity_no_answer" // which gives out the ledger's tokens

	// Of what follows an invoice.
	HeldInvoiceUnknown      = "invoice_unknown"           // neither known here nor found in the ledger
	HeldMethodNotMapped     = "payment_method_not_mapped" // no account for the money
	HeldDocumentNotApproved = "document_not_approved"     // a draft takes no payment and no credit
	HeldDocumentVoid        = "document_void"             // nor does what was voided, deleted or written off
	HeldAmountExceedsDue    = "amount_exceeds_due"        // more was paid than is open, beyond the tolerance
	HeldItemCodeTaken       = "item_code_taken"           // another product has the code
)

// Hold is a failure that goes on by itself once something outside changes.
func Hold(reason, message string) *Failure {
	return &Failure{Kind: Held, Code: HoldCode(reason), Reason: reason, Message: message}
}

// HoldCode is the error_code of a hold reason, the same for every ledger:
// validation where the settings have to say more of the shop's document,
// provider where the ledger has to change.
func HoldCode(reason string) string {
	switch reason {
	case HeldTaxRateNotMapped, HeldMissingMapping, HeldTotalMismatch, HeldNumberTaken, HeldContactTaken,
		HeldMethodNotMapped, HeldAmountExceedsDue, HeldItemCodeTaken:
		return CodeValidation
	}
	return CodeProvider
}

// CircuitOpens is how many calls in a row a server may leave unanswered before its
// circuit opens: a shop's, a ledger's (riverjobs) and an identity server's (pkg/oauth).
const CircuitOpens = 3
