package provider

import (
	"context"
	"slices"
	"sync"

	"towpath/pkg/foreign"
)

// maxCalls bounds how many ids of calls are kept: more say nothing.
const maxCalls = 20

type traceKey struct{}

// trace collects ids.
type trace struct {
	mu    sync.Mutex
	calls []string
}

// Traced collects the provider's own ids of the calls that are made with the context that
// it answers, oldest first: what the provider's support asks for.
func Traced(ctx context.Context) (traced context.Context, calls func() []string) {
	t := &trace{}
	return context.WithValue(ctx, traceKey{}, t), func() []string {
		t.mu.Lock()
		defer t.mu.Unlock()
		return slices.Clone(t.calls)
	}
}

// NoteCall notes the id that the provider gave to a call; a provider's package does, of
// every call that was answered.
func NoteCall(ctx context.Context, id string) {
	t, ok := ctx.Value(traceKey{}).(*trace)
	if id = foreign.Text(id, 64); !ok || id == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.calls) < maxCalls {
		t.calls = append(t.calls, id)
	}
}
