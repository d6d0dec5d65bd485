package xerosim

import (
	"net/http"
	"strings"
)

// When says on which side of the effect a fault strikes.
type When int

// Before: nothing has happened. After: the document exists.
const (
	Before When = iota
	After
)

// Fault makes one call go wrong. Exactly one of Status, Reset, Half and Hang is
// set.
type Fault struct {
	Operation string // "PUT /Invoices"; empty: any call
	When      When
	Times     int // how many calls; 0 means one

	Status int // answer this, with Body and Header
	Body   string
	Header http.Header

	Reset bool            // close the connection without an answer
	Half  bool            // After only: send half of the true answer, then close
	Hang  <-chan struct{} // wait until it is closed or the caller is gone, then go on
}

// Inject adds faults; each strikes once (or Times), in the order given.
func (s *Sim) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Times = max(f.Times, 1)
		s.faults = append(s.faults, &f)
	}
}

// ForgetFaults takes back what has not struck yet.
func (s *Sim) ForgetFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// strike takes the first fault that is meant for this call and side.
func (s *Sim) strike(c call, when When) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.When != when || f.Operation != "" && f.Operation != c.operation {
			continue
		}
		f.Times--
		if f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f
	}
	return nil
}

func (f *Fault) answer() answer {
	a := answer{status: f.Status, header: http.Header{"Content-Type": {"text/html"}}, body: []byte(f.Body)}
	if strings.HasPrefix(f.Body, "{") {
		a.header.Set("Content-Type", "application/json")
	}
	for name, values := range f.Header {
		a.header[name] = values
	}
	return a
}

// carryOut does what the fault says; true means that the request goes on as if
// nothing had been.
func (f *Fault) carryOut(w http.ResponseWriter, r *http.Request, truth answer) bool {
	switch {
	case f.Hang != nil:
		select {
		case <-f.Hang:
			return true
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	case f.Half:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(truth.status)
		_, _ = w.Write(truth.body[:len(truth.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // net/http's way to close a connection
	case f.Reset:
		panic(http.ErrAbortHandler)
	}
	f.answer().write(w)
	return false
}
