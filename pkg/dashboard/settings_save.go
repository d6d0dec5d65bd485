package dashboard

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"

	"towpath/pkg/account"
	"towpath/pkg/actions"
	"towpath/pkg/form"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// reviewPage says what settings would change, before anything is saved.
type reviewPage struct {
	ofBinding
	Settings string // as JSON, which the buttons send on
	Version  int32  // in force, which they are compared with
	Changes  []settingDiffers
	Held     int64
	Notes    []string
	Tried    *actions.Tried
	Most     int // documents that a try looks at
}

// movedPage is for who began with settings that are not in force any more.
type movedPage struct {
	ofBinding
	Began  int32
	By     account.SettingsVersion // the version in force
	Theirs []settingDiffers        // since then
	Mine   []settingDiffers
	Merged string // JSON: those in force with mine
}

// sent is settings that came with a request, and the version that they began with.
type sent struct {
	of   ofBinding
	raw  []byte
	over int32
}

// readSent reads what a form sent: inputs, or JSON under settings. False where it has
// answered.
func (d *Dashboard) readSent(ctx context.Context, w http.ResponseWriter, r *http.Request, params httprouter.Params) (sent, bool) {
	of, ok := d.ofBinding(ctx, w, r, params)
	if !ok {
		return sent{}, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		d.badRequest(w, r, "The form could not be read: "+err.Error()+".")
		return sent{}, false
	}
	over, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 32)
	if err != nil {
		d.badRequest(w, r, "The form does not say which version of the settings it began with. Open the settings again.")
		return sent{}, false
	}
	if of.Binding.Status == isRevoked {
		d.show(w, http.StatusConflict, d.pages.message, d.ofConnections(r, "Ended", "This connection was ended", "Its settings are of no use any more; nothing was saved."))
		return sent{}, false
	}
	s := sent{of: of, over: int32(over), raw: []byte(r.PostForm.Get("settings"))}
	if len(s.raw) == 0 {
		base, err := account.Settings(ctx, d.cfg.Pool, of.Binding.ID, s.over)
		if err != nil {
			d.noVersion(w, r, err)
			return sent{}, false
		}
		s.raw = form.Read(r.PostForm, base)
	}
	return s, true
}

func (d *Dashboard) noVersion(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, account.ErrNoVersion) {
		d.show(w, http.StatusNotFound, d.pages.message, d.ofConnections(r, "Not found", "There is no such version of these settings", "Open the settings again."))
		return
	}
	d.away(w, r, err)
}

// review judges settings and says what they would change. Nothing is saved.
func (d *Dashboard) review(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.judged(w, r, params, func(ctx context.Context, s sent, page reviewPage) {
		if len(page.Changes) == 0 {
			http.Redirect(w, r, d.at(s.of.settingsPath())+"?told=same", http.StatusSeeOther)
			return
		}
		d.show(w, http.StatusOK, d.pages.review, page)
	})
}

// tryOut is review with what the settings would change of stored documents.
func (d *Dashboard) tryOut(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.judged(w, r, params, func(ctx context.Context, s sent, page reviewPage) {
		p, _, err := policy.Parse(s.raw)
		if err != nil {
			d.away(w, r, err)
			return
		}
		tried, err := d.cfg.Actions.Try(ctx, s.of.Binding.ID, p)
		if err != nil {
			d.away(w, r, err)
			return
		}
		page.Tried = &tried
		d.show(w, http.StatusOK, d.pages.review, page)
	})
}

// save stores settings that were reviewed, once: sent twice, the second finds that
// another version is in force. If the process stops before the answer, the list of
// versions shows whether it was saved.
func (d *Dashboard) save(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	d.judged(w, r, params, func(ctx context.Context, s sent, page reviewPage) {
		if len(page.Changes) == 0 { // as the command line has it: no version that changes nothing
			d.show(w, http.StatusOK, d.pages.review, page)
			return
		}
		p, _, err := policy.Parse(s.raw)
		if err != nil {
			d.away(w, r, err)
			return
		}
		version, _, err := d.cfg.Actions.Save(ctx, VisitorOf(ctx).Name, s.of.Binding.ID, p, s.over)
		switch {
		case errors.Is(err, account.ErrSettingsMoved):
			d.moved(ctx, w, r, s, p)
		case errors.Is(err, account.ErrBindingRevoked):
			d.show(w, http.StatusConflict, d.pages.message, d.ofConnections(r, "Ended", "This connection was ended", "Nothing was saved."))
		case err != nil:
			d.away(w, r, err)
		default:
			http.Redirect(w, r, d.at(s.of.settingsPath())+"?told="+strconv.Itoa(int(version)), http.StatusSeeOther)
		}
	})
}

