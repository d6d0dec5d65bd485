package riverjobs

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/recorder"
	"towpath/pkg/syncrun"
)

// lookups are the reads that the attempts of a set make at the same moment, each for its
// own run: what is asked while the last query is under way is asked in one.
type lookups struct {
	xrefs recorder.Gatherer[xrefAsked, *dbsqlc.EntityXref]
	keys  recorder.Gatherer[keyAsked, string]
	ahead recorder.Gatherer[uuid.UUID, error]
}

// xrefAsked is something that a binding's shop may know by its own id.
type xrefAsked struct {
	binding    uuid.UUID
	entityType string
	shopID     string
}

// keyAsked is a write that a run may have made.
type keyAsked struct {
	run       uuid.UUID
	operation string
}

// lookupTimeout bounds a query: who asks may have gone.
const lookupTimeout = 15 * time.Second

func newLookups(pool *pgxpool.Pool) *lookups {
	queries := dbsqlc.New()
	return &lookups{
		xrefs: recorder.Gatherer[xrefAsked, *dbsqlc.EntityXref]{AtOnce: 2, Do: grouped(
			func(a xrefAsked) uuid.UUID { return a.binding },
			func(ctx context.Context, binding uuid.UUID, set []xrefAsked) (map[xrefAsked]*dbsqlc.EntityXref, error) {
				ask := dbsqlc.EntityXrefListParams{BindingID: binding}
				for _, a := range set {
					ask.EntityTypes, ask.ShopIds = append(ask.EntityTypes, a.entityType), append(ask.ShopIds, a.shopID)
				}
				rows, err := queries.EntityXrefList(ctx, pool, ask)
				found := make(map[xrefAsked]*dbsqlc.EntityXref, len(rows))
				for i, row := range rows {
					found[xrefAsked{binding, row.EntityType, row.ShopID}] = &rows[i]
				}
				return found, err
			})},
		keys: recorder.Gatherer[keyAsked, string]{AtOnce: 2, Do: grouped(
			func(a keyAsked) string { return a.operation },
			func(ctx context.Context, operation string, set []keyAsked) (map[keyAsked]string, error) {
				ask := dbsqlc.ProviderIntentKeysParams{Operation: operation}
				for _, a := range set {
					ask.RunIds = append(ask.RunIds, a.run)
				}
				rows, err := queries.ProviderIntentKeys(ctx, pool, ask)
				found := make(map[keyAsked]string, len(rows))
				for _, row := range rows {
					found[keyAsked{row.RunID, operation}] = row.ObjectKey
				}
				return found, err
			})},
		ahead: recorder.Gatherer[uuid.UUID, error]{AtOnce: 2, Do: grouped(
			func(uuid.UUID) struct{} { return struct{}{} },
			func(ctx context.Context, _ struct{}, runs []uuid.UUID) (map[uuid.UUID]error, error) {
				found := map[uuid.UUID]error{}
				behind, err := syncrun.Behind(ctx, pool, runs)
				for run, ahead := range behind {
					found[run] = ahead
				}
				return found, err
			})},
	}
}

// grouped does a set in as many queries as it has groups, mostly one, and answers what
// was not found with nothing.
func grouped[T, G comparable, A any](group func(T) G, ask func(context.Context, G, []T) (map[T]A, error)) func(context.Context, []T, func()) []recorder.Answer[A] {
	return func(ctx context.Context, set []T, _ func()) []recorder.Answer[A] {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		groups := map[G][]T{}
		for _, t := range set {
			groups[group(t)] = append(groups[group(t)], t)
		}
		found := map[T]A{}
		failed := map[G]error{}
		for g, members := range groups {
			some, err := ask(ctx, g, members)
			failed[g] = err
			for t, a := range some {
				found[t] = a
			}
		}
		answers := make([]recorder.Answer[A], len(set))
		for i, t := range set {
			answers[i] = recorder.Answer[A]{Value: found[t], Err: failed[group(t)]}
		}
		return answers
	}
}

// lookUp answers what the run's shop remembers in the run's organisation, or nil.
func (p *pipeline) lookUp(ctx context.Context, run work, entityType, shopID string) (*dbsqlc.EntityXref, error) {
	row, err := p.lookups.xrefs.Hand(ctx, xrefAsked{run.Binding.ID, entityType, shopID})
	if err != nil {
		return nil, fmt.Errorf("look up %s %q: %w", entityType, shopID, err)
	}
	return row, nil
}

// mayExistAs is the key under which an earlier attempt may have made the write, empty
// where none may. As long as that is open the document keeps this key and is not
// left out, whatever the settings say now: else a new prefix would look for another
// number, find nothing and write a second document.
func (p *pipeline) mayExistAs(ctx context.Context, run work, operation string) (string, error) {
	key, err := p.lookups.keys.Hand(ctx, keyAsked{run.SyncRun.ID, operation})
	if err != nil {
		return "", fmt.Errorf("read intents of run %s: %w", run.SyncRun.ID, err)
	}
	return key, nil
}

// first answers an Ahead where other runs of the lane come before a run.
func (p *pipeline) first(ctx context.Context, run uuid.UUID) error {
	ahead, err := p.lookups.ahead.Hand(ctx, run)
	if err != nil {
		return fmt.Errorf("take lane of run %s: %w", run, err)
	}
	return ahead
}
