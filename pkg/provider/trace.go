package provider

import (
	"context"
	"slices"
	"sync"
	"time"

	"towpath/pkg/foreign"
)

// How many calls are kept, of an item and of a whole set: more say nothing.
const (
	maxCalls    = 20
	maxSetCalls = 200
)

// Call is one call to the provider as it is kept for the run's page: what was sent and
// what was answered, never a header, since those hold the token.
type Call struct {
	Operation string    `json:"operation"`
	Method    string    `json:"method"`
	Path      string    `json:"path"` // below the API's address, with its query
	At        time.Time `json:"at"`   // when it was made
	Took      float64   `json:"ms"`
	Status    int       `json:"status,omitempty"` // 0: no answer came
	ID        string    `json:"id,omitempty"`     // the provider's own, what its support asks for
	Error     string    `json:"error,omitempty"`  // why no answer came
	// Together is of how many documents it was, where of more than one: then Sent and
	// Answer are this document's part.
	Together int  `json:"together,omitempty"`
	Sent     Body `json:"sent,omitempty"`
	Answer   Body `json:"answer,omitempty"`
}

// reads reports whether the call changes nothing.
func (c Call) reads() bool { return c.Method == "GET" }

// CallPart is what a joint call holds of one item of its set.
type CallPart struct{ Sent, Answer Body }

// Noted is a call on record, to which its parts can be added.
type Noted struct {
	call  Call
	about []int // the items of the set that it is about; nil: all
	parts map[int]CallPart
}

// Part says what the call holds of the item at a place of the set.
func (n *Noted) Part(at int, part CallPart) {
	if n == nil {
		return // the call did not leave
	}
	if n.parts == nil {
		n.parts = map[int]CallPart{}
	}
	n.parts[at] = part
}

// Trace collects calls.
type Trace struct {
	mu    sync.Mutex
	calls []*Noted
}

type (
	traceKey struct{}
	aboutKey struct{}
)

// Traced collects the calls that are made with the context that it answers, oldest first.
func Traced(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

// About says that the calls made with the context are about these items of a set.
func About(ctx context.Context, places ...int) context.Context {
	return context.WithValue(ctx, aboutKey{}, places)
}

// NoteCall notes a call; a provider's package does, of every one that left.
func NoteCall(ctx context.Context, call Call) *Noted {
	call.ID = foreign.Text(call.ID, 64)
	if call.reads() && call.Status < 400 {
		call.Answer = "" // others' data; what it was read for stands in the run
	}
	noted := &Noted{call: call}
	noted.about, _ = ctx.Value(aboutKey{}).([]int)
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.calls) < maxSetCalls {
			t.calls = append(t.calls, noted)
		}
	}
	return noted
}

// Calls are all of them.
func (t *Trace) Calls() []Call { return t.CallsOf(0, 1) }

// CallsOf are those about the item at a place of a set of so many. What a call says of
// other items is another person's and left out: of a joint write only the item's own
// part is kept, of a joint look-up neither question nor answer.
func (t *Trace) CallsOf(at, of int) []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	var calls []Call
	for _, n := range t.calls {
		if of > 1 && n.about != nil && !slices.Contains(n.about, at) {
			continue
		}
		if calls = append(calls, n.seenBy(at, of)); len(calls) == maxCalls {
			break
		}
	}
	return calls
}

func (n *Noted) seenBy(at, of int) Call {
	call, most := n.call, of
	if n.about != nil {
		most = len(n.about)
	}
	if most <= 1 {
		return call
	}
	call.Together = most
	part := n.parts[at]
	call.Sent, call.Answer = part.Sent, part.Answer
	if call.reads() {
		call.Path = withoutQuery(call.Path)
	}
	return call
}

// CallIDs are the provider's own ids of calls, as far as it told them.
func CallIDs(calls []Call) []string {
	var ids []string
	for _, c := range calls {
		if c.ID != "" {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
