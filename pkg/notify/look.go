package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath/pkg/advice"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/gaps"
)

// How often what is alike is told at most. What comes meanwhile is in the next message.
const (
	runsWindow       = 15 * time.Minute
	connectionWindow = 5 * time.Minute
	silenceWindow    = 5 * time.Minute // the look is not for nothing
	// settled is how long ago a run must have ended to be counted: its end may have a time
	// before its commit.
	settled = 30 * time.Second
	// mostBack bounds what is told after nobody was told for long.
	mostBack = 24 * time.Hour
)

// The advisory lock of who looks, beside that of pkg/retention.
const (
	lockClass  = 844322
	lockNumber = 2
)

// Look finds what is to be told and puts it into the outbox. What is told and that it was
// told are one commit: if the process dies before it, the next look finds the same.
func (n *Notifier) Look(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, n.pool, func(tx pgx.Tx) error {
		queries := dbsqlc.New()
		mine, err := queries.RetentionLock(ctx, tx, dbsqlc.RetentionLockParams{Class: lockClass, Number: lockNumber})
		if err != nil || !mine {
			return err
		}
		now := n.now().UTC()
		looks := []func(context.Context, pgx.Tx, time.Time) error{n.connections, n.runs, n.silent, n.day}
		for _, look := range looks {
			if err := look(ctx, tx, now); err != nil {
				return err
			}
		}
		_, err = queries.NotificationSweep(ctx, tx, now.Add(-keep))
		return err
	})
	if isReadOnly(err) {
		return nil // a standby, or a server that is failed over: the next one is asked
	}
	return err
}

// isReadOnly reports whether a server takes no writes.
func isReadOnly(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "25006"
}

// mark reads what was told last; false: nothing yet.
func mark(ctx context.Context, tx pgx.Tx, name string, into any) (bool, error) {
	raw, err := dbsqlc.New().NotificationMarkGet(ctx, tx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return false, fmt.Errorf("read mark %q: %w", name, err)
	}
	return true, nil
}

func setMark(ctx context.Context, tx pgx.Tx, name string, value any) error {
	raw, err := json.Marshal(value)
	if err == nil {
		err = dbsqlc.New().NotificationMarkSet(ctx, tx, dbsqlc.NotificationMarkSetParams{Name: name, Value: raw})
	}
	if err != nil {
		return fmt.Errorf("set mark %q: %w", name, err)
	}
	return nil
}

// toldOf is the mark of things that are there or not: those that were told of.
type toldOf struct {
	At    time.Time         `json:"at"`
	There map[string]string `json:"there"` // by key, in words
}

