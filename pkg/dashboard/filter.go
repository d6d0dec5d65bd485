package dashboard

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"towpath/pkg/syncrun"
)

// filter is what the list is narrowed to, as it stands in the address.
type filter struct {
	Status, Event, Tenant, Error string // empty: all
	Query                        string // number, name, e-mail, amount or id
	Since, Until                 string // days (UTC), both included
	Before                       string // a cursor; empty: from the newest
}

const maxFilter = 200

// readFilter takes a filter out of an address; the text says what is wrong with it.
func readFilter(query url.Values) (f filter, wrong string) {
	for name, target := range map[string]*string{
		"status": &f.Status, "event": &f.Event, "tenant": &f.Tenant, "error": &f.Error, "before": &f.Before,
		"q": &f.Query, "since": &f.Since, "until": &f.Until,
	} {
		value := strings.TrimSpace(query.Get(name))
		if len(value) > maxFilter || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return filter{}, fmt.Sprintf("%s= holds something that cannot be searched for.", name)
		}
		*target = value
	}
	for name, known := range map[string][]string{"status": syncrun.Statuses(), "event": syncrun.Events()} {
		value := map[string]string{"status": f.Status, "event": f.Event}[name]
		if value != "" && !slices.Contains(known, value) {
			return filter{}, fmt.Sprintf("%s=%s is not known; it is one of %s.", name, value, strings.Join(known, ", "))
		}
	}
	for name, day := range map[string]string{"since": f.Since, "until": f.Until} {
		if _, ok := dayOf(day, 0); day != "" && !ok {
			return filter{}, fmt.Sprintf("%s=%s is no day; write it as 2026-04-29.", name, day)
		}
	}
	return f, ""
}

// dayOf is the beginning of a day in UTC, or of one some days later.
func dayOf(text string, later int) (*time.Time, bool) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1 {
		return nil, false
	}
	day = day.AddDate(0, 0, later)
	return &day, true
}

// Narrow reports whether anything but the page is chosen.
func (f filter) Narrow() bool { return f.Status+f.Event+f.Tenant+f.Error+f.Query+f.Since+f.Until != "" }

// Fields are what it is narrowed to, by the names of the address.
func (f filter) Fields() map[string]string {
	fields := map[string]string{
		"status": f.Status, "event": f.Event, "tenant": f.Tenant, "error": f.Error, "before": f.Before,
		"q": f.Query, "since": f.Since, "until": f.Until,
	}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	return fields
}

// words are what it is narrowed to, for reading.
func (f filter) words() []string {
	var said []string
	for _, field := range []struct{ name, value string }{
		{"with status ", statusName(f.Status)}, {"of ", f.Event}, {"of tenant ", f.Tenant}, {"with error or reason ", f.Error},
		{"found by ", f.Query}, {"from ", f.Since}, {"to ", f.Until},
	} {
		if field.value != "" {
			said = append(said, field.name+field.value)
		}
	}
	return said
}

// address is the list's under this filter.
func (f filter) address() string { return f.on("/dashboard/sync") }

// Bulk is the page that does something to all runs under this filter.
func (f filter) Bulk(deed string) string {
	f.Before = ""
	return f.on("/dashboard/bulk/" + deed)
}

func (f filter) on(path string) string {
	query := url.Values{}
	for name, value := range f.Fields() {
		query.Set(name, value)
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// withStatus is the first page of another status.
func (f filter) withStatus(status string) string {
	f.Status, f.Before = status, ""
	return f.address()
}

// withError is the first page of one error code.
func (f filter) withError(code string) string {
	f.Error, f.Before = code, ""
	return f.address()
}

func (f filter) newest() string { return f.withStatus(f.Status) }

func (f filter) older(c cursor) string {
	f.Before = c.String()
	return f.address()
}

// cursor is the last run of a page; the next page begins strictly before it.
type cursor struct {
	at time.Time
	id uuid.UUID
}

// newest is before every run.
func newest() cursor {
	return cursor{at: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), id: uuid.Max}
}

// String is for an address; Postgres keeps microseconds, and so does it.
func (c cursor) String() string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(c.at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, c.id[:]...))
}

func parseCursor(s string) (cursor, bool) {
	if s == "" {
		return newest(), true
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != 24 {
		return cursor{}, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return cursor{}, false
	}
	return cursor{at: at, id: uuid.UUID(raw[8:])}, true
}
