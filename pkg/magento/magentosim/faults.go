package magentosim

import (
	"net"
	"net/http"
	"strconv"
	"sync"
)

// Fault is one call going wrong. The zero Status and Cut leave the true answer.
type Fault struct {
	Gate *Gate // the call waits here first, before it has any effect
	// TakesEffect: the call does its work, and only its answer goes wrong.
	TakesEffect bool
	Status      int // this instead of the true answer, with Body and Header
	Body        string
	HTML        bool
	Header      map[string]string
	Cut         Cut
}

// Cut is how a connection ends early.
type Cut int

// The ways to end; CutHalf always takes effect, as there must be an answer to
// be halved.
const (
	CutNot   Cut = iota
	CutClose     // closed before the answer
	CutReset     // reset before the answer
	CutHalf      // headers and half of the body, then closed
)

const maintenancePage = `<!doctype html><html><head><title>503 Service Temporarily Unavailable</title></head>` +
	`<body><h1>Service Temporarily Unavailable</h1><p>We'll be back soon.</p></body></html>`

// Answers is a JSON answer in place of the true one, without effect.
func Answers(status int, body string) Fault { return Fault{Status: status, Body: body} }

// Maintenance is Magento's maintenance page, or with status 200 what some
// proxies make of it; without effect.
func Maintenance(status int) Fault { return Fault{Status: status, Body: maintenancePage, HTML: true} }

// Unauthorized is a refused token. The client believes it the second time, so
// two in a row show drifted keys.
func Unauthorized() Fault {
	return Answers(http.StatusUnauthorized, `{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Byte8_Client::api"}}`)
}

// Drops ends the connection in the way given, without effect but for CutHalf.
// On a kept connection net/http sends a GET again by itself, so a dropped GET
// shows only on a client's first call; a POST is not repeated.
func Drops(cut Cut) Fault { return Fault{Cut: cut} }

// Waits holds the call at the gate, then lets it through.
func Waits(g *Gate) Fault { return Fault{Gate: g} }

// AfterEffect is the fault with the call's work done.
func (f Fault) AfterEffect() Fault {
	f.TakesEffect = true
	return f
}

// Gate stops a call until it is released.
type Gate struct {
	arrived, released chan struct{}
	arrive, release   sync.Once
}

// NewGate makes a closed gate.
func NewGate() *Gate {
	return &Gate{arrived: make(chan struct{}), released: make(chan struct{})}
}

// Arrived is closed when a call has come to the gate.
func (g *Gate) Arrived() <-chan struct{} { return g.arrived }

// Release opens the gate for good.
func (g *Gate) Release() { g.release.Do(func() { close(g.released) }) }

// Inject queues faults for the next calls of a route, one each.
func (s *Shop) Inject(route Route, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[route] = append(s.faults[route], faults...)
}

// Outage makes every call of every route fail this way until end is called;
// queued faults wait meanwhile.
func (s *Shop) Outage(f Fault) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = &f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outage = nil
	}
}

// Calls is how often a route was called, faults included.
func (s *Shop) Calls(route Route) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

func (s *Shop) nextFault(route Route) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[route]++
	if s.outage != nil {
		return *s.outage, true
	}
	queue := s.faults[route]
	if len(queue) == 0 {
		return Fault{}, false
	}
	s.faults[route] = queue[1:]
	return queue[0], true
}

// fail answers the call as the fault says; act is the call's work.
func (s *Shop) fail(w http.ResponseWriter, r *http.Request, f Fault, act func() answer) {
	if f.Gate != nil {
		f.Gate.arrive.Do(func() { close(f.Gate.arrived) })
		select {
		case <-f.Gate.released:
		case <-r.Context().Done(): // the caller gave up: the call has no effect
			panic(http.ErrAbortHandler)
		}
	}
	var a answer
	if f.TakesEffect || f.Cut == CutHalf || f.Status == 0 && f.Cut == CutNot {
		a = act()
	}
	if f.Status != 0 {
		a = answer{status: f.Status, body: []byte(f.Body), html: f.HTML, header: f.Header}
	}
	switch f.Cut {
	case CutNot:
		s.write(w, a)
	case CutHalf:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(max(len(a.body), 2)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case CutReset:
		reset(w)
	case CutClose:
		panic(http.ErrAbortHandler)
	}
}

// reset ends the connection with RST; on HTTP/2 with a reset stream.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
