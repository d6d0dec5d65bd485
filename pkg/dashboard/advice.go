package dashboard

// This file says what a person does about runs that are held or failed: one imperative
// sentence a reason.

// failedAdvice is what to mend before a failed run is retried.
func failedAdvice(code, ledger string) string {
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
	return "Report it with the words above: this is a fault of Towpath."
}

// heldWords is the reason in words, as a sentence without a full stop; of refused access
// it cannot know which side it was.
func heldWords(reason string) string {
	if reason == "auth" {
		return "the shop or the ledger refuses access"
	}
	return holdWords(reason)
}

func heldAdvice(reason string) string {
	switch reason {
	case "auth":
		return "Open Connections: what has to be connected or paired again is said there."
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
		return "Open a run: its message names the setting. Add it."
	case "tax_rate_not_mapped":
		return "Add the rate to tax_rate_map in the settings; a run's message names it."
	case "total_mismatch":
		return "Open a run: its message has both sums. Compare the document's lines in the shop with its total."
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
		return "Open a run: its message names the contact, and what to change about it in the ledger."
	case "plan_limit":
		return "Raise the ledger's plan, or wait for the next month."
	case "tax_type_invalid":
		return "Name another tax type in the settings: the ledger does not take this one."
	}
	return "Open a run: its message says what is missing."
}
