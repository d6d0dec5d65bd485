package dashboard

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/julienschmidt/httprouter"
)

// What a page says after a button was pressed; the address holds only the key.
const (
	toldRetried   = "retried"
	toldNothing   = "nothing"
	toldCancelled = "cancelled"
	toldEnded     = "ended"
)

func notice(told string) string {
	switch told {
	case toldRetried:
		return "The run was started again."
	case toldNothing:
		return "There was nothing to retry: the run had gone on meanwhile."
	case toldCancelled:
		return "The run is cancelled; where a worker is at it, when that one lets go. The shop is told that it failed."
	case toldEnded:
		return "There was nothing to cancel: the run had ended meanwhile."
	}
	return ""
}

// retry lets an operator start a run over, then shows the run. Pressed twice,
// the second finds the run waiting or nothing to do: no second document comes
// of it. If the answer is lost the run's page shows whether it was done.
func (d *Dashboard) retry(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.act(w, r, params, d.cfg.Retry, toldRetried, toldNothing)
}

// cancel ends a run that has not ended, then shows it. A repeat finds nothing to do.
func (d *Dashboard) cancel(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.act(w, r, params, d.cfg.Cancel, toldCancelled, toldEnded)
}

func (d *Dashboard) act(w http.ResponseWriter, r *http.Request, params httprouter.Params, do func(context.Context, uuid.UUID) error, done, nothing string) {
	id, ok := parseID(params.ByName("id"))
	if !ok || do == nil {
		d.notFound(w, r)
		return
	}
	ctx, cancel := d.within(r)
	defer cancel()
	told := done
	err := do(ctx, id)
	switch {
	case errors.Is(err, ErrNothingToDo):
		told = nothing
	case errors.Is(err, pgx.ErrNoRows):
		d.notFound(w, r)
		return
	case err != nil:
		d.away(w, r, err)
		return
	}
	http.Redirect(w, r, d.at("/dashboard/sync/")+id.String()+"?told="+told, http.StatusSeeOther)
}
