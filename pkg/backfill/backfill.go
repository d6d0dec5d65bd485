package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

const (
	// setSize is how many ids one transaction takes.
	setSize = 100
	// lookSize is how many are looked up at a time where nothing is written.
	lookSize = 5000
	// maxRaces is how often a set is begun anew because others took in the same events.
	maxRaces = 10
)

// ErrRevoked: nothing goes through the binding any more.
var ErrRevoked = errors.New("is revoked: nothing is written through it any more")

// queries is stateless: sqlc's methods take the connection as an argument.
var queries = dbsqlc.New()

// Request asks for the entities with these ids.
type Request struct {
	Pool      *pgxpool.Pool
	Enqueue   syncrun.Enqueue
	BindingID uuid.UUID
	Event     string // one of syncrun.Events
	IDs       IDs
	Who       string // asks, for the runs' history
	// StoreID is where they belong; 0: nobody says. Only credit memos need it, whose
	// form has none: it chooses their number's prefix, and a store_filter asks for it.
	StoreID int64
	// OccurredAt is when it happened; zero: nobody knows. A payment is dated by it, or
	// where it is zero by its invoice. It does not tell what is known from what is not.
	OccurredAt time.Time
}

// Counts are ids by what became of them.
type Counts struct {
	Accepted int64 // made a run, or would
	Known    int64 // had one already
}

// Done is how many ids were dealt with.
func (c Counts) Done() int64 { return c.Accepted + c.Known }

func (r Request) key(id int64) string { return r.Event + ":" + strconv.FormatInt(id, 10) }

// Look counts what Run would do, and writes nothing.
func (r Request) Look(ctx context.Context) (Counts, error) {
	var counts Counts
	for set := range r.IDs.sets(lookSize) {
		known, err := r.known(ctx, r.Pool, set)
		if err != nil {
			return counts, err
		}
		counts.Known += int64(len(known))
		counts.Accepted += int64(len(set) - len(known))
	}
	return counts, nil
}

// known are the runs that there are of some ids, by key.
func (r Request) known(ctx context.Context, db dbsqlc.DBTX, ids []int64) (map[string]uuid.UUID, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = r.key(id)
	}
	rows, err := queries.SyncRunOfKeys(ctx, db, dbsqlc.SyncRunOfKeysParams{BindingID: r.BindingID, IdempotencyKeys: keys})
	if err != nil {
		return nil, fmt.Errorf("look up %d ids from %d on: %w", len(ids), ids[0], err)
	}
	known := make(map[string]uuid.UUID, len(rows))
	for _, row := range rows {
		known[row.IdempotencyKey] = row.ID
	}
	return known, nil
}

// Run makes the runs, a set of ids after the other in a transaction each, and answers
// the runs of all ids, also of those that were known. progress is told the counts after
// each set.
//
// If the process stops within a set, nothing of that set is stored; if it stops after
// its commit, the set is known when the request is made again.
func (r Request) Run(ctx context.Context, progress func(Counts)) ([]uuid.UUID, Counts, error) {
	var counts Counts
	runs := make([]uuid.UUID, 0, r.IDs.Len())
	for set := range r.IDs.sets(setSize) {
		of, accepted, err := r.acceptSet(ctx, set)
		if err != nil {
			return runs, counts, err
		}
		runs = append(runs, of...)
		counts.Accepted += int64(accepted)
		counts.Known += int64(len(set) - accepted)
		progress(counts)
	}
	return runs, counts, nil
}

// acceptSet is T1 of a set. Where the shop, or another backfill, sends the same
// meanwhile, it begins anew and finds theirs.
func (r Request) acceptSet(ctx context.Context, ids []int64) (runs []uuid.UUID, accepted int, err error) {
	for range maxRaces {
		err = pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
			runs, accepted, err = r.accept(ctx, tx, ids)
			return err
		})
		if !errors.Is(err, syncrun.ErrRaced) {
			break
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("accept %s %d to %d: %w", r.Event, ids[0], ids[len(ids)-1], err)
	}
	return runs, accepted, nil
}

func (r Request) accept(ctx context.Context, tx pgx.Tx, ids []int64) ([]uuid.UUID, int, error) {
	// Read for each set: settings that are saved meanwhile hold from there on. Where it
	// is revoked between here and the commit, the runs are held as a webhook's would be.
	binding, err := queries.BindingGet(ctx, tx, r.BindingID)
	if err != nil {
		return nil, 0, fmt.Errorf("read binding: %w", err)
	}
	if binding.Status == "revoked" {
		return nil, 0, fmt.Errorf("binding %s %w", binding.ID, ErrRevoked)
	}
	known, err := r.known(ctx, tx, ids)
	if err != nil {
		return nil, 0, err
	}
	runs := make([]uuid.UUID, 0, len(ids))
	var fresh []syncrun.Event
	for _, id := range ids {
		if run, ok := known[r.key(id)]; ok {
			runs = append(runs, run)
			continue
		}
		e, err := r.event(binding, id)
		if err != nil {
			return nil, 0, err
		}
		fresh = append(fresh, e)
	}
	if len(fresh) == 0 {
		return runs, 0, nil
	}
	answers, err := syncrun.AcceptFrom(ctx, tx, r.Who, r.Enqueue, fresh)
	if err != nil {
		return nil, 0, err
	}
	accepted := 0
	for i, a := range answers {
		if a.Refused != nil {
			return nil, 0, fmt.Errorf("%s: %w", fresh[i].IdempotencyKey, a.Refused)
		}
		if !a.Replayed {
			accepted++
		}
		runs = append(runs, a.RunID)
	}
	return runs, accepted, nil
}

// event is what the shop would have sent.
func (r Request) event(binding dbsqlc.Binding, id int64) (syncrun.Event, error) {
	e := syncrun.Event{
		TenantID: binding.TenantID, BindingID: binding.ID, PolicyVersion: binding.PolicyVersion, Name: r.Event, EntityID: id, StoreID: r.StoreID,
		OccurredAt: r.occurredAt(), IdempotencyKey: r.key(id), Backfill: true,
	}
	var err error
	if e.Body, err = json.Marshal(body{EntityID: id, OccurredAt: r.OccurredAt, Backfill: true}); err != nil {
		return e, fmt.Errorf("encode event: %w", err)
	}
	return e, nil
}

// body stands for the one that the shop never sent; the run's page shows it.
type body struct {
	EntityID   int64     `json:"magento_entity_id"`
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	Backfill   bool      `json:"backfill"`
}

// occurredAt, where nobody knows: a payment's lies before every invoice, whose own day
// is taken then; whatever else is read from the shop as it is now.
func (r Request) occurredAt() time.Time {
	switch {
	case !r.OccurredAt.IsZero():
		return r.OccurredAt.UTC()
	case r.Event == "invoice.paid":
		return time.Unix(0, 0).UTC()
	}
	return time.Now().UTC()
}
