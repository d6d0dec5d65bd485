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

// Enqueue writes rows in one statement, the first job of each run with it, and answers the
// ids of the jobs; nil where rows are unseen and one of them is known. It is
// riverjobs.Enqueue, which knows what a first job is.
type Enqueue func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error)

// settling is how long a change of what changes often waits for the next one: a form
// that is saved ten times in a second is written once.
const settling = time.Second

// after is how many seconds the event's first job waits for more of the same.
func (e Event) after() float64 {
	if kind, _ := kindOf(e.Name); kind.again {
		return settling.Seconds()
	}
	return 0
}

// priority is River's of the first job: backfill goes after what happens now.
func (e Event) priority() int32 {
	if e.backfill() {
		return 2
	}
	return 1
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
	return accept(ctx, tx, who, enqueue, events, known)
}

// AcceptUnseen is Accept by one statement, which is a transaction of its own: for events
// that are mostly new, without looking whether they are. Where one of them, or its token,
// is known, or another transaction is at it, it fails and nothing is stored. If its answer
// is lost all may be stored, and Accept finds it.
func AcceptUnseen(ctx context.Context, db dbsqlc.DBTX, enqueue Enqueue, events []Event) ([]Accepted, error) {
	return accept(ctx, db, "shop", enqueue, events, nothingKnown(len(events)))
}

func accept(ctx context.Context, db dbsqlc.DBTX, who string, enqueue Enqueue, events []Event, known known) ([]Accepted, error) {
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
	rows := dbsqlc.SyncRunAcceptParams{Who: who, Unseen: known.unseen}
	return accepted, write(ctx, db, enqueue, rows, events, accepted, places{spent, fresh, again})
}

// places are those of a set's events whose tokens are spent, that are new, and whose
// failed runs start over: the shop sends them anew, with a new token, so somebody there
// has pressed the button after the fault was mended.
type places struct{ spent, fresh, again []int }

// write writes a set in one statement, but for the runs that start over. What the look-up
// could not see, since another transaction had not committed it, the unique keys find.
func write(ctx context.Context, db dbsqlc.DBTX, enqueue Enqueue, rows dbsqlc.SyncRunAcceptParams, events []Event, accepted []Accepted, at places) error {
	if len(at.spent)+len(at.fresh) == 0 {
		return nil
	}
	for _, i := range at.spent {
		if !mistake.Made(mistake.TokenNotSpent) {
			addToken(&rows, events[i])
		}
	}
	for _, i := range at.fresh {
		rows.ID = append(rows.ID, accepted[i].RunID)
		addEvent(&rows, events[i])
	}
	for _, i := range at.again {
		rows.StartsOver = append(rows.StartsOver, accepted[i].RunID)
		addJob(&rows, events[i])
	}
	jobs, err := enqueue(ctx, db, rows)
	if jobs == nil && err == nil || isUniqueViolation(err) {
		return ErrRaced
	}
	if err != nil {
		return fmt.Errorf("store %d events: %w", len(events), err)
	}
	for n, i := range at.again {
		if err := startOver(ctx, db, events[i], accepted[i].RunID, jobs[len(at.fresh)+n]); err != nil {
			return err
		}
	}
	return nil
}

// startOver retries a failed run.
func startOver(ctx context.Context, db dbsqlc.DBTX, e Event, run uuid.UUID, job int64) error {
	_, err := queries.SyncRunRequeue(ctx, db, dbsqlc.SyncRunRequeueParams{
		ID: run, NextJobID: job, Backfill: e.backfill(), Who: "shop", Why: "sent again by the shop",
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrRaced
	}
	if err != nil {
		return fmt.Errorf("requeue run %s: %w", run, err)
	}
	return nil
}

func addToken(rows *dbsqlc.SyncRunAcceptParams, e Event) {
	rows.TokenTenantID = append(rows.TokenTenantID, e.TenantID)
	rows.Jti = append(rows.Jti, e.JTI)
	rows.RequestKey = append(rows.RequestKey, e.requestKey())
	rows.ExpiresAt = append(rows.ExpiresAt, e.JTIExpiresAt)
}

func addJob(rows *dbsqlc.SyncRunAcceptParams, e Event) {
	rows.Share = append(rows.Share, e.TenantID)
	rows.Priority = append(rows.Priority, e.priority())
	rows.After = append(rows.After, e.after())
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

func addEvent(rows *dbsqlc.SyncRunAcceptParams, e Event) {
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
	addJob(rows, e)
}
