package gaps

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// Gap is a range of increment ids of one store that did not come, and what to do.
type Gap struct {
	Tenant    string    `json:"tenant"`
	TenantID  uuid.UUID `json:"tenant_id"`
	BindingID uuid.UUID `json:"binding_id"`
	Event     string    `json:"event"`
	StoreID   int64     `json:"store_id"`
	First     string    `json:"first"` // of the missing numbers, as the shop writes it
	Last      string    `json:"last"`
	Missing   int64     `json:"missing"`
	NoticedAt time.Time `json:"noticed_at"` // when the number after them came
	// IDs are the shop's entity ids that may be theirs, as backfill takes them; empty
	// where that cannot be told.
	IDs string `json:"ids"`
	// Certain: there are as many ids as numbers, so that they are theirs.
	Certain bool   `json:"certain"`
	Command string `json:"command"` // that asks for them, or that finds the ids in the shop's database
}

// Request says where to look.
type Request struct {
	Pool     *pgxpool.Pool
	TenantID *uuid.UUID // nil: all
	Since    time.Time  // of the events that are looked at; zero: all
	Most     int        // gaps
}

// Bounds of a look.
const (
	// jump is a distance between two numbers that is none: the store has another series.
	jump = 100_000
	// mostIDs is how far ids are told apart one by one.
	mostIDs = 1000
)

// List answers the gaps, by shop, binding, event, store and number.
func List(ctx context.Context, r Request) ([]Gap, error) {
	queries := dbsqlc.New()
	rows, err := queries.GapList(ctx, r.Pool, dbsqlc.GapListParams{TenantID: r.TenantID, Since: r.Since, Jump: jump, MaxRows: int32(r.Most)})
	if err != nil {
		return nil, fmt.Errorf("look for gaps: %w", err)
	}
	all := make([]Gap, 0, len(rows))
	for _, row := range rows {
		g := gapOf(row)
		ids, err := candidates(ctx, queries, r.Pool, row)
		if err != nil {
			return nil, err
		}
		g.advise(ids)
		all = append(all, g)
	}
	return all, nil
}

func gapOf(row dbsqlc.GapListRow) Gap {
	number := func(n int64) string { return fmt.Sprintf("%s%0*d%s", row.Prefix, row.Width, n, row.Suffix) }
	return Gap{
		Tenant: row.Tenant, TenantID: row.TenantID, BindingID: row.BindingID, Event: row.Event, StoreID: row.StoreID,
		First: number(row.Before + row.Step), Last: number(row.After - row.Step), Missing: (row.After-row.Before)/row.Step - 1, NoticedAt: row.NoticedAt,
	}
}

// candidates are the ids between those of the neighbours that no event has named: the
// shop gives ids over all its stores, in the order of its documents.
func candidates(ctx context.Context, queries *dbsqlc.Queries, pool *pgxpool.Pool, row dbsqlc.GapListRow) ([]int64, error) {
	if row.AfterID-row.BeforeID < 2 {
		return nil, nil
	}
	entity := "invoice"
	if row.Event == "creditmemo.created" {
		entity = "creditmemo"
	}
	ids, err := queries.GapIDs(ctx, pool, dbsqlc.GapIDsParams{
		TenantID: row.TenantID, BindingID: row.BindingID, EntityType: entity, Event: row.Event,
		First: row.BeforeID + 1, Last: row.AfterID - 1, MaxRows: mostIDs + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("look for ids: %w", err)
	}
	if len(ids) > mostIDs {
		return nil, nil
	}
	return ids, nil
}

// advise says how to ask for what is missing. To ask for an id too many is harmless: one
// that the shop does not have ends as not found, one of another store adds what is
// missing there.
func (g *Gap) advise(ids []int64) {
	if len(ids) == 0 {
		table := map[string]string{"invoice.created": "sales_invoice", "creditmemo.created": "sales_creditmemo"}[g.Event]
		g.Command = fmt.Sprintf("SELECT entity_id FROM %s WHERE increment_id BETWEEN '%s' AND '%s' AND store_id = %d", table, quoted(g.First), quoted(g.Last), g.StoreID)
		return
	}
	g.IDs, g.Certain = Ranges(ids), int64(len(ids)) == g.Missing
	g.Command = fmt.Sprintf("towpath backfill --binding %s --event %s --ids %s", g.BindingID, g.Event, g.IDs)
	if g.Event == "creditmemo.created" && g.StoreID > 0 {
		g.Command += fmt.Sprintf(" --store %d", g.StoreID)
	}
}

func quoted(s string) string { return strings.ReplaceAll(s, "'", "''") }

// Ranges writes ids as backfill reads them.
func Ranges(ids []int64) string {
	var parts []string
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		part := strconv.FormatInt(ids[i], 10)
		if j > i {
			part += "-" + strconv.FormatInt(ids[j], 10)
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ",")
}
