package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// front is an HTTP server and what it listens at. Its stop answers whoever has
// connected: http.Server.Shutdown by itself closes, without a word, a connection whose
// request it has read and not begun to answer.
type front struct {
	server    *http.Server
	listeners []net.Listener
	accepting sync.WaitGroup

	mu   sync.Mutex
	over bool
	busy map[net.Conn]struct{} // connected, and not answered yet
}

// unanswered bounds how long a stop waits for requests: who connects and sends nothing
// for so long is what Shutdown takes for idle, too.
const unanswered = 5 * time.Second

// newFront serves a handler on listeners, in the background. What it fails with before
// its stop goes to failed.
func newFront(handler http.Handler, logger *slog.Logger, failed func(error), listeners ...net.Listener) *front {
	f := &front{listeners: listeners, busy: map[net.Conn]struct{}{}}
	f.server = &http.Server{
		Handler: handler, ConnState: f.follow,
		// Above the shop's own 15 s, so that a slow caller is answered, not cut.
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	for _, listener := range listeners {
		f.accepting.Go(func() {
			if err := f.server.Serve(listener); !f.ended() {
				failed(err)
			}
		})
	}
	return f
}

// follow is told every change of a connection.
func (f *front) follow(conn net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		f.busy[conn] = struct{}{}
	default:
		delete(f.busy, conn)
	}
}

func (f *front) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

func (f *front) quiet() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.busy) == 0
}

// stop takes in nobody new, answers whoever has connected, and ends. It may be repeated.
func (f *front) stop(ctx context.Context) error {
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	for _, listener := range f.listeners {
		_ = listener.Close() // again at a repeat
	}
	f.accepting.Wait() // now every connection that was accepted is followed
	f.server.SetKeepAlivesEnabled(false)
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(unanswered); !f.quiet() && time.Now().Before(deadline) && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return f.server.Shutdown(ctx)
}
