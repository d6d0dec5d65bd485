// Package users says who may use the pages, and what.
package users

import "fmt"

// Role is what somebody may do. Each may do all that the ones before it may.
type Role int

// The roles. The zero value is for who has not signed in, and may do nothing.
const (
	Nobody   Role = iota
	Viewer        // sees everything, changes nothing
	Operator      // makes runs go on: retries, cancels, releases, reconnects
	Admin         // changes shops, bindings, their settings, and who the users are
)

// Roles are the names that a user may have, the least first.
func Roles() []string { return []string{Viewer.String(), Operator.String(), Admin.String()} }

func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	}
	return "nobody"
}

// ParseRole reads one of Roles.
func ParseRole(name string) (Role, error) {
	for r := Viewer; r <= Admin; r++ {
		if r.String() == name {
			return r, nil
		}
	}
	return Nobody, fmt.Errorf("role %q is not known; use viewer, operator or admin", name)
}

// May reports whether the role suffices where at least least is asked for.
func (r Role) May(least Role) bool { return r >= least }
