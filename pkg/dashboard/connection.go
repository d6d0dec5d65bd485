package dashboard

import (
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider/specs"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
)

// How a connection gets its access tokens; empty: it has a fixed one.
const (
	byApp     = "client_credentials"
	byConsent = "authorization_code"
)

// connection is a binding as its page shows it.
type connection struct {
	dbsqlc.DashboardConnectionListRow
	Ledger, Speaks string // "Xero", "Accounting API"
	ShopAddress    string // a link; empty: no web address
	Shop, State    standing
	Method         string
	FixedToken     bool
	ByConsent      bool
	Token          moment
	Reference      moment
	Calls          usage
	Pause          moment // the provider wants none until then; empty: it said no such thing
	Turn           moment // why nothing, or not everything, is called now; empty: calls go
	Waiting        dbsqlc.DashboardBacklogListRow
	Counted        bool   // Waiting is known
	Takes          string // how long what waits will take; empty: nothing waits
	Button         string // its label; empty: none
	Ended          moment // of a revoked one
	Last           moment // the shop's last event; empty: not known
	Quiet          bool   // the shop is quieter than usual
}

// moment is a sentence that may end with a time.
type moment struct {
	Text string
	At   *time.Time
	Near string // the time, as it is from now
}

func momentOf(now time.Time, text string, at *time.Time) moment {
	if at == nil {
		return moment{Text: text}
	}
	return moment{text, at, relative(now, *at)}
}

func connectionOf(now time.Time, row dbsqlc.DashboardConnectionListRow) connection {
	c := connection{
		DashboardConnectionListRow: row, Ledger: specs.Title(row.Provider), Speaks: specs.Wire(row.Provider, row.Wire).Title,
		ShopAddress: safeLink(&row.MagentoUrl), Calls: usageOf(now, row), Ended: momentOf(now, "", row.RevokedAt),
		FixedToken: row.HasFixedToken || row.AppKind == "",
	}
	c.ByConsent = !c.FixedToken && row.AppKind == byConsent
	c.Shop, c.State = c.shopStanding(), c.standing()
	c.Method, c.Token = c.method(), c.token(now)
	c.Reference, c.Pause, c.Turn = c.reference(now), c.pause(now), c.turn(now)
	return c
}

// Works reports whether neither side needs a person.
func (c connection) Works() bool { return c.Shop.Why == "" && c.State.Why == "" }

// Urgent reports whether connecting is what a person has to do.
func (c connection) Urgent() bool { return c.State.Why != "" }

// Open are all that wait.
func (c connection) Open() int64 { return c.Waiting.ToFetch + c.Waiting.ToPost + c.Waiting.Held }

// tally is a number of runs, and where they are listed. The list knows tenants
// only: two connections of one tenant share it.
type tally struct {
	Runs    int64
	Address string
}

// ToRead are the runs that wait to be read from the shop.
func (c connection) ToRead() tally { return c.tally(c.Waiting.ToFetch, syncrun.Queued) }

// ToPost are those that wait to be written to the ledger.
func (c connection) ToPost() tally { return c.tally(c.Waiting.ToPost, syncrun.Queued) }

// Held are those that wait for something outside to change.
func (c connection) Held() tally { return c.tally(c.Waiting.Held, syncrun.Held) }

func (c connection) tally(runs int64, status string) tally {
	return tally{runs, filter{Status: status, Tenant: c.TenantID.String()}.address()}
}

// Problems are what a person must do something about.
func (c connection) Problems() []standing {
	var list []standing
	for _, s := range []standing{c.State, c.Shop} {
		if s.Why != "" {
			list = append(list, s)
		}
	}
	return list
}

// buttonLabel is empty where there is no app to connect with.
func (c connection) buttonLabel() string {
	switch {
	case c.AppKind == "" || c.Status == isRevoked:
		return ""
	case c.Status == isActive:
		return "Reconnect"
	case c.AppHasTokens:
		return "Connect again"
	}
	return "Connect"
}

// documents are what waits and is not held for a reason of its own.
func documents(waiting dbsqlc.DashboardBacklogListRow) int64 {
	return waiting.ToFetch + waiting.ToPost + waiting.HeldForAccess
}

// takes says how long what waits will take once nothing stands in its way, with the
// documents of all connections to the organisation: they share its calls.
func (c connection) takes(documents int64) string {
	wire := specs.Wire(c.Provider, c.Wire)
	limits := wire.Limits
	if c.Calls.PerMinute > 0 { // it has called; one of two is always left to backfill
		limits = c.Calls.limits
		limits.PerMinute = max(limits.PerMinute, 2)
	}
	words := roughly(quota.Estimate(limits, documents, wire.Batch, nil))
	if day := c.Calls.day; day != nil {
		takes := quota.Estimate(limits, documents, wire.Batch, &quota.Allowance{Left: day.Left, Limit: day.Limit})
		if takes >= 24*time.Hour {
			words = roughly(takes) + ", more than one day's limit"
		}
	}
	if !c.Works() {
		words += ", once it is connected"
	}
	return words
}
