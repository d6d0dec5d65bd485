package dashboard

import (
	"net/http"
	"time"

	"towpath/pkg/users"
)

// Row is what the table of routes says of one.
type Row struct {
	Method, Path string
	Least        users.Role
}

// Rows are all of the table.
func (d *Dashboard) Rows() []Row {
	var rows []Row
	for _, at := range d.routes() {
		rows = append(rows, Row{at.method, at.path, at.least})
	}
	return rows
}

// Everybody takes every visitor for one of this role.
func (d *Dashboard) Everybody(role users.Role) {
	d.check = func(http.ResponseWriter, *http.Request) (Visitor, refusal) { return Visitor{"ada", role}, refusal{} }
}

// AddressesAfter is how many addresses a limiter keeps after wrong passwords
// from as many.
func AddressesAfter(keys []string) int {
	now := time.Unix(0, 0)
	l := newLimiter(func() time.Time { now = now.Add(time.Minute); return now })
	for _, key := range keys {
		l.guess(key, false, func() bool { return false })
	}
	if len(l.byKey) != l.ages.Len() {
		return -1
	}
	return len(l.byKey)
}
