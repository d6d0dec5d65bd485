package dashboard

import (
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/julienschmidt/httprouter"
)

// What a page says after a button was pressed; the address holds only the key.
const (
	toldRetried = "retried"
	toldNothing = "nothing"
)

func notice(told string) string {
	switch told {
	case toldRetried:
		return "The run was started again."
	case toldNothing:
		return "There was nothing to retry: the run had gone on meanwhile."
	}
	return ""
}

// retry lets an operator start a run over, then shows the run. Pressed twice,
// the second finds the run waiting or nothing to do: no second document comes
// of it. If the answer is lost the run's page shows whether it was done.
func (d *Dashboard) retry(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	id, ok := parseID(params.ByName("id"))
	if !ok || d.cfg.Retry == nil {
		d.notFound(w, r)
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	told := toldRetried
	err := d.cfg.Retry(ctx, id)
	switch {
	case errors.Is(err, ErrNothingToRetry):
		told = toldNothing
	case errors.Is(err, pgx.ErrNoRows):
		d.notFound(w, r)
		return
	case err != nil:
		d.away(w, r, err)
		return
	}
	http.Redirect(w, r, d.at("/dashboard/sync/")+id.String()+"?told="+told, http.StatusSeeOther)
}
