package policy

// SkipInvoiceNotSynced: what follows an invoice that is not in the ledger.
const SkipInvoiceNotSynced = "invoice_not_synced"

// InvoiceNotSynced leaves out what follows an invoice that was left out itself; status
// is that of its run.
func InvoiceNotSynced(number, status string) Decision {
	return outcome(Skip, SkipInvoiceNotSynced, Rule{"invoice", true, "its invoice " + number + " was not synced (" + status + ")"})
}
