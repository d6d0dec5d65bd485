package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	Status  string `placeholder:"STATUS" help:"Only runs in this status: queued, running, held, succeeded, skipped_by_policy, failed, cancelled."`
	Event   string `placeholder:"EVENT" help:"Only runs of this event, e.g. invoice.created."`
	Invoice string `name:"invoice" aliases:"search" placeholder:"NUMBER" help:"Only runs of this number (of invoice, credit memo or order, or the provider's), or of this buyer (name, e-mail) or amount."`
	Tenant  string `placeholder:"UUID" help:"Only runs of this tenant."`
	Error   string `placeholder:"CODE" help:"Only runs with this error_code, or held or skipped for this reason, e.g. validation, period_locked."`
	Since   string `placeholder:"TIME" help:"Only runs received since: RFC 3339, YYYY-MM-DD, or a duration such as 30d or 24h."`
	Until   string `placeholder:"TIME" help:"Only runs received before: as --since."`
	Limit   int32  `default:"100" help:"At most so many runs."`
}

func (f runFilter) empty() bool {
	return f.Status == "" && f.Event == "" && f.Tenant == "" && f.Error == "" && f.Since == "" && f.Until == "" && f.Invoice == ""
}

// sayIfCut warns where more runs may fit than were taken.
func (f runFilter) sayIfCut(io console, found int, more string) {
	if found >= int(f.Limit) {
		fmt.Fprintf(io.err, "towpath: only the newest %d are taken; %s\n", f.Limit, more)
	}
}

func (f runFilter) params(now time.Time) (dbsqlc.SyncRunListParams, error) {
	params := dbsqlc.SyncRunListParams{Status: optional(f.Status), Event: optional(f.Event), ErrorCode: optional(f.Error), MaxRows: f.Limit}
	if statuses := syncrun.Statuses(); f.Status != "" && !slices.Contains(statuses, f.Status) {
		return params, wrongUse("--status is %q; use %s", f.Status, strings.Join(statuses, ", "))
	}
	if f.Event != "" && !syncrun.KnownEvent(f.Event) {
		return params, wrongUse("--event is %q; use %s", f.Event, strings.Join(metrics.Events(), ", "))
	}
	if reasons := metrics.Reasons(); f.Error != "" && !slices.Contains(reasons, f.Error) {
		return params, wrongUse("--error is %q; use %s", f.Error, strings.Join(reasons, ", "))
	}
	if f.Limit < 1 {
		return params, wrongUse("--limit is %d; use 1 or more", f.Limit)
	}
	if f.Tenant != "" {
		id, err := uuid.Parse(f.Tenant)
		if err != nil {
			return params, wrongUse("--tenant is %q; use a UUID (see: towpath tenant list)", f.Tenant)
		}
		params.TenantID = &id
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

// knownTenant refuses a filter by a tenant that is not there.
func knownTenant(ctx context.Context, pool *pgxpool.Pool, id *uuid.UUID) error {
	if id == nil {
		return nil
	}
	_, err := dbsqlc.New().TenantGet(ctx, pool, *id)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("there is no tenant %s (see: towpath tenant list)", *id)
	}
	return err
}

// find narrows the list to the runs that the search finds.
func (f runFilter) find(ctx context.Context, pool *pgxpool.Pool, params *dbsqlc.SyncRunListParams) error {
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
	if err := knownTenant(ctx, pool, params.TenantID); err != nil {
		return err
	}
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
