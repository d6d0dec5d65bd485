package whatif

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/explain"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// Look is what is compared with what.
type Look struct {
	Pool      *pgxpool.Pool
	Binding   dbsqlc.Binding
	Ledger    explain.Ledger
	Reference provider.Reference
	// Before are the settings that After is compared with; nil: those that are pinned
	// to each run.
	Before *policy.Policy
	After  policy.Policy
	Since  time.Time
	Limit  int // of the newest documents; 0: all
}

// Difference is a run whose document would come out differently.
type Difference struct {
	ID              uuid.UUID `json:"id"`
	Event           string    `json:"event"`
	MagentoEntityID int64     `json:"magento_entity_id"`
	Number          string    `json:"number"` // the shop's
	ReceivedAt      time.Time `json:"received_at"`
	Status          string    `json:"status"` // the run's, now
	PolicyVersion   int32     `json:"policy_version"`
	Before          string    `json:"before"` // post, skip or hold, with the reason
	After           string    `json:"after"`
	Changes         []Change  `json:"changes"`
}

// Summary counts documents; by kind, those that have a difference of that kind.
type Summary struct {
	Looked    int
	Different int
	Kinds     map[Kind]int
	Cut       bool // there are more than Limit
	// Blanked is how many runs of the time have no document any more (pkg/retention).
	Blanked int
}

// Same is how many would come out as they do.
func (s Summary) Same() int { return s.Looked - s.Different }

// pageSize is how many documents are in memory at once. One is some kilobytes.
const pageSize = 200

// Run compares each document. found is told each that differs, newest first, step after
// each page what was looked at so far. Ended early, by ctx or by found, it answers what
// it has.
func (l Look) Run(ctx context.Context, found func(Difference) error, step func(Summary)) (Summary, error) {
	sum := Summary{Kinds: map[Kind]int{}}
	w := walk{Look: l, queries: dbsqlc.New(), pinned: map[int32]policy.Policy{}}
	blanked, err := w.queries.SyncRunBlankedCount(ctx, l.Pool, dbsqlc.SyncRunBlankedCountParams{TenantID: l.Binding.TenantID, BindingID: l.Binding.ID, Since: l.Since})
	if err != nil {
		return sum, fmt.Errorf("count blanked runs: %w", err)
	}
	sum.Blanked = int(blanked)
	page := dbsqlc.SyncRunStoredListParams{
		TenantID: l.Binding.TenantID, BindingID: l.Binding.ID, Since: l.Since,
		// After all there are, and before all that come meanwhile.
		BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max, MaxRows: pageSize,
	}
	for {
		rows, err := w.queries.SyncRunStoredList(ctx, l.Pool, page)
		if err != nil {
			return sum, fmt.Errorf("read stored documents: %w", err)
		}
		for _, row := range rows {
			if sum.Cut = l.Limit > 0 && sum.Looked == l.Limit; sum.Cut {
				return sum, nil
			}
			d, err := w.one(ctx, row)
			if err != nil {
				return sum, fmt.Errorf("compare run %s: %w", row.ID, err)
			}
			sum.add(d.Changes)
			if len(d.Changes) == 0 {
				continue
			}
			if err := found(d); err != nil {
				return sum, err
			}
		}
		step(sum)
		if len(rows) < pageSize {
			return sum, nil
		}
		last := rows[len(rows)-1]
		page.BeforeAt, page.BeforeID = last.ReceivedAt, last.ID
	}
}

func (s *Summary) add(changes []Change) {
	s.Looked++
	if len(changes) == 0 {
		return
	}
	s.Different++
	has := map[Kind]bool{}
	for _, c := range changes {
		has[c.Kind] = true
	}
	for kind := range has {
		s.Kinds[kind]++
	}
}

type walk struct {
	Look
	queries *dbsqlc.Queries
	pinned  map[int32]policy.Policy // the versions that were met
}

// one builds a document twice.
func (w walk) one(ctx context.Context, row dbsqlc.SyncRunStoredListRow) (Difference, error) {
	d := Difference{ID: row.ID, Event: row.Event, MagentoEntityID: row.MagentoEntityID, ReceivedAt: row.ReceivedAt, Status: row.Status, PolicyVersion: row.PolicyVersion}
	sale, err := explain.SaleOf(row.Decision)
	if err != nil {
		return d, fmt.Errorf("read decision: %w", err)
	}
	q := explain.Question{
		Event: row.Event, Canonical: row.Canonical, OccurredAt: row.OccurredAt, StoreID: row.StoreID, Sale: sale, Wire: w.Binding.Wire,
		Known: w.contact(ctx), Items: w.items(ctx),
	}
	if q.Policy, err = w.before(ctx, row.PolicyVersion); err != nil {
		return d, err
	}
	before, err := ask(q, w.Ledger, w.Reference)
	if err != nil {
		return d, err
	}
	q.Policy = w.After
	after, err := ask(q, w.Ledger, w.Reference)
	if err != nil {
		return d, err
	}
	d.Number, d.Before, d.After = after.Number, before.outcome(), after.outcome()
	d.Changes, err = compare(before, after)
	return d, err
}

// before are the settings to compare with.
func (w walk) before(ctx context.Context, version int32) (policy.Policy, error) {
	if w.Before != nil {
		return *w.Before, nil
	}
	if p, ok := w.pinned[version]; ok {
		return p, nil
	}
	row, err := w.queries.PolicyGet(ctx, w.Pool, dbsqlc.PolicyGetParams{BindingID: w.Binding.ID, Version: version})
	if err != nil {
		return policy.Policy{}, fmt.Errorf("read policy version %d: %w", version, err)
	}
	p, _, err := policy.Parse(row.Policy)
	if err != nil {
		return p, fmt.Errorf("read policy version %d: %w", version, err)
	}
	w.pinned[version] = p
	return p, nil
}

// items answers which codes are on the price list, asked once for both sides: they are
// one document's.
func (w walk) items(ctx context.Context) func(codes []string) ([]string, error) {
	look, asked := explain.ItemsOf(ctx, w.Pool, w.Binding), false
	var there []string
	return func(codes []string) (_ []string, err error) {
		if !asked {
			there, err = look(codes)
			asked = err == nil
		}
		return there, err
	}
}

// contact reports whether the ledger has a buyer's contact, asked once for both sides.
func (w walk) contact(ctx context.Context) func(key string) (bool, error) {
	asked := map[string]bool{}
	return func(key string) (bool, error) {
		if known, ok := asked[key]; ok {
			return known, nil
		}
		rows, err := w.queries.EntityXrefList(ctx, w.Pool, dbsqlc.EntityXrefListParams{BindingID: w.Binding.ID, EntityTypes: []string{"contact"}, ShopIds: []string{key}})
		if err != nil {
			return false, fmt.Errorf("look up contact %q: %w", key, err)
		}
		asked[key] = len(rows) > 0
		return asked[key], nil
	}
}
