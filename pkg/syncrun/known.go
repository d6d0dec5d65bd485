package syncrun

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

// known is what there is of a set's events already: in the database, and of those
// that come earlier in the set itself.
type known struct {
	stored []dbsqlc.SyncRunKnownRow // by the event's place
	tokens map[token]string         // the request that a token was used for
	first  map[key]named            // the first use of an idempotency key
	runs   map[key]uuid.UUID        // by dedupe key
	again  map[uuid.UUID]bool       // failed runs that this set starts over
	unseen bool                     // nobody has looked in the database
}

// nothingKnown is what there is of n events that nobody has looked up.
func nothingKnown(n int) known {
	return known{
		stored: make([]dbsqlc.SyncRunKnownRow, n),
		tokens: map[token]string{}, first: map[key]named{}, runs: map[key]uuid.UUID{},
		again: map[uuid.UUID]bool{}, unseen: true,
	}
}

type (
	token struct {
		tenant uuid.UUID
		jti    string
	}
	key struct {
		binding uuid.UUID
		text    string
	}
	named struct {
		event    string
		entityID int64
	}
)

func (e Event) token() token   { return token{e.TenantID, e.JTI} }
func (e Event) firstKey() key  { return key{e.BindingID, e.IdempotencyKey} }
func (e Event) uniqueKey() key { return key{e.BindingID, e.dedupeKey()} }

// readKnown looks a set up in one query.
func readKnown(ctx context.Context, tx pgx.Tx, events []Event) (known, error) {
	var asked dbsqlc.SyncRunKnownParams
	for i, e := range events {
		asked.N = append(asked.N, int32(i))
		asked.TenantID = append(asked.TenantID, e.TenantID)
		asked.Jti = append(asked.Jti, e.JTI)
		asked.BindingID = append(asked.BindingID, e.BindingID)
		asked.IdempotencyKey = append(asked.IdempotencyKey, e.IdempotencyKey)
		asked.DedupeKey = append(asked.DedupeKey, e.dedupeKey())
	}
	rows, err := queries.SyncRunKnown(ctx, tx, asked)
	if err != nil {
		return known{}, fmt.Errorf("look up %d events: %w", len(events), err)
	}
	k := nothingKnown(len(events))
	k.unseen = false
	for _, row := range rows {
		k.stored[row.N] = row
	}
	return k, nil
}

// refusal says why the event at a place may not come in; nil where it may.
func (k known) refusal(place int, e Event) error {
	for _, usedFor := range []string{k.stored[place].SpentFor, k.tokens[e.token()]} {
		if usedFor != "" && usedFor != e.requestKey() {
			return ErrTokenSpent
		}
	}
	first := named{k.stored[place].Event, k.stored[place].MagentoEntityID}
	for _, use := range []named{first, k.first[e.firstKey()]} {
		if use != (named{}) && use != (named{e.Name, e.EntityID}) {
			return ErrKeyReused
		}
	}
	return nil
}

// spend notes the use of the event's token, and reports whether it is the first. An
// event without a token spends none.
func (k known) spend(place int, e Event) bool {
	if e.JTI == "" {
		return false
	}
	first := k.stored[place].SpentFor == "" && k.tokens[e.token()] == ""
	k.tokens[e.token()] = e.requestKey()
	return first
}

// run is the run that the event has made already, or uuid.Nil.
func (k known) run(place int, e Event) uuid.UUID {
	if id := k.stored[place].RunID; id != uuid.Nil {
		return id
	}
	return k.runs[e.uniqueKey()]
}

// failed reports whether the run that the event has made failed, and the shop was
// told. Once: the next event of the set finds that it is on its way again.
func (k known) failed(place int, e Event) bool {
	if !k.stored[place].Failed || k.again[k.stored[place].RunID] {
		return false
	}
	k.again[k.stored[place].RunID] = true
	return true
}

// add notes a new run for the events that come after it in the set.
func (k known) add(e Event, run uuid.UUID) {
	k.first[e.firstKey()] = named{e.Name, e.EntityID}
	k.runs[e.uniqueKey()] = run
}
