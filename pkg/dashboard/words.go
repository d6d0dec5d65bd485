package dashboard

import (
	"fmt"
	"strings"
	"time"

	"towpath/pkg/advice"
	"towpath/pkg/provider/specs"
	"towpath/pkg/syncrun"
)

// This file says in plain words where a run stands: what waits for what, and
// what would move it.

// facts are what the words are made of.
type facts struct {
	Now                        time.Time
	EntityType, Provider       string
	Status, Stage              string
	NextAttemptAt, PausedUntil *time.Time
	HoldReason, SkipReason     *string
	ErrorCode, ErrorMessage    *string
	ShopTold                   *string
	Reference                  *string
	Differs                    *differs
}

// sentence says where the run stands, without a full stop.
func (f facts) sentence() string {
	switch f.Status {
	case syncrun.Queued:
		return f.queued()
	case syncrun.Running:
		if f.Stage == "post" {
			return "Being written to " + f.ledger()
		}
		return "Reading the " + f.document() + " from the shop"
	case syncrun.Held:
		return "Waits: " + f.held()
	case syncrun.Succeeded:
		return f.done()
	case syncrun.Skipped:
		return "Left out on purpose: " + advice.Skipped(text(f.SkipReason)) + f.shop()
	case syncrun.Failed:
		return advice.Failed(text(f.ErrorCode), text(f.ErrorMessage)) + f.shop()
	case syncrun.Cancelled:
		return "Cancelled" + f.shop()
	}
	return ""
}

func (f facts) queued() string {
	switch {
	case f.Stage == "post" && f.pause() != nil:
		return f.ledger() + " asked for a pause; every run of this connection waits"
	case f.Stage == "post" && f.waits():
		return "Waits to try " + f.ledger() + " again"
	case f.Stage == "post":
		return "Waits for a worker to write it to " + f.ledger()
	case f.waits():
		return "Waits to ask the shop again"
	}
	return "Waits for a worker to read the " + f.document() + " from the shop"
}

// pause is until when the ledger asked to be left alone; nil where that is over.
func (f facts) pause() *time.Time {
	if f.PausedUntil == nil || !f.PausedUntil.After(f.Now) {
		return nil
	}
	return f.PausedUntil
}

// waits reports whether the next attempt has a time that is still to come.
func (f facts) waits() bool { return f.NextAttemptAt != nil && f.NextAttemptAt.After(f.Now) }

func (f facts) done() string {
	said := "In " + f.ledger()
	if f.Reference != nil && *f.Reference != "" {
		said += " as " + *f.Reference
	}
	if f.Differs != nil {
		said += ", with other sums than were sent (" + f.Differs.words(f.ledger()) + ")"
	}
	return said + f.shop()
}

// shop is what the shop knows of the end.
func (f facts) shop() string {
	switch text(f.ShopTold) {
	case "pending":
		return "; the shop is being told"
	case "told":
		return "; the shop knows"
	case "given_up":
		return "; the shop could not be told"
	}
	return ""
}

func (f facts) held() string {
	reason := text(f.HoldReason)
	if reason == "auth" {
		if f.Stage == "fetch" {
			return "the shop refuses Towpath's key; pair the shop again: towpath tenant pair"
		}
		return f.ledger() + " refuses access; connect the organisation again (a fixed token: towpath binding token ID --token-file FILE)"
	}
	return advice.Held(reason)
}

func (f facts) ledger() string { return specs.Title(f.Provider) }

func (f facts) document() string { return documentName(f.EntityType) }

func statusName(status string) string {
	switch status {
	case syncrun.Skipped:
		return "Skipped"
	case "":
		return ""
	}
	return strings.ToUpper(status[:1]) + status[1:]
}

func documentName(entityType string) string {
	if entityType == "creditmemo" {
		return "credit memo"
	}
	return entityType
}

// title names a run by its document: "Invoice 100000042", or by the shop's id
// where the webhook told no number.
func title(entityType string, id int64, body []byte) string {
	name := documentName(entityType)
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	if number := documentNumber(body); number != "" {
		return name + " " + number
	}
	return fmt.Sprintf("%s #%d", name, id)
}

// happened is the event's second half: created, paid, upserted.
func happened(event string) string {
	_, what, _ := strings.Cut(event, ".")
	if what == "upserted" {
		return "saved"
	}
	return what
}

// stepName is a step of a run's history in plain words.
func stepName(step string) string {
	switch step {
	case "accept":
		return "Accepted"
	case "fetch":
		return "Read from shop"
	case "intend":
		return "Intent on record"
	case "post":
		return "Write to ledger"
	case "push":
		return "Tell shop"
	case "give_up":
		return "Gave up telling shop"
	case "retry":
		return "Retry"
	case "settings":
		return "Settings changed"
	case "blank":
		return "Personal data blanked"
	}
	return step
}

// retryLabel is what the button says; empty where there is nothing to retry.
func (f facts) retryLabel() string {
	switch f.Status {
	case syncrun.Failed, syncrun.Cancelled:
		return "Retry"
	case syncrun.Skipped:
		return "Retry under today's settings"
	case syncrun.Held:
		return "Retry now"
	case syncrun.Queued:
		if f.waits() {
			return "Retry now"
		}
	}
	return ""
}
