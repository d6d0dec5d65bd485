package dashboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
)

// auditPage is /dashboard/audit: who changed what, the newest first.
type auditPage struct {
	frame
	Who, Action, Tenant, Since, Until string
	Actions                           []string
	Tenants                           []dbsqlc.DashboardTenantListRow
	Rows                              []auditRow
	Older                             string // the address of the next page; empty: none
	Narrow                            bool
}

type auditRow struct {
	dbsqlc.AuditListRow
	What    string
	Changes []settingDiffers
}

// auditLog shows the changes that the filter in the address fits.
func (d *Dashboard) auditLog(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	page := auditPage{frame: d.frame(ctx, "Audit", sectionAudit), Actions: audit.Actions()}
	params, wrong := page.read(r.URL.Query())
	if wrong != "" {
		d.badRequest(w, r, wrong)
		return
	}
	params.MaxRows = int32(d.cfg.PageSize) + 1
	rows, err := d.queries.AuditList(ctx, d.cfg.Pool, params)
	if err == nil {
		page.Tenants, err = d.queries.DashboardTenantList(ctx, d.cfg.Pool)
	}
	if err != nil {
		d.away(w, r, err)
		return
	}
	if len(rows) > d.cfg.PageSize {
		rows = rows[:d.cfg.PageSize]
		query := r.URL.Query()
		query.Set("before", strconv.FormatInt(rows[len(rows)-1].ID, 10))
		page.Older = "/dashboard/audit?" + query.Encode()
	}
	for _, row := range rows {
		page.Rows = append(page.Rows, auditRow{AuditListRow: row, What: actionWords(row.Action), Changes: sides(row)})
	}
	d.show(w, http.StatusOK, d.pages.audit, page)
}

// read takes the filter; the text says what is wrong with it.
func (p *auditPage) read(query url.Values) (params dbsqlc.AuditListParams, wrong string) {
	p.Who, p.Action, p.Tenant = strings.TrimSpace(query.Get("who")), query.Get("action"), query.Get("tenant")
	p.Since, p.Until = query.Get("since"), query.Get("until")
	p.Narrow = p.Who+p.Action+p.Tenant+p.Since+p.Until != ""
	params.BeforeID = math.MaxInt64
	if strings.ContainsRune(p.Who, 0) || len(p.Who) > maxFilter {
		return params, "who= holds something that cannot be searched for."
	}
	if p.Who != "" {
		params.Who = &p.Who
	}
	if p.Action != "" {
		if !slices.Contains(p.Actions, p.Action) {
			return params, fmt.Sprintf("action=%s is not known; it is one of %s.", p.Action, strings.Join(p.Actions, ", "))
		}
		params.Action = &p.Action
	}
	if p.Tenant != "" {
		id, err := uuid.Parse(p.Tenant)
		if err != nil {
			return params, "tenant= is no id of a shop."
		}
		params.TenantID = &id
	}
	for name, day := range map[string]string{"since": p.Since, "until": p.Until} {
		if _, ok := dayOf(day, 0); day != "" && !ok {
			return params, fmt.Sprintf("%s=%s is no day; write it as 2026-04-29.", name, day)
		}
	}
	params.Since, _ = dayOf(p.Since, 0)
	params.Until, _ = dayOf(p.Until, 1)
	if before := query.Get("before"); before != "" {
		id, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return params, "before= is no page of this list. Begin at the newest."
		}
		params.BeforeID = id
	}
	return params, ""
}

// sides are what a change changed, part by part.
func sides(row dbsqlc.AuditListRow) []settingDiffers {
	var before, after map[string]json.RawMessage
	_ = json.Unmarshal(row.Before, &before) // of audit.Write: objects, or nothing
	_ = json.Unmarshal(row.After, &after)
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all []settingDiffers
	for _, name := range names {
		if name == "user" && before[name] == nil { // whose it is, and no change
			all = append(all, settingDiffers{Label: labelOf(name), Field: name, After: side(after[name])})
		} else if string(before[name]) != string(after[name]) {
			all = append(all, settingDiffers{Label: labelOf(name), Field: name, Before: side(before[name]), After: side(after[name])})
		}
	}
	return all
}

// actionWords is what was done, in plain words.
func actionWords(action string) string {
	switch action {
	case audit.TenantCreated:
		return "Shop added"
	case audit.TenantPaired:
		return "Shop paired"
	case audit.TenantChanged:
		return "Shop changed"
	case audit.KeyReplaced:
		return "Key of the shop replaced"
	case audit.TenantDeleted:
		return "Shop deleted"
	case audit.BindingCreated:
		return "Connection added"
	case audit.BindingChanged:
		return "Connection changed"
	case audit.TokenReplaced:
		return "Access token replaced"
	case audit.AppReplaced:
		return "App replaced"
	case audit.BindingRevoked:
		return "Disconnected"
	case audit.SettingsSaved:
		return "Settings saved"
	case audit.RunRetried:
		return "Run retried"
	case audit.RunCancelled:
		return "Run cancelled"
	case audit.RunsReleased:
		return "Held runs released"
	case audit.UserAdded:
		return "User added"
	case audit.UserChanged:
		return "User changed"
	case audit.UserDeleted:
		return "User deleted"
	case audit.RestoreTold:
		return "Restored database told"
	case audit.RestoreAcknowledged:
		return "Restored database acknowledged"
	}
	return action
}
