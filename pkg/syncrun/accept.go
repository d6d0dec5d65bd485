package syncrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

// Event is one verified and decoded webhook.
type Event struct {
	TenantID       uuid.UUID
	BindingID      uuid.UUID
	PolicyVersion  int32
	Name           string // one of Events
	EntityID       int64
	WebsiteID      int64
	StoreID        int64
	OccurredAt     time.Time
	IdempotencyKey string
	Body           json.RawMessage // as received, unknown fields and all

	JTI          string    // the token's, spent with the run
	JTIExpiresAt time.Time // when the token could not be used anyway, leeway included
}

func (e Event) dedupeKey() string {
	if kind, _ := kindOf(e.Name); kind.again {
		return e.IdempotencyKey + "@" + e.OccurredAt.UTC().Format(time.RFC3339Nano)
	}
	return e.IdempotencyKey
}

// requestKey is what a spent jti remembers: the same token may carry the same
// request again, and no other.
func (e Event) requestKey() string {
	return e.BindingID.String() + " " + e.Name + " " + e.IdempotencyKey
}

// Accepted is the answer to one event.
type Accepted struct {
	RunID    uuid.UUID
	Replayed bool // the event was known: no new run, no new job
}

// Refusals of Accept; nothing of the event is stored.
var (
	// ErrTokenSpent: the jti was used for another request.
	ErrTokenSpent = errors.New("token was used before")
	// ErrKeyReused: the idempotency key belongs to another entity or event.
	ErrKeyReused = errors.New("idempotency key was used for another entity or event")
	// ErrRaced: another transaction inserted one of the runs meanwhile. Roll
	// back and accept each event alone, in a new transaction.
	ErrRaced = errors.New("event was accepted by another transaction meanwhile")
)

// Enqueue inserts the first job of each run inside tx and returns the jobs'
// ids in the same order.
type Enqueue func(ctx context.Context, tx pgx.Tx, runs []FirstJob) ([]int64, error)

// FirstJob is what the first job of a run must know.
type FirstJob struct {
	RunID    uuid.UUID
	TenantID uuid.UUID
	Backfill bool
}

// backfillAge is how old an event is when it comes that lets newer ones go first:
// it waited in the shop longer than the shop's first four tries take.
const backfillAge = time.Hour

// backfill reports whether the event came late.
func (e Event) backfill() bool { return time.Since(e.OccurredAt) > backfillAge }

// Accept is T1: it spends the tokens and inserts the runs with their first
// jobs. An event that is known already is answered with its run's id and adds
// nothing but its token. On an error nothing may be committed.
//
// If the process dies before the commit, nothing is stored and the shop sends
// again; if it dies after it and before the answer, the shop sends again and is
// answered as a repeat.
func Accept(ctx context.Context, tx pgx.Tx, enqueue Enqueue, events []Event) ([]Accepted, error) {
	accepted := make([]Accepted, len(events))
	var fresh []int
	for i, e := range events {
		if err := spend(ctx, tx, e); err != nil {
			return nil, err
		}
		known, err := find(ctx, tx, e)
		if err != nil {
			return nil, err
		}
		if known != uuid.Nil {
			accepted[i] = Accepted{RunID: known, Replayed: true}
			continue
		}
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make run id: %w", err)
		}
		accepted[i] = Accepted{RunID: id}
		fresh = append(fresh, i)
	}
	if len(fresh) == 0 {
		return accepted, nil
	}
	return accepted, insert(ctx, tx, enqueue, events, accepted, fresh)
}

// spend marks the token as used. A second use counts as a repeat only if it
// carries the same request.
func spend(ctx context.Context, tx pgx.Tx, e Event) error {
	return SpendToken(ctx, tx, e.TenantID, e.JTI, e.requestKey(), e.JTIExpiresAt)
}

