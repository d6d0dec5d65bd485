package dashboard

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/users"
)

// The pages of the users do what towpath user does, by the same functions; they are for
// admins.

// usersPage is /dashboard/users.
type usersPage struct {
	frame
	Users []users.User
	shopNames
	Roles              []string
	Name, Role, Tenant string // as they were sent
	Wrong              string // why nobody was added
}

// shopNames are the shops by their ids.
type shopNames struct {
	Tenants []dbsqlc.DashboardTenantListRow
}

// Shop is the name of a shop, for a user who sees it alone.
func (s shopNames) Shop(id *uuid.UUID) string {
	i := slices.IndexFunc(s.Tenants, func(t dbsqlc.DashboardTenantListRow) bool { return id != nil && t.ID == *id })
	if i < 0 {
		return ""
	}
	return s.Tenants[i].Name
}

// userPage is /dashboard/users/:user, and what became of a user where a password was made.
type userPage struct {
	frame
	users.User
	shopNames
	Roles         []string
	Own           bool // the visitor's own
	Kept          bool // the setting's
	Notice, Wrong string
	Made          string // a password that was made just now; it is not shown again
	Added         bool
}

// usersThere answers where nobody is a user.
func (d *Dashboard) usersThere(w http.ResponseWriter, r *http.Request) bool {
	if d.guard.users == nil {
		d.show(w, http.StatusNotFound, d.pages.message, d.about(r, "Not found", "There are no users", "This Towpath lets in whoever has the token that was printed at its start."))
		return false
	}
	return true
}

func (d *Dashboard) userList(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	d.showUsers(w, r, http.StatusOK, usersPage{Role: users.Viewer.String()})
}

