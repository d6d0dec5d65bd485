package dashboard

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
)

// recorder remembers the status for the log line.
type recorder struct {
	http.ResponseWriter
	status int
}

// Unwrap lets a stream reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// log writes one line a request: what an open page asks for every few seconds
// only at debug level. A browser's first request has no credentials and is no
// news either.
func (d *Dashboard) log(r *http.Request, params httprouter.Params, status int, refused string, took time.Duration) {
	level := slog.LevelDebug
	switch {
	case status >= http.StatusInternalServerError, refused != "" && refused != "no credentials":
		level = slog.LevelWarn
	case r.Method == http.MethodPost:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status), slog.Duration("took", took),
	}
	if id := params.ByName("id"); id != "" {
		attrs = append(attrs, slog.String("run_id", id))
	}
	if id := params.ByName("binding"); id != "" {
		attrs = append(attrs, slog.String("binding", id))
	}
	if refused != "" {
		attrs = append(attrs, slog.String("refused", refused), slog.String("peer", r.RemoteAddr))
	}
	d.cfg.Logger.LogAttrs(r.Context(), level, "dashboard", attrs...)
}
