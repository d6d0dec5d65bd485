// Package stack keeps what was started, to stop it in reverse order.
package stack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Stack is what was started so far. Its zero value is empty.
type Stack struct {
	mu    sync.Mutex
	stops []func()
}

// OnStop notes what undoes a step.
func (s *Stack) OnStop(f func()) { s.stops = append(s.stops, f) }

// Stop undoes all steps, the last one first. It may be repeated, and who calls it
// meanwhile waits for its end.
func (s *Stack) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
	s.stops = nil
}

// Background runs f until the stop, which ends its context and waits for it.
func (s *Stack) Background(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	s.OnStop(func() {
		cancel()
		<-done
	})
}

// Host serves a handler on this machine until the stop, and answers its base URL.
func (s *Stack) Host(address string, handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.Background(func(ctx context.Context) {
		context.AfterFunc(ctx, func() { _ = web.Close() })
		_ = web.Serve(listener) // ends with Close
	})
	return "http://" + listener.Addr().String(), nil
}
