package metrics

import "slices"

// Other stands for every label value that is in no list.
const Other = "other"

// UnknownEvent is the event label of webhooks whose event is none of ours.
const UnknownEvent = "unknown"

// Events are the values of the label event, UnknownEvent aside.
func Events() []string {
	return []string{"invoice.created", "invoice.paid", "creditmemo.created", "customer.upserted", "product.upserted"}
}

// Refusals are the values of the label reason of refused requests: the codes of
// the ingress's problems.
func Refusals() []string {
	return []string{
		"malformed_request", "malformed_body", "unknown_event", "unknown_provider", "no_active_binding", "ambiguous_binding",
		"token_refused", "not_found", "method_not_allowed", "key_reused", "body_too_large", "unsupported_media_type",
		"clock_skew", "key_replaced", "body_incomplete", "database_unavailable", "overloaded", "shutting_down", "internal_error", "wrong_path",
	}
}

// WebhookCodes are the HTTP statuses that a webhook may be answered with.
func WebhookCodes() []string {
	return []string{"202", "400", "401", "409", "413", "415", "503"}
}

// Providers are the values of the label provider.
func Providers() []string { return []string{"xero", "freeagent"} }

// Outcomes are the ways in which a run ends.
func Outcomes() []string { return []string{"succeeded", "skipped_by_policy", "failed", "cancelled"} }

// SkipReasons are why policy leaves a document out.
func SkipReasons() []string {
	return []string{"unpaid_invoice", "zero_value_invoice", "outside_sync_since", "website_filtered", "store_filtered",
		"payment_method_not_mapped", "zero_value_payment", "invoice_not_synced", "customers_not_synced", "products_not_synced", "PRODUCT_TYPE_NOT_SUPPORTED"}
}

// ErrorCodes are the error codes that the shop is told, and cancelled.
func ErrorCodes() []string {
	return []string{"http", "provider", "rate_limited", "auth", "validation", "not_found", "internal", "cancelled"}
}

// Stages of a run: the outside touch that a job makes.
func Stages() []string { return []string{"fetch", "post", "push"} }

// JobKinds are the kinds of jobs in the queue.
func JobKinds() []string {
	return []string{"fetch_canonical", "post_invoice", "post_payment", "post_credit_note", "upsert_contact", "upsert_item", "push_sync_state"}
}

// JobStates are the states of jobs that are not finished.
func JobStates() []string {
	return []string{"available", "pending", "retryable", "running", "scheduled"}
}

// HoldReasons are why a run waits for something outside to change.
func HoldReasons() []string {
	return []string{
		"auth", "missing_mapping", "tax_rate_not_mapped", "total_mismatch", "period_locked",
		"plan_limit", "currency_not_enabled", "account_archived", "account_invalid", "tax_type_invalid",
		"contact_archived", "contact_not_found", "contact_number_taken", "contact_name_taken", "number_taken", "invoice_failed", "invoice_held",
		"invoice_unknown", "payment_method_not_mapped", "document_not_approved", "document_void", "amount_exceeds_due", "item_code_taken",
		"idempotency_conflict", "binding_revoked", "clock_skew", "module_missing", "https_required", "address_refused",
		"shop_no_answer", "ledger_no_answer", "identity_no_answer", "unknown",
	}
}

// Reasons are all codes and reasons by which runs are found.
func Reasons() []string {
	all := slices.Concat(ErrorCodes(), HoldReasons(), SkipReasons())
	slices.Sort(all)
	return slices.Compact(all)
}

// ProviderOperations are the calls to a ledger, over both wires.
func ProviderOperations() []string {
	return []string{
		"invoice_create", "invoice_find", "invoice_list", "invoice_send", "contact_create", "contact_find", "contact_list",
		"invoice_read", "credit_note_create", "credit_note_list", "credit_note_send", "credit_note_read", "contact_update",
		"payment_create", "payment_list", "allocation_create", "allocation_list", "credit_note_find", "item_upsert",
		"organisation", "accounts", "tax_rates", "currencies", "branding_themes", "tracking_categories",
		"company", "categories", "bank_accounts", "token", "connections",
	}
}

// ShopOperations are the calls to a shop.
func ShopOperations() []string {
	return []string{"ping", "payment_methods", "invoice", "payment", "creditmemo", "customer", "product", "sync_state", "pair"}
}

// RequestCodes are the outcomes of an outside call: HTTP statuses, a timeout,
// or any other failure to get an answer.
func RequestCodes() []string {
	return []string{"200", "201", "204", "400", "401", "403", "404", "409", "412", "422", "429",
		"500", "501", "502", "503", "504", "timeout", "error"}
}

// BudgetWindows are the windows of a provider's limits.
func BudgetWindows() []string { return []string{"minute", "hour", "day", "concurrent"} }

// VerifyChecks are the promises that are checked.
func VerifyChecks() []string {
	return []string{"queue_state", "told", "one_document", "one_customer", "own_contact", "one_number", "xref", "exact_totals", "intents"}
}

// closed is a list that label values are held to.
type closed map[string]bool

func closedList(values []string) closed {
	c := make(closed, len(values))
	for _, v := range values {
		c[v] = true
	}
	return c
}

func (c closed) value(v string) string {
	if c[v] {
		return v
	}
	return Other
}
