package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
)

type auditCommand struct {
	List auditList `cmd:"" help:"Who changed what, the newest first: what the page Audit shows."`
}

type auditList struct {
	database
	printed
	Who    string `placeholder:"NAME" help:"Only changes by this person: a user of the pages, or cli:NAME; in whatever case."`
	Action string `aliases:"what" placeholder:"ACTION" help:"Only changes of this kind, e.g. settings.saved, user.changed; an unknown one names all."`
	Tenant string `placeholder:"TENANT" help:"Only changes of this tenant, by its id or name."`
	Since  string `placeholder:"TIME" help:"Only changes since: RFC 3339, YYYY-MM-DD, or a duration such as 30d or 24h."`
	Until  string `placeholder:"TIME" help:"Only changes before: as --since."`
	Limit  int32  `default:"100" placeholder:"N" help:"At most so many (${default})."`
}

// auditView is a change as the command prints it.
type auditView struct {
	ID        int64           `json:"id"`
	At        time.Time       `json:"at"`
	Who       string          `json:"who"`
	Action    string          `json:"action"`
	TenantID  *uuid.UUID      `json:"tenant_id"`
	Tenant    string          `json:"tenant"` // its name; empty where there is none, or none any more
	BindingID *uuid.UUID      `json:"binding_id"`
	RunID     *uuid.UUID      `json:"run_id"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
}

func viewAudit(row dbsqlc.AuditListRow) auditView {
	return auditView{ID: row.ID, At: row.At, Who: row.Who, Action: row.Action, TenantID: row.TenantID, Tenant: row.Tenant, BindingID: row.BindingID,
		RunID: row.RunID, Before: row.Before, After: row.After}
}

// params are the filters that need no database.
func (c auditList) params(now time.Time) (params dbsqlc.AuditListParams, err error) {
	params = dbsqlc.AuditListParams{BeforeID: math.MaxInt64, Who: optional(c.Who), MaxRows: c.Limit}
	if c.Limit < 1 {
		return params, wrongUse("--limit is %d; use 1 or more", c.Limit)
	}
	if c.Action != "" {
		known, err := oneOf("--action", []string{c.Action}, audit.Actions())
		if err != nil {
			return params, err
		}
		params.Action = &known[0]
	}
	for _, end := range []struct {
		flag, text string
		into       **time.Time
	}{{"--since", c.Since, &params.Since}, {"--until", c.Until, &params.Until}} {
		if end.text == "" {
			continue
		}
		at, err := parseSince(end.flag, end.text, now)
		if err != nil {
			return params, err
		}
		*end.into = &at
	}
	return params, nil
}

// Run prints the changes that fit.
func (c auditList) Run(ctx context.Context, io console) error {
	params, err := c.params(time.Now())
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	if c.Tenant != "" {
		tenant, err := findTenant(ctx, pool, c.Tenant)
		if err != nil {
			return err
		}
		params.TenantID = &tenant.ID
	}
	rows, err := dbsqlc.New().AuditList(ctx, pool, params)
	if err != nil {
		return fmt.Errorf("list the audit: %w", err)
	}
	if len(rows) == int(c.Limit) {
		fmt.Fprintf(io.err, "towpath: only the newest %d; --limit takes more\n", c.Limit)
	}
	return printList(io, c.JSON, rows, viewAudit, []string{"at", "who", "action", "tenant", "run_id", "changed"}, func(row dbsqlc.AuditListRow) []string {
		tenant, run := row.Tenant, ""
		if tenant == "" && row.TenantID != nil {
			tenant = row.TenantID.String()
		}
		if row.RunID != nil {
			run = row.RunID.String()
		}
		return []string{row.At.UTC().Format(time.RFC3339), row.Who, row.Action, tenant, run, changedParts(row)}
	})
}

// changedParts are the parts that differ, in one line: field: before -> after.
func changedParts(row dbsqlc.AuditListRow) string {
	before, after := audit.Sides(row.Action, row.Before, row.After)
	both := maps.Clone(before)
	if both == nil {
		both = map[string]json.RawMessage{}
	}
	maps.Copy(both, after)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(both)) {
		switch was, is := before[name], after[name]; {
		case bytes.Equal(was, is):
		case was == nil:
			parts = append(parts, fmt.Sprintf("%s: %s", name, is))
		case is == nil:
			parts = append(parts, fmt.Sprintf("%s: %s -> nothing", name, was))
		default:
			parts = append(parts, fmt.Sprintf("%s: %s -> %s", name, was, is))
		}
	}
	return strings.Join(parts, "; ")
}
