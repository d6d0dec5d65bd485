package dashboard

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/audit"
	"towpath/pkg/users"
)

// accountPage is /dashboard/account: who somebody is here.
type accountPage struct {
	frame
	Can           string // what the role is for
	Least         int    // characters of a password
	Kept          bool   // the user is the setting's
	Notice, Wrong string
}

const toldPassword = "password"

func (d *Dashboard) account(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	notice := ""
	if r.URL.Query().Get("told") == toldPassword {
		notice = "The password was changed."
	}
	d.showAccount(w, r, http.StatusOK, accountPage{Notice: notice})
}

func (d *Dashboard) showAccount(w http.ResponseWriter, r *http.Request, status int, page accountPage) {
	page.frame = d.frame(r.Context(), "Your account", "")
	page.Least, page.Kept = users.MinPassword, page.Visitor.Name == users.FirstAdmin
	page.Can = map[users.Role]string{
		users.Viewer: "It sees everything and changes nothing.", users.Operator: "It sees everything, retries, cancels and reconnects.",
		users.Admin: "It may do everything.",
	}[page.Visitor.Role]
	d.show(w, status, d.pages.account, page)
}

// newPassword changes the visitor's own password. The old one is asked for and counted
// as at the sign-in: whoever finds an open page cannot take the account. The sessions
// end with the old password, so this browser gets a new one; if the process dies before
// that, the person signs in with the new password.
func (d *Dashboard) newPassword(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	visitor := VisitorOf(r.Context())
	if !visitor.Session || !visitor.Password {
		d.showAccount(w, r, http.StatusForbidden, accountPage{})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	fresh := r.PostFormValue("new")
	if wrong := wrongNew(fresh, r.PostFormValue("again")); wrong != "" {
		d.showAccount(w, r, http.StatusUnprocessableEntity, accountPage{Wrong: wrong})
		return
	}
	_, refused := d.guard.guess(r, visitor.Name, r.PostFormValue("old"))
	switch refused.status {
	case 0:
	case http.StatusServiceUnavailable:
		d.away(w, r, refused.err)
		return
	case http.StatusTooManyRequests:
		d.showAccount(w, r, refused.status, accountPage{Wrong: saidTo(w, refused)})
		return
	default:
		d.showAccount(w, r, http.StatusUnprocessableEntity, accountPage{Wrong: "The password now is another. Nothing was changed."})
		return
	}
	changed, err := d.guard.users.SetPassword(audit.As(r.Context(), visitor.Name), visitor.Name, fresh)
	if err != nil {
		d.away(w, r, err)
		return
	}
	d.begin(w, r, users.Outcome{User: changed.User}, "/dashboard/account?told="+toldPassword)
}

func wrongNew(fresh, again string) string {
	if fresh != again {
		return "The new password was typed in two ways. Nothing was changed."
	}
	if err := users.CheckPassword(fresh); err != nil {
		return "Not changed: " + err.Error() + "."
	}
	return ""
}
