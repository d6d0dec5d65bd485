package dashboard

import (
	"fmt"
	"strings"
	"time"

	"towpath/pkg/provider/specs"
	"towpath/pkg/syncrun"
)

// This file says in plain words where a run stands: what waits for what, and
// what would move it.

// facts are what the words are made of.
type facts struct {
	Now                               time.Time
	EntityType, Provider              string
	Status, Stage                     string
	NextAttemptAt, PausedUntil        *time.Time
	HoldReason, SkipReason, ErrorCode *string
	ShopTold                          *string
	Reference                         *string
	Differs                           *differs
}

// sentence says where the run stands, without a full stop.
func (f facts) sentence() string {
	switch f.Status {
	case syncrun.Queued:
		return f.queued()
	case syncrun.Running:
		if f.Stage == "post" {
			return "Being written to " + f.ledger()
		}
		return "Reading the " + f.document() + " from the shop"
	case syncrun.Held:
		return "Waits: " + f.held()
	case syncrun.Succeeded:
		return f.done()
	case syncrun.Skipped:
		return "Left out on purpose: " + skipWords(text(f.SkipReason)) + f.shop()
	case syncrun.Failed:
		return errorWords(text(f.ErrorCode)) + f.shop()
	case syncrun.Cancelled:
		return "Cancelled" + f.shop()
	}
	return ""
}

func (f facts) queued() string {
	switch {
	case f.Stage == "post" && f.pause() != nil:
		return f.ledger() + " asked for a pause; every run of this connection waits"
	case f.Stage == "post" && f.waits():
		return "Waits to try " + f.ledger() + " again"
	case f.Stage == "post":
		return "Waits for a worker to write it to " + f.ledger()
	case f.waits():
		return "Waits to ask the shop again"
	}
	return "Waits for a worker to read the " + f.document() + " from the shop"
}

// pause is until when the ledger asked to be left alone; nil where that is over.
func (f facts) pause() *time.Time {
	if f.PausedUntil == nil || !f.PausedUntil.After(f.Now) {
		return nil
	}
	return f.PausedUntil
}

// waits reports whether the next attempt has a time that is still to come.
func (f facts) waits() bool { return f.NextAttemptAt != nil && f.NextAttemptAt.After(f.Now) }

func (f facts) done() string {
	said := "In " + f.ledger()
	if f.Reference != nil && *f.Reference != "" {
		said += " as " + *f.Reference
	}
	if f.Differs != nil {
		said += ", with other sums than were sent (" + f.Differs.words(f.ledger()) + ")"
	}
	return said + f.shop()
}

// shop is what the shop knows of the end.
func (f facts) shop() string {
	switch text(f.ShopTold) {
	case "pending":
		return "; the shop is being told"
	case "told":
		return "; the shop knows"
	case "given_up":
		return "; the shop could not be told"
	}
	return ""
}

func (f facts) held() string {
	reason := text(f.HoldReason)
	if reason == "auth" {
		if f.Stage == "fetch" {
			return "the shop refuses Towpath's key; pair the shop again: towpath tenant pair"
		}
		return f.ledger() + " refuses access; connect the organisation again (a fixed token: towpath binding token ID --token-file FILE)"
	}
	return holdWords(reason)
}

func (f facts) ledger() string { return specs.Title(f.Provider) }

func (f facts) document() string { return documentName(f.EntityType) }

func holdWords(reason string) string {
	switch reason {
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

func skipWords(reason string) string {
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

func errorWords(code string) string {
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

func statusName(status string) string {
	switch status {
	case syncrun.Skipped:
		return "Skipped"
	case "":
		return ""
	}
	return strings.ToUpper(status[:1]) + status[1:]
}

func documentName(entityType string) string {
	if entityType == "creditmemo" {
		return "credit memo"
	}
	return entityType
}

// title names a run by its document: "Invoice 100000042", or by the shop's id
// where the webhook told no number.
func title(entityType string, id int64, body []byte) string {
	name := documentName(entityType)
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	if number := documentNumber(body); number != "" {
		return name + " " + number
	}
	return fmt.Sprintf("%s #%d", name, id)
}

// happened is the event's second half: created, paid, upserted.
func happened(event string) string {
	_, what, _ := strings.Cut(event, ".")
	if what == "upserted" {
		return "saved"
	}
	return what
}

// stepName is a step of a run's history in plain words.
func stepName(step string) string {
	switch step {
	case "accept":
		return "Accepted"
	case "fetch":
		return "Read from shop"
	case "intend":
		return "Intent on record"
	case "post":
		return "Write to ledger"
	case "push":
		return "Tell shop"
	case "give_up":
		return "Gave up telling shop"
	case "retry":
		return "Retry"
	case "settings":
		return "Settings changed"
	case "blank":
		return "Personal data blanked"
	}
	return step
}

// retryLabel is what the button says; empty where there is nothing to retry.
func (f facts) retryLabel() string {
	switch f.Status {
	case syncrun.Failed, syncrun.Cancelled:
		return "Retry"
	case syncrun.Skipped:
		return "Retry under today's settings"
	case syncrun.Held:
		return "Retry now"
	case syncrun.Queued:
		if f.waits() {
			return "Retry now"
		}
	}
	return ""
}