// changes are the words of what has come and what has gone, in order.
func (t toldOf) changes(now map[string]string) (come, gone []string) {
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if _, told := t.There[key]; !told {
			come = append(come, now[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.There)) {
		if _, still := now[key]; !still {
			gone = append(gone, t.There[key])
		}
	}
	return come, gone
}

// connections tells what is lost, and what of it is mended.
func (n *Notifier) connections(ctx context.Context, tx pgx.Tx, now time.Time) error {
	rows, err := dbsqlc.New().NotificationLostList(ctx, tx)
	if err != nil {
		return fmt.Errorf("look for lost connections: %w", err)
	}
	lost, groups := map[string]string{}, []Group{}
	for _, row := range rows {
		lost[row.Key] = oneLine(row.Tenant) + ": " + problemWords(row.Problem, row.Provider)
		groups = append(groups, Group{Tenant: row.Tenant, Provider: row.Provider, Status: "lost", Reason: row.Problem})
	}
	var told toldOf
	if _, err := mark(ctx, tx, "connections", &told); err != nil {
		return err
	}
	come, gone := told.changes(lost)
	if len(come)+len(gone) == 0 || now.Sub(told.At) < connectionWindow {
		return nil
	}
	title := counted(int64(len(come)), "connection") + " lost"
	if len(come) == 0 {
		title = counted(int64(len(gone)), "connection") + " mended"
	}
	lines := come
	for _, words := range gone {
		lines = append(lines, "mended: "+words)
	}
	if err := n.put(ctx, tx, Message{Type: TypeConnections, Timestamp: now, Data: Data{
		Title: title, Lines: lines, Groups: groups, URL: n.cfg.BaseURL + "/dashboard/connections",
	}}); err != nil {
		return err
	}
	return setMark(ctx, tx, "connections", toldOf{At: now, There: lost})
}

// problemWords says what is wrong with a connection and what mends it.
func problemWords(problem, provider string) string {
	switch problem {
	case "needs_consent":
		return provider + " refuses the token; its runs wait. Connect it again"
	case "token_revoked":
		return "the shop refuses our key; its runs wait. Pair it again"
	case "shop_no_answer":
		return "the shop takes calls and does not answer; its runs wait, and it is asked again by itself"
	case "ledger_no_answer":
		return provider + " takes calls and does not answer; its runs wait, and it is asked again by itself"
	}
	return "the server that renews tokens does not answer; it is asked again by itself"
}

// toldRuns is the mark of runs: the end of the last window, and how many were held then.
type toldRuns struct {
	Until time.Time        `json:"until"`
	Held  map[string]int64 `json:"held"` // by binding and reason
}

// runs tells once a window, by binding and reason, how many have failed since the last one,
// and what is held anew, or by now twice as many as were told.
func (n *Notifier) runs(ctx context.Context, tx pgx.Tx, now time.Time) error {
	var told toldRuns
	if _, err := mark(ctx, tx, "runs", &told); err != nil {
		return err
	}
	until := now.Add(-settled)
	if until.Sub(told.Until) < runsWindow {
		return nil
	}
	queries := dbsqlc.New()
	since := told.Until
	if oldest := until.Add(-mostBack); since.Before(oldest) {
		since = oldest
	}
	failed, err := queries.NotificationFailedList(ctx, tx, dbsqlc.NotificationFailedListParams{Since: since, Until: until, Unreadable: advice.UnreadablePattern})
	if err != nil {
		return fmt.Errorf("count failed runs: %w", err)
	}
	held, err := queries.NotificationHeldList(ctx, tx)
	if err != nil {
		return fmt.Errorf("count held runs: %w", err)
	}
	groups, total := []Group{}, int64(0)
	add := func(g Group) {
		groups = append(groups, g)
		total += g.Runs
	}
	for _, f := range failed {
		add(Group{Tenant: f.Tenant, Binding: &f.BindingID, Provider: f.Provider, Status: "failed", Reason: f.Reason, Runs: f.Runs, unreadable: f.Unreadable})
	}
	next := toldRuns{Until: until, Held: map[string]int64{}}
	for _, h := range held {
		key := h.BindingID.String() + " " + h.Reason
		if next.Held[key] = told.Held[key]; told.Held[key] == 0 || h.Runs >= 2*told.Held[key] {
			next.Held[key] = h.Runs
			add(Group{Tenant: h.Tenant, Binding: &h.BindingID, Provider: h.Provider, Status: "held", Reason: h.Reason, Runs: h.Runs})
		}
	}
	if len(groups) > 0 {
		if err := n.put(ctx, tx, n.runsMessage(now, groups, total)); err != nil {
			return err
		}
	}
	return setMark(ctx, tx, "runs", next)
}

// mostLines bounds a message: an installation of hundreds of shops has as many groups.
const mostLines = 50

func (n *Notifier) runsMessage(now time.Time, groups []Group, total int64) Message {
	lines := []string{}
	for i, g := range groups {
		if i == mostLines {
			lines = append(lines, fmt.Sprintf("and %d more", len(groups)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s, %s", oneLine(g.Tenant), counted(g.Runs, "run"), g.Status, g.words()))
	}
	return Message{Type: TypeRuns, Timestamp: now, Data: Data{
		Title: counted(total, "run") + " failed or held", Lines: lines, Groups: groups[:min(len(groups), mostLines)], URL: n.cfg.BaseURL + "/dashboard/sync?status=" + groups[0].Status,
	}}
}

// words is the reason, and where the code does not tell it what to do.
func (g Group) words() string {
	if g.unreadable == 0 {
		return g.Reason
	}
	which := ""
	if g.unreadable < g.Runs {
		which = fmt.Sprintf("%d of them: ", g.unreadable)
	}
	return fmt.Sprintf("%s (%sthe shop's answer cannot be read; the run's message names what to mend in the shop, then retry it)", g.Reason, which)
}

// silent tells of shops that have become quieter than their rhythm. That one sends again is
// not told.
func (n *Notifier) silent(ctx context.Context, tx pgx.Tx, now time.Time) error {
	var told toldOf
	if _, err := mark(ctx, tx, "silence", &told); err != nil || now.Sub(told.At) < silenceWindow {
		return err
	}
	shops, err := gaps.Shops(ctx, n.pool, now)
	if err != nil {
		return err
	}
	quiet := map[string]string{}
	for _, shop := range shops {
		if shop.Silent && shop.LastAt != nil {
			quiet[shop.TenantID.String()] = oneLine(shop.Tenant) + ": no event since " + shop.LastAt.UTC().Format("2006-01-02 15:04 UTC")
		}
	}
	if come, _ := told.changes(quiet); len(come) > 0 {
		if err := n.put(ctx, tx, Message{Type: TypeSilent, Timestamp: now, Data: Data{
			Title: counted(int64(len(come)), "shop") + " quieter than usual", Lines: come, URL: n.cfg.BaseURL + "/dashboard/sync",
		}}); err != nil {
			return err
		}
	}
	return setMark(ctx, tx, "silence", toldOf{At: now, There: quiet})
}

// day tells once a day what the last 24 hours came to. The first one comes at the first
// time that is reached while somebody is told.
func (n *Notifier) day(ctx context.Context, tx pgx.Tx, now time.Time) error {
	if n.cfg.DailyAt < 0 {
		return nil
	}
	end := now.Truncate(24 * time.Hour).Add(n.cfg.DailyAt)
	if end.After(now) {
		end = end.Add(-24 * time.Hour)
	}
	var told time.Time
	known, err := mark(ctx, tx, "day", &told)
	if err != nil || known && !told.Before(end) {
		return err
	}
	if known {
		if err := n.summary(ctx, tx, now, end); err != nil {
			return err
		}
	}
	return setMark(ctx, tx, "day", end)
}

func (n *Notifier) summary(ctx context.Context, tx pgx.Tx, now, end time.Time) error {
	rows, err := dbsqlc.New().NotificationDayList(ctx, tx, dbsqlc.NotificationDayListParams{Since: end.Add(-24 * time.Hour), Until: end})
	if err != nil {
		return fmt.Errorf("count the day's runs: %w", err)
	}
	groups, lines, total := []Group{}, []string{}, int64(0)
	for _, row := range rows {
		groups = append(groups, Group{Tenant: row.Tenant, Status: row.Status, Runs: row.Runs})
		total += row.Runs
		if len(lines) < mostLines {
			lines = append(lines, fmt.Sprintf("%s: %s %s", oneLine(row.Tenant), counted(row.Runs, "run"), row.Status))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "No event came.")
	}
	return n.put(ctx, tx, Message{Type: TypeDay, Timestamp: now, Data: Data{
		Title: counted(total, "run") + " in the 24 hours to " + end.Format("2006-01-02 15:04 UTC"), Lines: lines, Groups: groups[:min(len(groups), mostLines)], URL: n.cfg.BaseURL + "/dashboard/sync",
	}})
}