// judged does with settings that are right and begin with those in force; else it shows
// what is wrong, at each input, or who saved others meanwhile.
func (d *Dashboard) judged(w http.ResponseWriter, r *http.Request, params httprouter.Params, do func(context.Context, sent, reviewPage)) {
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	s, ok := d.readSent(ctx, w, r, params)
	if !ok {
		return
	}
	found, err := d.cfg.Actions.Judge(ctx, s.of.Binding, s.raw)
	switch {
	case err != nil: // no JSON: not of our forms
		d.badRequest(w, r, "These are no settings: "+err.Error()+".")
		return
	case len(found.Faults) > 0:
		d.faulty(ctx, w, r, s, found)
		return
	case s.over != s.of.Binding.PolicyVersion:
		d.moved(ctx, w, r, s, found.Policy)
		return
	}
	proposal, err := account.Propose(ctx, d.cfg.Pool, s.of.Binding, nil, found.Policy)
	if err != nil {
		d.away(w, r, err)
		return
	}
	s.raw = policy.Encode(found.Policy)
	do(ctx, s, reviewPage{
		ofBinding: s.of, Settings: string(s.raw), Version: s.over, Changes: differing(proposal.Changes), Held: proposal.Held,
		Notes: notes(s.of, found), Most: actions.TryDocuments,
	})
}

// notes are what a person should know before he saves.
func notes(of ofBinding, found actions.Judged) []string {
	var all []string
	if of.Binding.Wire == provider.WireAccounting && found.Policy.RevenueAccountCode == "" {
		all = append(all, "No revenue account is set: every document is held (missing_mapping) until there is one.")
	}
	if !found.Known {
		all = append(all, "What "+of.Ledger+" has is not known, so no account, tax type, theme or tracking option was checked.")
	}
	return all
}

// faulty shows the form as it was typed, with what is wrong at each input.
func (d *Dashboard) faulty(ctx context.Context, w http.ResponseWriter, r *http.Request, s sent, found actions.Judged) {
	page := settingsPage{ofBinding: s.of, Version: s.over}
	// What the ledger has may have been read anew for the check.
	if fresh, err := d.cfg.Actions.Settings(ctx, s.of.Binding.ID); err == nil {
		page.Settings = fresh
	}
	if found.NotAsked != nil {
		page.Why = s.of.notRead(found.NotAsked)
	}
	values := r.PostForm
	if values.Get("settings") != "" { // an old version, which the ledger does not fit any more
		p, _, err := policy.Parse(s.raw)
		if err != nil {
			d.away(w, r, err)
			return
		}
		values = form.Values(p)
	}
	d.showForm(ctx, w, r, http.StatusUnprocessableEntity, page, values, found.Faults)
}

// edit goes back from the review to the form, with what was typed.
func (d *Dashboard) edit(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	ctx, cancel := d.within(r)
	defer cancel()
	s, ok := d.readSent(ctx, w, r, params)
	if !ok {
		return
	}
	p, _, err := policy.Parse(s.raw)
	if err != nil {
		d.badRequest(w, r, "These are no settings: "+err.Error()+".")
		return
	}
	d.showForm(ctx, w, r, http.StatusOK, settingsPage{ofBinding: s.of, Version: s.over}, form.Values(p), nil)
}

// moved says who saved others meanwhile, and offers to put mine on top of them.
func (d *Dashboard) moved(ctx context.Context, w http.ResponseWriter, r *http.Request, s sent, mine policy.Policy) {
	fresh, err := d.cfg.Actions.Settings(ctx, s.of.Binding.ID)
	if err != nil {
		d.away(w, r, err)
		return
	}
	base, err := account.Settings(ctx, d.cfg.Pool, s.of.Binding.ID, s.over)
	if err != nil {
		d.noVersion(w, r, err)
		return
	}
	history, err := account.SettingsHistory(ctx, d.cfg.Pool, fresh.Binding)
	if err != nil {
		d.away(w, r, err)
		return
	}
	s.of.Settings = fresh
	page := movedPage{
		ofBinding: s.of, Began: s.over, Theirs: differing(policy.Changes(base, fresh.InForce)), Mine: differing(policy.Changes(base, mine)),
		Merged: string(policy.Merge(base, mine, fresh.InForce)),
	}
	for _, v := range history {
		if v.InForce {
			page.By = v
		}
	}
	d.show(w, http.StatusConflict, d.pages.moved, page)
}

// notRead says why the ledger could not be asked; what is stored of it serves on.
func (o ofBinding) notRead(err error) string {
	text := o.Ledger + " could not be asked now (" + provider.AsFailure(err).Message + ")."
	if o.Known {
		return text + " The choices are those that were read last."
	}
	return text + " There are no choices until it can be; codes and ids can be written by hand."
}
