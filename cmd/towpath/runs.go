package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/find"
	"towpath/pkg/metrics"
	"towpath/pkg/syncrun"
)

type runsCommand struct {
	List   runsList   `cmd:"" help:"List runs, newest first."`
	Show   runsShow   `cmd:"" help:"One run with its history."`
	Retry  runsRetry  `cmd:"" help:"Start an ended run over, or let a waiting one go on now."`
	Cancel runsCancel `cmd:"" help:"End live runs; the shop is told that they failed."`
}

// runFilter narrows a list of runs.
type runFilter struct {
	Status  []string `placeholder:"STATUS" help:"Only runs in this status: queued, running, held, succeeded, skipped_by_policy, failed, cancelled. Several: a,b or the flag again."`
	Event   []string `placeholder:"EVENT" help:"Only runs of this event, e.g. invoice.created; several as for --status."`
	Invoice string   `name:"invoice" aliases:"search" placeholder:"NUMBER" help:"Only runs of this number (of invoice, credit memo or order, or the provider's), or of this buyer (name, e-mail) or amount."`
	Tenant  []string `sep:"none" placeholder:"TENANT" help:"Only runs of this tenant, by its id or name; several: the flag again."`
	Error   []string `placeholder:"CODE" help:"Only runs with this error_code, or held or skipped for this reason, e.g. validation, period_locked; several as for --status."`
	Since   string   `placeholder:"TIME" help:"Only runs received since: RFC 3339, YYYY-MM-DD, or a duration such as 30d or 24h."`
	Until   string   `placeholder:"TIME" help:"Only runs received before: as --since."`
	Limit   int32    `default:"100" help:"At most so many runs."`
}

func (f runFilter) empty() bool {
	return len(f.Status)+len(f.Event)+len(f.Tenant)+len(f.Error) == 0 && f.Since == "" && f.Until == "" && f.Invoice == ""
}

// sayIfCut warns where more runs may fit than were taken.
func (f runFilter) sayIfCut(io console, found int, more string) {
	if found >= int(f.Limit) {
		fmt.Fprintf(io.err, "towpath: only the newest %d are taken; %s\n", f.Limit, more)
	}
}

// params are the filters that need no database.
func (f runFilter) params(now time.Time) (params dbsqlc.SyncRunListParams, err error) {
	params.MaxRows = f.Limit
	if params.Statuses, err = oneOf("--status", f.Status, syncrun.Statuses()); err != nil {
		return params, err
	}
	if params.Events, err = oneOf("--event", f.Event, metrics.Events()); err != nil {
		return params, err
	}
	if params.Reasons, err = oneOf("--error", f.Error, metrics.Reasons()); err != nil {
		return params, err
	}
	if f.Limit < 1 {
		return params, wrongUse("--limit is %d; use 1 or more", f.Limit)
	}
	if f.Since != "" {
		since, err := parseSince("--since", f.Since, now)
		if err != nil {
			return params, err
		}
		params.Since = &since
	}
	if f.Until != "" {
		until, err := parseSince("--until", f.Until, now)
		if err != nil {
			return params, err
		}
		params.Until = &until
	}
	return params, nil
}

// find adds the filters that the database answers: tenants by their names, runs by what
// is searched for.
func (f runFilter) find(ctx context.Context, pool *pgxpool.Pool, params *dbsqlc.SyncRunListParams) error {
	for _, name := range f.Tenant {
		tenant, err := findTenant(ctx, pool, name)
		if err != nil {
			return err
		}
		params.Tenants = append(params.Tenants, tenant.ID)
	}
	if f.Invoice == "" {
		return nil
	}
	found, err := find.Runs(ctx, pool, find.Request{Text: f.Invoice, Since: params.Since, Until: params.Until})
	params.Found = found
	return err
}

func parseSince(flag, text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, err := parseMoment(text); err == nil {
		return t, nil
	}
	return time.Time{}, wrongUse("%s is %q; use 2026-04-29T10:00:00Z, 2026-04-29, 30d or 24h", flag, text)
}

// parseMoment reads a time of RFC 3339, or a day, which begins at midnight UTC.
func parseMoment(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, text)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// runView is a run as the list prints it, fields named as the columns.
type runView struct {
	ID                uuid.UUID  `json:"id"`
	TenantID          uuid.UUID  `json:"tenant_id"`
	Tenant            string     `json:"tenant"`
	BindingID         uuid.UUID  `json:"binding_id"`
	Provider          string     `json:"provider"`
	Event             string     `json:"event"`
	EntityType        string     `json:"entity_type"`
	MagentoEntityID   int64      `json:"magento_entity_id"`
	IdempotencyKey    string     `json:"idempotency_key"`
	Status            string     `json:"status"`
	Stage             string     `json:"stage"`
	Attempt           int32      `json:"attempt"`
	NextAttemptAt     *time.Time `json:"next_attempt_at"`
	HoldReason        *string    `json:"hold_reason"`
	SkipReason        *string    `json:"skip_reason"`
	ErrorCode         *string    `json:"error_code"`
	ErrorMessage      *string    `json:"error_message"`
	ProviderEntityID  *string    `json:"provider_entity_id"`
	ProviderReference *string    `json:"provider_reference"`
	ProviderUrl       *string    `json:"provider_url"`
	ShopTold          *string    `json:"shop_told"`
	OccurredAt        time.Time  `json:"occurred_at"`
	ReceivedAt        time.Time  `json:"received_at"`
	FinishedAt        *time.Time `json:"finished_at"`
	ToldAt            *time.Time `json:"told_at"`
	Number            string     `json:"number"`
	Customer          string     `json:"customer"`
	Amount            string     `json:"amount"`
	Currency          string     `json:"currency"`
}

type runsList struct {
	database
	printed
	runFilter
}

// Run prints the runs.
func (c runsList) Run(ctx context.Context, io console) error {
	params, err := c.params(time.Now())
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := c.find(ctx, pool, &params); err != nil {
		return err
	}
	list, err := dbsqlc.New().SyncRunList(ctx, pool, params)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	return c.print(io, list)
}

func (c runsList) print(io console, list []dbsqlc.SyncRunListRow) error {
	views := []runView{}
	rows := [][]string{}
	for _, r := range list {
		views = append(views, runView(r))
		rows = append(rows, []string{r.ID.String(), r.ReceivedAt.Format(time.RFC3339), r.Tenant, r.Event,
			fmt.Sprint(r.MagentoEntityID), r.Number, r.Customer, strings.TrimSpace(r.Amount + " " + r.Currency), r.Status, reasonOf(r), text(r.ProviderReference)})
	}
	if c.JSON {
		return printJSON(io.out, views)
	}
	c.sayIfCut(io, len(list), "--limit takes more")
	return printTable(io.out, []string{"id", "received_at", "tenant", "event", "entity", "number", "customer", "amount", "status", "reason", "reference"}, rows)
}

func reasonOf(r dbsqlc.SyncRunListRow) string {
	for _, reason := range []*string{r.HoldReason, r.SkipReason, r.ErrorCode} {
		if reason != nil {
			return *reason
		}
	}
	return ""
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
