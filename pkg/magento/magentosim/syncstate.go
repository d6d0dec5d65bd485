package magentosim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// chipKey is the shop's key of a sync state: one per document and provider.
type chipKey struct {
	entity
	provider string
}

// Chip is the sync state beside a document. The zero value is no chip.
type Chip struct {
	Status            string    `json:"status"` // pending, synced, skipped, failed
	ProviderEntityID  string    `json:"provider_entity_id"`
	ProviderReference string    `json:"provider_reference"`
	SkipReason        string    `json:"skip_reason"`
	ErrorCode         string    `json:"error_code"`
	LastSyncAt        time.Time `json:"last_sync_at"` // as told
	ChangedAt         time.Time `json:"changed_at"`   // by the shop's clock
}

// Told is one sync-state call that the shop accepted.
type Told struct {
	Chip
	At time.Time // by the shop's clock
}

// Chip shows that of the shop's own provider.
func (s *Shop) Chip(kind string, id int64) Chip {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chips[chipKey{entity{kind, id}, s.cfg.Provider}]
}

// WaitChip waits until the invoice's chip is no longer pending.
func (s *Shop) WaitChip(ctx context.Context, id int64) (Chip, error) {
	var chip Chip
	err := s.Wait(ctx, func(s *Shop) bool {
		chip = s.Chip("invoice", id)
		return chip.Status != "" && chip.Status != "pending"
	})
	if err != nil {
		return chip, fmt.Errorf("wait for the chip of invoice %d, now %q: %w", id, chip.Status, err)
	}
	return chip, nil
}

// Told lists what the shop was told of a document, in order.
func (s *Shop) Told(kind string, id int64) []Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told[chipKey{entity{kind, id}, s.cfg.Provider}])
}

// syncStateIn is the body of the call, with the types that Magento demands.
type syncStateIn struct {
	EntityType        string  `json:"entity_type"`
	EntityID          int64   `json:"magento_entity_id"`
	Provider          string  `json:"provider"`
	Status            string  `json:"sync_status"`
	ProviderEntityID  *string `json:"provider_entity_id"`
	ProviderReference *string `json:"provider_reference"`
	SkipReason        *string `json:"skip_reason"`
	ErrorCode         *string `json:"error_code"`
	LastSyncAt        string  `json:"last_sync_at"`
}

func (s *Shop) syncState(_ *http.Request, body []byte) answer {
	var in syncStateIn
	if json.Unmarshal(body, &in) != nil {
		return says(http.StatusBadRequest, "Decoding error.")
	}
	at, complaint := in.check()
	if complaint != "" {
		return says(http.StatusBadRequest, complaint)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	chip := Chip{
		Status: in.Status, ProviderEntityID: value(in.ProviderEntityID), ProviderReference: value(in.ProviderReference),
		SkipReason: value(in.SkipReason), ErrorCode: value(in.ErrorCode), LastSyncAt: at, ChangedAt: s.now(),
	}
	key := chipKey{entity{in.EntityType, in.EntityID}, in.Provider}
	s.chips[key] = chip
	s.told[key] = append(s.told[key], Told{chip, s.now()})
	s.notify()
	return answerJSON([]any{})
}

// check returns the time told, and what Magento complains about, empty for
// nothing.
func (in syncStateIn) check() (time.Time, string) {
	switch {
	case !slices.Contains([]string{"invoice", "creditmemo", "customer", "product"}, in.EntityType):
		return time.Time{}, fmt.Sprintf("Unknown entity_type %q.", in.EntityType)
	case in.EntityID <= 0:
		return time.Time{}, "magento_entity_id must be positive."
	case !slices.Contains([]string{"xero", "freeagent", "sage_accounting"}, in.Provider):
		return time.Time{}, fmt.Sprintf("Unknown provider %q.", in.Provider)
	case !slices.Contains([]string{"synced", "skipped", "failed"}, in.Status):
		return time.Time{}, fmt.Sprintf("sync_status %q is not accepted.", in.Status)
	}
	for name, text := range map[string]*string{
		"provider_entity_id": in.ProviderEntityID, "provider_reference": in.ProviderReference,
		"skip_reason": in.SkipReason, "error_code": in.ErrorCode,
	} {
		if utf8.RuneCountInString(value(text)) > 64 {
			return time.Time{}, name + " is longer than 64 characters."
		}
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", in.LastSyncAt)
	if err != nil {
		return time.Time{}, "last_sync_at is not a time."
	}
	return at, ""
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
