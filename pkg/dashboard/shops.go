package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/dbsqlc"
)

// shopsPage is /dashboard/shops.
type shopsPage struct {
	frame
	Shops []shop
	Cut   bool // there are more
}

// shopPage is /dashboard/shops/{id}.
type shopPage struct {
	frame
	shop
	Revoked []connection
	Notice  string
}

// shop is a tenant with its connections, whether it has any or not.
type shop struct {
	dbsqlc.ShopListRow
	Address  string // a link; empty: no web address
	Standing standing
	Last     moment
	Live     []connection
	Unbound  standing // what is to be done where no connection is live; empty: one is
	KeyUntil moment   // the key before is good until then; empty: there is none
}

const maxShops = 500

func (d *Dashboard) shopList(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	page := shopsPage{frame: d.frame(ctx, "Shops", sectionShops)}
	page.Refresh = d.cfg.Refresh
	rows, err := d.queries.ShopList(ctx, d.cfg.Pool, dbsqlc.ShopListParams{MaxRows: maxShops + 1})
	if err != nil {
		d.away(w, r, err)
		return
	}
	if len(rows) > maxShops {
		rows, page.Cut = rows[:maxShops], true
	}
	of, err := d.connectionsOf(ctx, nil, page.Now)
	if err != nil {
		d.away(w, r, err)
		return
	}
	for _, row := range rows {
		page.Shops = append(page.Shops, shopOf(page.Now, row, of[row.ID]))
	}
	d.show(w, http.StatusOK, d.pages.shops, page)
}

func (d *Dashboard) shop(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	id, ok := parseID(params.ByName("tenant"))
	if !ok {
		d.noShop(w, r)
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	page, found, err := d.readShop(ctx, id)
	switch {
	case err != nil:
		d.away(w, r, err)
	case !found:
		d.noShop(w, r)
	default:
		if r.URL.Query().Get("told") == "ended" {
			page.Notice = "Disconnected. What was synced stays known."
		}
		d.show(w, http.StatusOK, d.pages.shop, page)
	}
}

func (d *Dashboard) noShop(w http.ResponseWriter, r *http.Request) {
	page := d.about(r, "Not found", "There is no such shop", "The address may be cut short, or the shop belongs to another database.")
	page.Section = sectionShops
	d.show(w, http.StatusNotFound, d.pages.message, page)
}

func (d *Dashboard) readShop(ctx context.Context, id uuid.UUID) (page shopPage, found bool, err error) {
	now := d.cfg.Now()
	rows, err := d.queries.ShopList(ctx, d.cfg.Pool, dbsqlc.ShopListParams{ID: &id, MaxRows: 1})
	if err != nil || len(rows) == 0 {
		return page, false, err
	}
	of, err := d.connectionsOf(ctx, &id, now)
	if err != nil {
		return page, false, err
	}
	page.frame = d.frame(ctx, rows[0].Name, sectionShops)
	page.shop = shopOf(now, rows[0], of[id])
	for _, c := range of[id] {
		if c.RevokedAt != nil {
			page.Revoked = append(page.Revoked, c)
		}
	}
	return page, true, nil
}

// connectionsOf are the connections by shop: of one shop all there were, of all shops
// those that are live.
func (d *Dashboard) connectionsOf(ctx context.Context, tenant *uuid.UUID, now time.Time) (map[uuid.UUID][]connection, error) {
	params := dbsqlc.DashboardConnectionListParams{TenantID: tenant, RevokedSince: now, MaxRows: maxConnections}
	if tenant != nil {
		params.RevokedSince = time.Time{}
	}
	rows, err := d.queries.DashboardConnectionList(ctx, d.cfg.Pool, params)
	if err != nil {
		return nil, err
	}
	of := map[uuid.UUID][]connection{}
	backlogs, counted := d.backlogs(ctx)
	for _, row := range rows {
		c := connectionOf(now, row)
		c.Waiting, c.Counted = backlogs[row.ID], counted
		if d.cfg.Connect != nil {
			c.Button = c.buttonLabel()
		}
		of[row.TenantID] = append(of[row.TenantID], c)
	}
	return of, nil
}

func shopOf(now time.Time, row dbsqlc.ShopListRow, connections []connection) shop {
	s := shop{ShopListRow: row, Address: safeLink(&row.MagentoUrl), Last: moment{Text: "None yet"}}
	if row.LastEventAt != nil {
		s.Last = momentOf(now, "", row.LastEventAt)
	}
	if ahead(now, row.PreviousKeyUntil) {
		s.KeyUntil = momentOf(now, "Tokens of the key before are taken until", row.PreviousKeyUntil)
	}
	for _, c := range connections {
		if c.RevokedAt == nil {
			s.Live = append(s.Live, c)
		}
	}
	alone := connection{DashboardConnectionListRow: dbsqlc.DashboardConnectionListRow{
		TenantID: row.ID, MagentoUrl: row.MagentoUrl, ConnectionStatus: row.ConnectionStatus, Provider: "NAME",
		ShopSilentSince: row.SilentSince, ShopProbeAt: row.ProbeAt,
	}}
	if len(s.Live) > 0 {
		alone.Provider = s.Live[0].Provider
	} else {
		s.Unbound = unbound(row)
	}
	s.Standing = alone.shopStanding()
	return s
}

// Problems are what a person must do something about, the shop's own first.
func (s shop) Problems() []standing {
	var list []standing
	if s.Standing.Why != "" {
		list = append(list, s.Standing)
	}
	if s.Unbound.Why != "" {
		list = append(list, s.Unbound)
	}
	for _, c := range s.Live {
		if c.State.Why != "" {
			list = append(list, c.State)
		}
	}
	return list
}

// unbound is what a shop without a live connection needs.
func unbound(row dbsqlc.ShopListRow) standing {
	return standing{Tone: "held", Name: "No ledger",
		Why:     "It is connected to no ledger, so its events wait in its outbox, for about five days.",
		Do:      "Bind it to the account that its documents go into.",
		Command: "towpath binding create --tenant " + row.ID.String() + " --provider NAME --client-id ID --client-secret-file FILE"}
}
