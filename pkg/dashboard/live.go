package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"
)

// Live updates. A page that is open and seen keeps one stream of server-sent events; it
// holds no data, only the word that something changed, and the page then asks for itself
// anew. One goroutine a process looks, while somebody listens, at the newest row of the
// runs' history, which is one step into an index. Without script, or where a stream is
// refused, pages refresh as they did before.
const (
	// maxListeners bounds the streams of a process; who comes later asks by the clock.
	maxListeners = 200
	// streamTime is when a stream ends; the browser comes back by itself, and is asked
	// again who it is.
	streamTime = 10 * time.Minute
	// streamPulse is the longest silence: times on a page grow old, and what no run
	// notes (a token, a budget) changes too.
	streamPulse = 15 * time.Second
	// streamWrite is how long a browser may take to be told.
	streamWrite = 10 * time.Second
)

// broadcaster tells its listeners when something has changed. The zero value is ready.
type broadcaster struct {
	mu        sync.Mutex
	listeners map[chan struct{}]bool
	stop      context.CancelFunc // of the one that looks; nil: nobody does
	closed    bool
}

// join adds a listener; false where there are enough, or where the process is stopping.
// look is started with the first, and ended with the last.
func (b *broadcaster) join(look func(ctx context.Context)) (heard chan struct{}, leave func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.listeners) >= maxListeners {
		return nil, nil, false
	}
	if b.listeners == nil {
		b.listeners = map[chan struct{}]bool{}
	}
	if b.stop == nil {
		var ctx context.Context
		ctx, b.stop = context.WithCancel(context.Background())
		go look(ctx)
	}
	heard = make(chan struct{}, 1)
	b.listeners[heard] = true
	return heard, func() { b.leave(heard) }, true
}

func (b *broadcaster) leave(heard chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, heard)
	if len(b.listeners) == 0 && b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// tell wakes every listener; one that has not yet looked at the last word hears it once.
func (b *broadcaster) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for heard := range b.listeners {
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}

// close ends every stream, and takes no more.
func (b *broadcaster) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for heard := range b.listeners {
		close(heard)
	}
	b.listeners = nil
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// Close ends the streams of live updates and the counts under way, so that a server that
// is being shut down need not wait for them.
func (d *Dashboard) Close() {
	d.close()
	d.changes.close()
}

// watch tells the listeners when a run has changed, at most once a Refresh.
func (d *Dashboard) watch(ctx context.Context) {
	last := int64(-1)
	tick := time.NewTicker(d.cfg.Refresh)
	defer tick.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, d.cfg.QueryTimeout)
		newest, err := d.queries.SyncRunEventNewest(asking, d.cfg.Pool)
		cancel()
		// While the database is away nothing is told: the pages ask at the next pulse and
		// say so themselves.
		if err == nil && newest != last {
			if last >= 0 {
				d.changes.tell()
			}
			last = newest
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// live is a stream of server-sent events: "changed" when something has, and a "pulse" in
// between. It ends with the process, or after a while.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if r.Method == http.MethodHead {
		return
	}
	heard, leave, ok := d.changes.join(d.watch)
	if !ok {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "No more live updates now; the page refreshes by itself.", http.StatusServiceUnavailable)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy would collect them
	out := http.NewResponseController(w)
	say := func(event string) bool {
		// The server's own limit is for a whole answer, and this one has no end.
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
		_, err := fmt.Fprintf(w, "event: %s\ndata: {}\n\n", event)
		return err == nil && out.Flush() == nil
	}
	end := time.NewTimer(streamTime)
	defer end.Stop()
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	for event := "pulse"; say(event); {
		select {
		case _, open := <-heard:
			if !open {
				return
			}
			event = "changed"
		case <-pulse.C:
			event = "pulse"
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}
