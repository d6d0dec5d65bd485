package ingress

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/foreign"
)

// exchange is one request on its way through its handler, with what the log
// line says of it in the end.
type exchange struct {
	w      http.ResponseWriter // for limits on the body; only serve writes to it
	r      *http.Request
	params httprouter.Params

	tenant   uuid.UUID // once the signature of its token was verified
	event    string    // a known one
	runID    uuid.UUID
	replayed bool
}

// context does not end with the client's connection: what was begun is cheaper
// to finish than to break off, and the shop finds it done when it sends again.
func (x *exchange) context() context.Context { return context.WithoutCancel(x.r.Context()) }

// reply is what a handler answers that refuses nothing.
type reply struct {
	status int
	body   any
}

// handler decides; it writes nothing.
type handler func(x *exchange) (reply, error)

// serve runs a handler, answers for it and writes its log line; count, if not
// nil, is told the answer.
func (in *Ingress) serve(h handler, count func(x *exchange, status int, elapsed time.Duration)) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		start := time.Now()
		x := &exchange{w: w, r: r, params: params}
		answer, err := in.decide(h, x)
		status := answer.status
		var refused *refusal
		if err != nil {
			refused = asRefusal(err)
			status, _ = statusOf(refused.code)
			in.cfg.Metrics.Refused(refused.code)
			writeProblem(w, refused, in.cfg.RetryAfter)
		} else {
			if x.replayed {
				w.Header().Set("Idempotent-Replayed", "true")
			}
			writeJSON(w, status, "application/json", answer.body)
		}
		elapsed := time.Since(start)
		if count != nil {
			count(x, status, elapsed)
		}
		in.log(x, status, refused, elapsed)
	}
}

// decide keeps a panic from closing the connection without an answer: the shop
// is told to send again.
func (in *Ingress) decide(h handler, x *exchange) (answer reply, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	limitBody(x, in.cfg.BodyTimeout)
	if in.draining.Load() {
		return reply{}, refuse(codeShuttingDown, "the service is being restarted; send it again later")
	}
	return h(x)
}

// maxLogged is how much of a path is logged; the shop's have 80 bytes.
const maxLogged = 200

// log writes the one line of a request. Neither the token nor the body is ever
// part of it, nor of any error that it shows.
func (in *Ingress) log(x *exchange, status int, refused *refusal, elapsed time.Duration) {
	attrs := []slog.Attr{
		slog.String("method", x.r.Method), slog.String("path", foreign.Text(x.r.URL.Path, maxLogged)), slog.Int("status", status),
		slog.Duration("duration", elapsed),
	}
	if x.tenant != uuid.Nil {
		attrs = append(attrs, slog.String("tenant", x.tenant.String()))
	}
	if x.event != "" {
		attrs = append(attrs, slog.String("event", x.event))
	}
	if x.runID != uuid.Nil {
		attrs = append(attrs, slog.String("run_id", x.runID.String()), slog.Bool("replayed", x.replayed))
	}
	level := slog.LevelInfo
	if refused != nil {
		level = levelOf(refused.code)
		attrs = append(attrs, slog.String("reason", refused.code), slog.String("detail", refused.detail))
		if refused.cause != nil {
			attrs = append(attrs, slog.String("error", foreign.Lines(refused.cause.Error(), foreign.Kept)))
		}
	}
	in.cfg.Logger.LogAttrs(x.r.Context(), level, "request", attrs...)
}

// levelOf is error where somebody has to look at this service.
func levelOf(code string) slog.Level {
	switch code {
	case codeDatabaseUnavailable, codeOverloaded, codeInternalError:
		return slog.LevelError
	}
	return slog.LevelWarn
}