func (d *Dashboard) showUsers(w http.ResponseWriter, r *http.Request, status int, page usersPage) {
	if !d.usersThere(w, r) {
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	var err error
	if page.Users, err = d.guard.users.List(ctx); err == nil {
		page.Tenants, err = d.queries.DashboardTenantList(ctx, d.cfg.Pool)
	}
	if err != nil {
		d.away(w, r, err)
		return
	}
	page.frame, page.Roles = d.frame(ctx, "Users", sectionUsers), users.Roles()
	d.show(w, status, d.pages.users, page)
}

// addUser makes a user with a password that is shown once. A repeat finds the name taken.
func (d *Dashboard) addUser(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if !d.usersThere(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	page := usersPage{Name: r.PostFormValue("name"), Role: r.PostFormValue("role"), Tenant: r.PostFormValue("tenant")}
	role, err := users.ParseRole(page.Role)
	var tenant *uuid.UUID
	if id, ok := parseID(page.Tenant); ok {
		tenant = &id
	}
	_, named := users.Name(page.Name)
	switch {
	case err != nil:
		page.Wrong = "Choose one of the roles."
	case !named:
		page.Wrong = "A name has up to 64 letters, digits and . _ @ + -, and begins with a letter or a digit."
	case tenant == nil && page.Tenant != "", tenant != nil && role != users.Viewer:
		page.Wrong = "Who sees one shop only is a viewer: another role would see one shop and change all."
	}
	if page.Wrong != "" {
		d.showUsers(w, r, http.StatusUnprocessableEntity, page)
		return
	}
	password := users.NewPassword()
	user, err := d.guard.users.AddFor(d.acting(r), page.Name, role, password, tenant)
	switch {
	case errors.Is(err, users.ErrExists):
		page.Wrong = "There is a user of this name already."
		d.showUsers(w, r, http.StatusConflict, page)
	case err != nil:
		d.away(w, r, err)
	default:
		d.showUser(w, r, http.StatusOK, user.Name, userPage{Made: password, Added: true})
	}
}

// acting says in the audit who presses the button.
func (d *Dashboard) acting(r *http.Request) context.Context {
	return audit.As(r.Context(), VisitorOf(r.Context()).Name)
}

func (d *Dashboard) user(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.showUser(w, r, http.StatusOK, params.ByName("user"), userPage{Notice: map[string]string{
		"role": "The role was changed.", "disabled": "The user may sign in no more.", "enabled": "The user may sign in again.", "out": "All sessions of the user have ended.",
	}[r.URL.Query().Get("told")]})
}

func (d *Dashboard) showUser(w http.ResponseWriter, r *http.Request, status int, name string, page userPage) {
	if !d.usersThere(w, r) {
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	list, err := d.guard.users.List(ctx)
	if err == nil {
		page.Tenants, err = d.queries.DashboardTenantList(ctx, d.cfg.Pool)
	}
	if err != nil {
		d.away(w, r, err)
		return
	}
	name, _ = users.Name(name)
	i := slices.IndexFunc(list, func(u users.User) bool { return u.Name == name })
	if i < 0 {
		d.noUser(w, r)
		return
	}
	page.frame, page.User, page.Roles = d.frame(ctx, name, sectionUsers), list[i], users.Roles()
	page.Own, page.Kept = name == page.Visitor.Name, name == users.FirstAdmin
	d.show(w, status, d.pages.user, page)
}

func (d *Dashboard) noUser(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusNotFound, d.pages.message, d.about(r, "Not found", "There is no such user", "Somebody deleted it, or the address is cut short."))
}

// change does one thing to the user of the address, and goes back to its page. Nobody
// shuts himself out: that takes another admin, or the command line.
func (d *Dashboard) change(w http.ResponseWriter, r *http.Request, params httprouter.Params, told string, do func(ctx context.Context, name string) (users.Changed, error)) {
	if !d.usersThere(w, r) {
		return
	}
	name, _ := users.Name(params.ByName("user"))
	if told != "out" && name == VisitorOf(r.Context()).Name {
		d.showUser(w, r, http.StatusConflict, name, userPage{Wrong: "This is your own user: another admin can do that, or towpath user where Towpath runs. Nothing was changed."})
		return
	}
	_, err := do(d.acting(r), name)
	switch {
	case errors.Is(err, users.ErrNoUser):
		d.noUser(w, r)
	case errors.Is(err, users.ErrOneShop):
		d.showUser(w, r, http.StatusConflict, name, userPage{Wrong: "Who sees one shop only stays a viewer. Nothing was changed."})
	case err != nil:
		d.away(w, r, err)
	default:
		http.Redirect(w, r, d.at("/dashboard/users/"+name)+"?told="+told, http.StatusSeeOther)
	}
}

// setRole replaces a role; a repeat sets the same.
func (d *Dashboard) setRole(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	role, err := users.ParseRole(r.PostFormValue("role"))
	if err != nil {
		d.showUser(w, r, http.StatusUnprocessableEntity, params.ByName("user"), userPage{Wrong: "Choose one of the roles. Nothing was changed."})
		return
	}
	d.change(w, r, params, "role", func(ctx context.Context, name string) (users.Changed, error) {
		return d.guard.users.SetRole(ctx, name, role)
	})
}

func (d *Dashboard) disableUser(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.change(w, r, params, "disabled", func(ctx context.Context, name string) (users.Changed, error) {
		return d.guard.users.SetDisabled(ctx, name, true)
	})
}

func (d *Dashboard) enableUser(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.change(w, r, params, "enabled", func(ctx context.Context, name string) (users.Changed, error) {
		return d.guard.users.SetDisabled(ctx, name, false)
	})
}

// signOutUser ends all sessions of a user, also one's own.
func (d *Dashboard) signOutUser(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.change(w, r, params, "out", func(ctx context.Context, name string) (users.Changed, error) {
		return d.guard.users.SignOut(ctx, name)
	})
}

// resetPassword gives a user a password that is shown once; a repeat gives another. Of
// one's own the old one is asked for, on the page of the account.
func (d *Dashboard) resetPassword(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	if !d.usersThere(w, r) {
		return
	}
	name, _ := users.Name(params.ByName("user"))
	if name == VisitorOf(r.Context()).Name {
		d.showUser(w, r, http.StatusConflict, name, userPage{Wrong: "Change your own password on the page of your account. Nothing was changed."})
		return
	}
	password := users.NewPassword()
	_, err := d.guard.users.SetPassword(d.acting(r), name, password)
	switch {
	case errors.Is(err, users.ErrNoUser):
		d.noUser(w, r)
	case err != nil:
		d.away(w, r, err)
	default:
		d.showUser(w, r, http.StatusOK, name, userPage{Made: password})
	}
}
