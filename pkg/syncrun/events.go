package syncrun

import "strconv"

// An event kind of the contract, section 2.
type eventKind struct {
	entityType string
	again      bool // comes again under the same key: a later occurred_at is a new change
}

func kindOf(event string) (eventKind, bool) {
	switch event {
	case "invoice.created", "invoice.paid":
		return eventKind{entityType: "invoice"}, true
	case "creditmemo.created":
		return eventKind{entityType: "creditmemo"}, true
	case "customer.upserted":
		return eventKind{entityType: "customer", again: true}, true
	case "product.upserted":
		return eventKind{entityType: "product", again: true}, true
	}
	return eventKind{}, false
}

// Events of the contract, all that the ingress accepts.
func Events() []string {
	return []string{"invoice.created", "invoice.paid", "creditmemo.created", "customer.upserted", "product.upserted"}
}

// KnownEvent reports whether event is one of the contract's.
func KnownEvent(event string) bool {
	_, ok := kindOf(event)
	return ok
}

// EntityType is what an event is about: invoice, creditmemo, customer or
// product; empty for an unknown event.
func EntityType(event string) string {
	kind, _ := kindOf(event)
	return kind.entityType
}

// lane names the document whose runs go one after another. A credit memo's
// invoice is not known before it is fetched, so it has a lane of its own.
func lane(entityType string, id int64) string {
	return entityType + ":" + strconv.FormatInt(id, 10)
}
