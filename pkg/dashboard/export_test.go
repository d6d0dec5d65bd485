package dashboard

import (
	"net/http"

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
	d.check = func(*http.Request) (Visitor, refusal) { return Visitor{Name: "ada", Role: role}, refusal{} }
}
