package syncrun

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/mistake"
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

	JTI          string    // the token's, spent with the run; empty where it came without one
	JTIExpiresAt time.Time // when the token could not be used anyway, leeway included
	Backfill     bool      // lets what happens now go first, however new it is
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
	// Refused is ErrTokenSpent or ErrKeyReused: nothing of the event is stored.
	Refused error
}

var (
	// ErrTokenSpent: the jti was used for another request.
	ErrTokenSpent = errors.New("token was used before")
	// ErrKeyReused: the idempotency key belongs to another entity or event.
	ErrKeyReused = errors.New("idempotency key was used for another entity or event")
	// ErrRaced: another transaction stored one of the events or tokens meanwhile.
	// Roll back and accept each event alone, in a new transaction.
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
	// After is how long it waits for more of the same.
	After time.Duration
}

// settling is how long a change of what changes often waits for the next one: a form
// that is saved ten times in a second is written once.
const settling = time.Second

func (e Event) firstJob(run uuid.UUID) FirstJob {
	first := FirstJob{RunID: run, TenantID: e.TenantID, Backfill: e.backfill()}
	if kind, _ := kindOf(e.Name); kind.again {
		first.After = settling
	}
	return first
}

// backfillAge is how old an event is when it comes that lets newer ones go first:
// it waited in the shop longer than the shop's first four tries take.
const backfillAge = time.Hour

// backfill reports whether the event came late, or is said to be backfill.
func (e Event) backfill() bool { return e.Backfill || time.Since(e.OccurredAt) > backfillAge }

// Accept is AcceptFrom for what the shop sends.
func Accept(ctx context.Context, tx pgx.Tx, enqueue Enqueue, events []Event) ([]Accepted, error) {
	return AcceptFrom(ctx, tx, "shop", enqueue, events)
}

// AcceptFrom is T1 for a set, as sent by who: it spends the tokens and inserts the
// runs with their first jobs. An event that is known already is answered with its
// run's id and adds nothing but its token, unless that run failed and the token is
// new: then it starts over. One that is refused adds nothing. On an error nothing may
// be committed.
//
// If the process dies before the commit, nothing is stored and the shops send
// again; if it dies after it and before the answers, they send again and are
// answered as repeats.
func AcceptFrom(ctx context.Context, tx pgx.Tx, who string, enqueue Enqueue, events []Event) ([]Accepted, error) {
	known, err := readKnown(ctx, tx, events)
	if err != nil {
		return nil, err
	}
	accepted := make([]Accepted, len(events))
	var spent, fresh, again []int
	for i, e := range events {
		if accepted[i].Refused = known.refusal(i, e); accepted[i].Refused != nil {
			continue
		}
		asked := known.spend(i, e)
		if asked {
			spent = append(spent, i)
		}
		if run := known.run(i, e); run != uuid.Nil {
			accepted[i] = Accepted{RunID: run, Replayed: true}
			if asked && known.failed(i, e) {
				again = append(again, i)
			}
			continue
		}
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make run id: %w", err)
		}
		accepted[i] = Accepted{RunID: id}
		known.add(e, id)
		fresh = append(fresh, i)
	}
	// What the look-up could not see, since another transaction had not committed it,
	// the unique keys find: tokens first and in order, so that two sets which share
	// some wait for each other and do not block each other.
	if err := spend(ctx, tx, events, spent); err != nil {
		return nil, err
	}
	if err := startOver(ctx, tx, enqueue, events, accepted, again); err != nil {
		return nil, err
	}
	return accepted, insert(ctx, tx, who, enqueue, events, accepted, fresh)
}

// startOver retries the failed runs of events that the shop sends anew, with a new
// token: somebody there has pressed the button, after the fault was mended.
func startOver(ctx context.Context, tx pgx.Tx, enqueue Enqueue, events []Event, accepted []Accepted, again []int) error {
	if len(again) == 0 {
		return nil
	}
	first := make([]FirstJob, len(again))
	for n, i := range again {
		first[n] = events[i].firstJob(accepted[i].RunID)
	}
	jobs, err := enqueue(ctx, tx, first)
	if err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	for n, i := range again {
		_, err := queries.SyncRunRequeue(ctx, tx, dbsqlc.SyncRunRequeueParams{
			ID: accepted[i].RunID, NextJobID: jobs[n], Backfill: first[n].Backfill, Who: "shop", Why: "sent again by the shop",
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrRaced
		}
		if err != nil {
			return fmt.Errorf("requeue run %s: %w", accepted[i].RunID, err)
		}
	}
	return nil
}

// spend marks the tokens of the events at these places as used.
func spend(ctx context.Context, tx pgx.Tx, events []Event, places []int) error {
	if len(places) == 0 || mistake.Made(mistake.TokenNotSpent) {
		return nil
	}
	slices.SortFunc(places, func(a, b int) int {
		return cmp.Or(strings.Compare(events[a].JTI, events[b].JTI), bytes.Compare(events[a].TenantID[:], events[b].TenantID[:]))
	})
	var rows dbsqlc.SpentJTIInsertManyParams
	for _, i := range places {
		rows.TenantID = append(rows.TenantID, events[i].TenantID)
		rows.Jti = append(rows.Jti, events[i].JTI)
		rows.RequestKey = append(rows.RequestKey, events[i].requestKey())
		rows.ExpiresAt = append(rows.ExpiresAt, events[i].JTIExpiresAt)
	}
	n, err := queries.SpentJTIInsertMany(ctx, tx, rows)
	if err != nil {
		return fmt.Errorf("spend tokens: %w", err)
	}
	if n != int64(len(places)) {
		return ErrRaced
	}
	return nil
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

// insert inserts the runs of the events at the places in fresh, with their jobs.
func insert(ctx context.Context, tx pgx.Tx, who string, enqueue Enqueue, events []Event, accepted []Accepted, fresh []int) error {
	if len(fresh) == 0 {
		return nil
	}
	first := make([]FirstJob, len(fresh))
	for n, i := range fresh {
		first[n] = events[i].firstJob(accepted[i].RunID)
	}
	jobs, err := enqueue(ctx, tx, first) // in the order of arrival
	if err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	job := make(map[int]int64, len(jobs))
	for n, i := range fresh {
		job[i] = jobs[n]
	}
	slices.SortFunc(fresh, func(a, b int) int {
		return cmp.Or(strings.Compare(events[a].dedupeKey(), events[b].dedupeKey()), bytes.Compare(events[a].BindingID[:], events[b].BindingID[:]))
	})
	rows := dbsqlc.SyncRunInsertManyParams{Who: who}
	for _, i := range fresh {
		rows.ID, rows.RiverJobID = append(rows.ID, accepted[i].RunID), append(rows.RiverJobID, job[i])
		addEvent(&rows, events[i])
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

func addEvent(rows *dbsqlc.SyncRunInsertManyParams, e Event) {
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