// SpendToken marks a jti as used for the request named by requestKey until
// expiresAt. It answers ErrTokenSpent if it was used for another request.
func SpendToken(ctx context.Context, db dbsqlc.DBTX, tenantID uuid.UUID, jti, requestKey string, expiresAt time.Time) error {
	n, err := queries.SpentJTIInsert(ctx, db, dbsqlc.SpentJTIInsertParams{
		TenantID: tenantID, Jti: jti, RequestKey: requestKey, ExpiresAt: expiresAt,
	})
	if err != nil {
		return fmt.Errorf("spend token: %w", err)
	}
	if n == 1 {
		return nil
	}
	used, err := queries.SpentJTIGet(ctx, db, dbsqlc.SpentJTIGetParams{TenantID: tenantID, Jti: jti})
	if err != nil {
		return fmt.Errorf("read spent token: %w", err)
	}
	if used.RequestKey != requestKey {
		return ErrTokenSpent
	}
	return nil
}

// find answers the run that the event made earlier, or uuid.Nil.
func find(ctx context.Context, tx pgx.Tx, e Event) (uuid.UUID, error) {
	run, err := queries.SyncRunByIdempotencyKey(ctx, tx, dbsqlc.SyncRunByIdempotencyKeyParams{
		BindingID: e.BindingID, IdempotencyKey: e.IdempotencyKey,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find run by key %q: %w", e.IdempotencyKey, err)
	}
	if run.Event != e.Name || run.MagentoEntityID != e.EntityID {
		return uuid.Nil, ErrKeyReused
	}
	if kind, _ := kindOf(e.Name); !kind.again {
		return run.ID, nil
	}
	same, err := queries.SyncRunByDedupeKey(ctx, tx, dbsqlc.SyncRunByDedupeKeyParams{
		BindingID: e.BindingID, DedupeKey: e.dedupeKey(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find run by key %q: %w", e.dedupeKey(), err)
	}
	return same.ID, nil
}

func insert(ctx context.Context, tx pgx.Tx, enqueue Enqueue, events []Event, accepted []Accepted, fresh []int) error {
	ids, first := make([]uuid.UUID, len(fresh)), make([]FirstJob, len(fresh))
	for n, i := range fresh {
		ids[n] = accepted[i].RunID
		first[n] = FirstJob{RunID: ids[n], TenantID: events[i].TenantID, Backfill: events[i].backfill()}
	}
	jobs, err := enqueue(ctx, tx, first)
	if err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	rows := dbsqlc.SyncRunInsertManyParams{ID: ids, RiverJobID: jobs, Who: "shop"}
	for _, i := range fresh {
		e := events[i]
		entity := EntityType(e.Name)
		rows.TenantID = append(rows.TenantID, e.TenantID)
		rows.BindingID = append(rows.BindingID, e.BindingID)
		rows.PolicyVersion = append(rows.PolicyVersion, e.PolicyVersion)
		rows.Event = append(rows.Event, e.Name)
		rows.EntityType = append(rows.EntityType, entity)
		rows.MagentoEntityID = append(rows.MagentoEntityID, e.EntityID)
		rows.WebsiteID = append(rows.WebsiteID, e.WebsiteID)
		rows.StoreID = append(rows.StoreID, e.StoreID)
		rows.IdempotencyKey = append(rows.IdempotencyKey, e.IdempotencyKey)
		rows.DedupeKey = append(rows.DedupeKey, e.dedupeKey())
		rows.Lane = append(rows.Lane, lane(entity, e.EntityID))
		rows.OccurredAt = append(rows.OccurredAt, e.OccurredAt)
		rows.Body = append(rows.Body, e.Body)
		rows.Backfill = append(rows.Backfill, e.backfill())
	}
	inserted, err := queries.SyncRunInsertMany(ctx, tx, rows)
	if err != nil {
		return fmt.Errorf("insert runs: %w", err)
	}
	if len(inserted) != len(fresh) {
		return ErrRaced
	}
	return nil
}
