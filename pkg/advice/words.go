// Package advice says why a run is held, was left out or failed, and what a person does
// about it: the same words on the pages, on the command line and in messages.
package advice

import "strings"

// Held is the reason why a run is held, in words. Of refused access it cannot know which
// side it was.
func Held(reason string) string {
	switch reason {
	case "auth":
		return "the shop or the ledger refuses access"
	case "address_refused":
		return "the shop's address is a private one, which towpath serve may not call"
	case "clock_skew":
		return "the clocks of the shop and of this machine differ by more than a token allows"
	case "module_missing":
		return "the shop's module is not installed, disabled or too old"
	case "https_required":
		return "the shop takes calls over https only"
	case "binding_revoked":
		return "its connection was revoked; raise it under the new one with towpath backfill, and cancel this"
	case "shop_no_answer":
		return "the shop takes calls and does not answer in time; it is asked again from time to time, and all goes on when it answers"
	case "ledger_no_answer":
		return "the ledger takes calls and does not answer in time; it is asked again from time to time, and all goes on when it answers"
	case "identity_no_answer":
		return "the server that gives out the ledger's tokens does not answer; it is asked again from time to time, and all goes on when it does"
	case "invoice_held":
		return "an earlier run of its document is held; this goes on when that one has"
	case "invoice_failed":
		return "its invoice failed; this waits until that is written"
	case "invoice_unknown":
		return "its invoice is neither known here nor found in the ledger"
	case "payment_method_not_mapped":
		return "the settings name no account for its payment method"
	case "document_not_approved":
		return "its document is a draft in the ledger, which takes neither payment nor credit"
	case "document_void":
		return "its document is voided or deleted in the ledger"
	case "amount_exceeds_due":
		return "it is more than is open on its document in the ledger"
	case "item_code_taken":
		return "its code is another product's in the ledger"
	case "missing_mapping":
		return "a setting that this document needs is missing"
	case "tax_rate_not_mapped":
		return "a tax rate of this document has no tax type in the settings"
	case "total_mismatch":
		return "the document would not come to the shop's total"
	case "number_taken":
		return "its number is taken by another document"
	case "period_locked":
		return "its date lies in a locked period"
	case "currency_not_enabled":
		return "its currency is not enabled in the ledger"
	case "account_archived":
		return "an account of the settings is archived"
	case "account_invalid":
		return "an account of the settings cannot be used on invoices"
	case "contact_archived":
		return "the contact is archived"
	case "contact_not_found":
		return "the contact is not known to this organisation"
	case "contact_number_taken":
		return "the contact's number is taken"
	case "contact_name_taken":
		return "the contact's name is taken"
	case "plan_limit":
		return "the plan's limit of invoices is reached"
	case "tax_type_invalid":
		return "a tax type of the settings cannot be used here"
	}
	return strings.ReplaceAll(reason, "_", " ")
}

// Skipped is the reason why policy left a document out, in words.
func Skipped(reason string) string {
	switch reason {
	case "unpaid_invoice":
		return "the invoice is not paid"
	case "zero_value_invoice":
		return "the invoice comes to zero"
	case "outside_sync_since":
		return "it is older than the start date"
	case "website_filtered":
		return "its website is not synced"
	case "store_filtered":
		return "its store is not synced"
	case "payment_method_not_mapped":
		return "its payment method is mapped to null, so the document is left open"
	case "zero_value_payment":
		return "no money changed hands"
	case "invoice_not_synced":
		return "its invoice is not synced"
	case "customers_not_synced":
		return "customers who have not bought yet are not synced"
	case "products_not_synced":
		return "products are not synced"
	case "PRODUCT_TYPE_NOT_SUPPORTED":
		return "this type of product is not supported"
	}
	return strings.ReplaceAll(reason, "_", " ")
}

// Failed is the end of a failed run in words, by its error_code and error_message.
func Failed(code, message string) string {
	if Unreadable(code, message) {
		return "The shop's answer cannot be read"
	}
	switch code {
	case "validation":
		return "Refused: the data was not accepted"
	case "not_found":
		return "The shop has no such document"
	case "auth":
		return "Access was refused"
	case "http", "provider", "rate_limited":
		return "Given up after all attempts"
	case "internal":
		return "Failed inside Towpath"
	case "":
		return "Failed"
	}
	return "Failed: " + strings.ReplaceAll(code, "_", " ")
}
