package magentosim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath/pkg/canon"
)

// The states of an outbox row.
const (
	RowPending   = "pending"
	RowSucceeded = "succeeded"
	RowDead      = "dead" // never sent again, a banner in the merchant's admin
)

// maxAttempts is after how many failures a row is dead.
const maxAttempts = 10

// maxLastError is how much of an answer a dead row keeps.
const maxLastError = 8192

// Row is one event in the shop's outbox.
type Row struct {
	ID        int64           `json:"id"`
	Event     string          `json:"event"`
	EntityID  int64           `json:"entity_id"`
	Key       string          `json:"key"` // the Idempotency-Key; unique in the outbox
	Body      json.RawMessage `json:"body"`
	Status    string          `json:"status"`
	Attempts  int             `json:"attempts"` // failed ones
	NextAt    time.Time       `json:"next_at"`
	LastError string          `json:"last_error"`
	SyncRunID string          `json:"sync_run_id"` // as answered
	CreatedAt time.Time       `json:"created_at"`
	DoneAt    time.Time       `json:"done_at"` // succeeded or dead
}

// backoff is the wait after the nth failure.
func backoff(failures int) time.Duration {
	steps := []time.Duration{
		time.Minute, 5 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	}
	return steps[min(failures, len(steps))-1]
}

// Enqueue puts an event into the outbox and its chip to pending, in one step.
// It reports false where the shop does nothing: a row with that key exists (a
// customer saved twice), or the event is not among Config.Events.
func (s *Shop) Enqueue(event string, entityID int64, payload any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueue(event, entityID, 0, 0, payload)
}

func (s *Shop) enqueueInvoice(event string, inv canon.Invoice) {
	payload := map[string]any{"increment_id": inv.IncrementID}
	if event == "invoice.created" {
		payload["paid"] = inv.State == canon.StatePaid
	}
	s.enqueue(event, int64(inv.MagentoID), int64(inv.WebsiteID), int64(inv.StoreID), payload)
}

// keptFor is how long after it was sent a row is kept: until then it stands in the
// way of another event with its key, which is lost.
const keptFor = 30 * 24 * time.Hour

// enqueue needs the lock held.
func (s *Shop) enqueue(event string, entityID, websiteID, storeID int64, payload any) bool {
	key := fmt.Sprintf("%s:%d", event, entityID)
	at, known := s.rowOf[key]
	known = known && (s.outbox[at].Status != RowSucceeded || s.now().Before(s.outbox[at].DoneAt.Add(keptFor)))
	if known || s.cfg.Events != nil && !slices.Contains(s.cfg.Events, event) {
		return false
	}
	now := s.now()
	body, err := json.Marshal(map[string]any{
		"magento_entity_id": entityID, "website_id": websiteID, "store_id": storeID,
		"occurred_at": now.Format("2006-01-02T15:04:05Z"), "payload": payload,
	})
	if err != nil {
		return false
	}
	s.rowOf[key] = len(s.outbox)
	s.outbox = append(s.outbox, Row{
		ID: int64(len(s.outbox) + 1), Event: event, EntityID: entityID, Key: key, Body: body,
		Status: RowPending, NextAt: now, CreatedAt: now,
	})
	kind, _, _ := strings.Cut(event, ".")
	chip := s.chips[chipKey{entity{kind, entityID}, s.cfg.Provider}]
	chip.Status, chip.ChangedAt = "pending", now
	s.chips[chipKey{entity{kind, entityID}, s.cfg.Provider}] = chip
	s.notify()
	return true
}

// Outbox lists all rows, oldest first.
func (s *Shop) Outbox() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.outbox)
}

// MakeDue makes every pending row due now, as if its wait were over.
func (s *Shop) MakeDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.outbox {
		if s.outbox[i].Status == RowPending {
			s.outbox[i].NextAt = s.now()
		}
	}
}

// Requeue is the command of the shop's operator: a dead row is sent again with
// the same key and body.
func (s *Shop) Requeue(rowID int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rowID < 1 || rowID > int64(len(s.outbox)) || s.outbox[rowID-1].Status != RowDead {
		return fmt.Errorf("requeue row %d: it is not dead", rowID)
	}
	row := &s.outbox[rowID-1]
	row.Status, row.Attempts, row.NextAt, row.DoneAt = RowPending, 0, s.now(), time.Time{}
	s.notify()
	return nil
}

// due lists the rows for one run of the cron; the lock must be held.
func (s *Shop) due(limit int) []Row {
	now := s.now()
	rows := []Row{}
	for _, row := range s.outbox {
		if row.Status == RowPending && !row.NextAt.After(now) && len(rows) < limit {
			rows = append(rows, row)
		}
	}
	return rows
}
