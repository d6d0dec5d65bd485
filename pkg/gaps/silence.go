package gaps

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// Shop is how a shop's events come, by its own rhythm of the last weeks.
type Shop struct {
	Tenant   string     `json:"tenant"`
	TenantID uuid.UUID  `json:"tenant_id"`
	LastAt   *time.Time `json:"last_event_at"` // nil: it has sent none
	Silent   bool       `json:"silent"`
	// SilentAt is when it becomes, or became, quieter than its rhythm; nil where it
	// sends too seldom to tell within a week.
	SilentAt *time.Time `json:"silent_at"`
}

// The rule of silence. Of each hour since the last event it is counted in how many of
// the four weeks before it the same hour of the week had an event; a fifth week without
// one is added, so that nothing is ever certain. The chance that the hours since the last event were all empty, by these
// shares, must not fall below oddsOfSilence. So a night, or a week-end that is always
// quiet, says nothing, and a Monday morning without an order says it within hours.
// A shop that is known for less than twoWeeks, or had events in fewer than enoughHours
// hours, is silent after twice its longest pause, a day at least.
const (
	rhythmWeeks   = 6 // that are read
	shareWeeks    = 4
	oddsOfSilence = 0.001
	twoWeeks      = 14 * 24 * time.Hour
	enoughHours   = 20
	lookAhead     = 7 * 24 * time.Hour
)

const week = 7 * 24 * time.Hour

// rhythm is the hours that had an event, as the first of each.
type rhythm []time.Time

// quietAt answers when a shop whose last event came then is too quiet; false where not
// within a week of now.
func (r rhythm) quietAt(last, now time.Time) (time.Time, bool) {
	if len(r) < 2 {
		return time.Time{}, false
	}
	if last.Sub(r[0]) < twoWeeks || len(r) < enoughHours {
		longest := 24 * time.Hour / 2
		for i := 1; i < len(r); i++ {
			longest = max(longest, r[i].Sub(r[i-1]))
		}
		return last.Add(2 * longest), true
	}
	had := map[time.Time]bool{}
	for _, at := range r {
		had[at.UTC().Truncate(time.Hour)] = true
	}
	odds := 1.0
	for hour := last.UTC().Truncate(time.Hour).Add(time.Hour); hour.Before(now.Add(lookAhead)); hour = hour.Add(time.Hour) {
		share := 0.0
		for back := 1; back <= shareWeeks; back++ {
			if had[hour.Add(-time.Duration(back)*week)] {
				share += 1.0 / (shareWeeks + 1)
			}
		}
		if odds *= 1 - share; odds < oddsOfSilence {
			return hour.Add(time.Hour), true // that hour has to be over
		}
	}
	return time.Time{}, false
}

// Shops answers the shops that have a live binding, by name. What was asked for by
// backfill is not their rhythm.
func Shops(ctx context.Context, pool *pgxpool.Pool, now time.Time) ([]Shop, error) {
	queries := dbsqlc.New()
	hours, err := queries.ArrivalHourList(ctx, pool, now.Add(-rhythmWeeks*week))
	if err != nil {
		return nil, fmt.Errorf("read the shops' rhythm: %w", err)
	}
	rows, err := queries.ArrivalLastList(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("read the shops' last events: %w", err)
	}
	last := map[uuid.UUID]time.Time{}
	for _, row := range rows {
		last[row.TenantID] = row.ReceivedAt
	}
	var all []Shop
	for i := 0; i < len(hours); {
		j, r := i, rhythm(nil)
		for ; j < len(hours) && hours[j].TenantID == hours[i].TenantID; j++ {
			if hours[j].At.Year() > 1 { // the walk ends with none
				r = append(r, hours[j].At)
			}
		}
		if hours[i].Live {
			all = append(all, shopOf(hours[i], r, last, now))
		}
		i = j
	}
	return all, nil
}

func shopOf(row dbsqlc.ArrivalHourListRow, r rhythm, last map[uuid.UUID]time.Time, now time.Time) Shop {
	s := Shop{Tenant: row.Tenant, TenantID: row.TenantID}
	at, ok := last[row.TenantID]
	if !ok {
		return s
	}
	s.LastAt = &at
	if len(r) == 0 && now.Sub(at) > rhythmWeeks*week { // it had a rhythm once
		quiet := at.Add(rhythmWeeks * week)
		s.Silent, s.SilentAt = true, &quiet
		return s
	}
	if quiet, ok := r.quietAt(at, now); ok {
		s.SilentAt, s.Silent = &quiet, !quiet.After(now)
	}
	return s
}
