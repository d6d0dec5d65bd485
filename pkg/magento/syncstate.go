package magento

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// EntityType is a kind of document that the shop keeps a state for.
type EntityType string

// The entity types of the contract.
const (
	EntityInvoice    EntityType = "invoice"
	EntityCreditMemo EntityType = "creditmemo"
	EntityCustomer   EntityType = "customer"
	EntityProduct    EntityType = "product"
)

// EndState is how a document ended. There is no pending: that one is the
// shop's own, and it refuses it from us.
type EndState uint8

// The end states; the zero value is none.
const (
	Synced EndState = iota + 1
	Skipped
	Failed
)

// String is the word of the contract.
func (s EndState) String() string {
	switch s {
	case Synced:
		return "synced"
	case Skipped:
		return "skipped"
	case Failed:
		return "failed"
	}
	return "none"
}

// SyncState is what the shop shows beside a document. Empty texts are sent as
// null; longer ones than the shop keeps are cut to 64 characters.
type SyncState struct {
	EntityType        EntityType
	EntityID          int64
	Provider          string // xero, freeagent
	Status            EndState
	ProviderEntityID  string
	ProviderReference string
	SkipReason        string
	ErrorCode         string
	LastSyncAt        time.Time // when the document ended: the same in every attempt
}

// syncStateBody is the wire's form.
type syncStateBody struct {
	EntityType        EntityType `json:"entity_type"`
	EntityID          int64      `json:"magento_entity_id"`
	Provider          string     `json:"provider"`
	Status            string     `json:"sync_status"`
	ProviderEntityID  *string    `json:"provider_entity_id"`
	ProviderReference *string    `json:"provider_reference"`
	SkipReason        *string    `json:"skip_reason"`
	ErrorCode         *string    `json:"error_code"`
	LastSyncAt        string     `json:"last_sync_at"`
}

// shopField is the width of the shop's columns, in characters.
const shopField = 64

// PushSyncState tells the shop how a document ended. The shop keeps the last
// value, so the same value may be sent again and any doubt is temporary: if the
// answer is lost, the shop may or may not have it, and the repeat settles it.
// The caller keeps the order of different values for one document.
func (c *Client) PushSyncState(ctx context.Context, s SyncState) error {
	if err := s.check(); err != nil {
		return err
	}
	a, err := c.call(ctx, request{operation: OpSyncState, method: http.MethodPost, path: "/sync-state", body: s.body()})
	if err != nil {
		return err
	}
	if a.cut != nil || bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")) { // a page that answers 200 to everything
		return a.temporary("The shop's answer is not its module's; it may be in maintenance", a.said(), c.cfg.Now())
	}
	return nil
}

func (s SyncState) check() error {
	switch {
	case s.EntityID <= 0:
		return bug(fmt.Sprintf("sync state of %s %d", s.EntityType, s.EntityID))
	case s.Status < Synced || s.Status > Failed:
		return bug("sync state without an end")
	case s.Provider == "" || s.LastSyncAt.IsZero():
		return bug("sync state without provider or time")
	}
	switch s.EntityType {
	case EntityInvoice, EntityCreditMemo, EntityCustomer, EntityProduct:
		return nil
	}
	return bug(fmt.Sprintf("sync state of an unknown entity type %q", s.EntityType))
}

func (s SyncState) body() syncStateBody {
	return syncStateBody{
		EntityType:        s.EntityType,
		EntityID:          s.EntityID,
		Provider:          s.Provider,
		Status:            s.Status.String(),
		ProviderEntityID:  shopText(s.ProviderEntityID),
		ProviderReference: shopText(s.ProviderReference),
		SkipReason:        shopText(s.SkipReason),
		ErrorCode:         shopText(s.ErrorCode),
		LastSyncAt:        s.LastSyncAt.UTC().Format(time.RFC3339),
	}
}

// shopText cuts a text to what the shop's column holds, nil for none.
func shopText(text string) *string {
	if text == "" {
		return nil
	}
	runes := []rune(strings.ToValidUTF8(text, "�"))
	text = string(runes[:min(len(runes), shopField)])
	return &text
}
