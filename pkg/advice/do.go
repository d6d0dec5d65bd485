package advice

import (
	"strings"

	"towpath/pkg/provider"
)

// Unreadable reports whether a run failed over a shop's answer that cannot be read: its
// error_code is internal, as of faults of Towpath, and its error_message tells them apart.
func Unreadable(code, message string) bool {
	return code == provider.CodeInternal && strings.HasPrefix(message, theShops) && strings.Contains(message, provider.NotUnderstood)
}

const theShops = "The shop's "

// UnreadablePattern is Unreadable of a message as a pattern of SQL's LIKE.
const UnreadablePattern = theShops + "%" + provider.NotUnderstood + "%"

// FailedDo is what to mend before a failed run is retried; ledger is its name.
func FailedDo(code, message, ledger string) string {
	if Unreadable(code, message) {
		return "Mend what the message names in the shop: it is the shop's answer, mostly of a module's version or of another extension."
	}
	switch code {
	case "validation":
		return "Mend what it says, in the shop or in " + ledger + "."
	case "not_found":
		return "If the shop deleted the document, nothing has to be done; if not, make the shop show it."
	case "auth":
		return "Connect " + ledger + " or pair the shop again: Connections says which."
	case "http", "provider", "rate_limited":
		return "Wait until the other side answers again."
	}
	return "Report it with its message and detail: this is a fault of Towpath."
}

// HeldDo is what lets runs go on that are held for a reason.
func HeldDo(reason string) string {
	switch reason {
	case "address_refused":
		return "Set TOWPATH_ALLOW_PRIVATE_URLS in the environment of towpath serve and restart it; or correct the address."
	case "clock_skew":
		return "Set the clocks of both machines by NTP."
	case "module_missing":
		return "Install or enable the module in the shop."
	case "https_required":
		return "Change the shop's address to https:// (towpath tenant change)."
	case "auth":
		return "Open Connections or ask towpath doctor: what has to be connected or paired again is said there."
	case "binding_revoked":
		return "Raise these documents under the shop's new connection with towpath backfill, then cancel these runs."
	case "shop_no_answer":
		return "See to the shop's server if it stays so. Nothing else has to be done."
	case "ledger_no_answer", "identity_no_answer":
		return "See to the ledger's status page if it stays so. Nothing else has to be done."
	case "invoice_held":
		return "See to the run that comes first: these follow by themselves."
	case "invoice_failed":
		return "Mend and retry the invoice's run; or cancel these if the invoice is not to be synced."
	case "invoice_unknown":
		return "Raise the invoice with towpath backfill; or cancel these if it is not to be synced."
	case "payment_method_not_mapped":
		return "Add the payment method to payment_method_map in the settings, with an account, or null to leave such documents open."
	case "document_not_approved":
		return "Approve the document in the ledger."
	case "document_void":
		return "Restore the document in the ledger; or cancel these runs if it is meant to be void."
	case "amount_exceeds_due":
		return "Look in the ledger for another payment on the document and remove it, or cancel these runs."
	case "item_code_taken":
		return "Change the item's code in the ledger, or the product's SKU in the shop."
	case "missing_mapping":
		return "Add the setting that the run's message names."
	case "tax_rate_not_mapped":
		return "Add the rate that the run's message names to tax_rate_map in the settings."
	case "total_mismatch":
		return "The run's message has both sums: compare the document's lines in the shop with its total."
	case "number_taken":
		return "Set invoice_number_prefix in the settings; or rename the document in the ledger that has the number."
	case "period_locked":
		return "Move the lock date in the ledger; or cancel these runs."
	case "currency_not_enabled":
		return "Enable the currency in the ledger."
	case "account_archived":
		return "Restore the account in the ledger, or name another in the settings."
	case "account_invalid":
		return "Name another account in the settings: this one takes no invoices."
	case "contact_archived":
		return "Restore the contact in the ledger."
	case "contact_not_found", "contact_number_taken", "contact_name_taken":
		return "The run's message names the contact, and what to change about it in the ledger."
	case "plan_limit":
		return "Raise the ledger's plan, or wait for the next month."
	case "tax_type_invalid":
		return "Name another tax type in the settings: the ledger does not take this one."
	}
	return "The run's message says what is missing."
}
