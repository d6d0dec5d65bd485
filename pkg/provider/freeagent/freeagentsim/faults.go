package freeagentsim

import (
	"maps"
	"net/http"
	"strconv"
)

// Fault is a failure to be had once at one operation. What happens is one of
// Hang, Reset, Half, or an answer of Status, Header and Body; Hang comes before
// any of the others.
type Fault struct {
	Operation string // empty: any
	Skip      int    // let so many requests of the operation through first
	After     bool   // the request takes effect first, its own answer is lost

	Hang   <-chan struct{} // wait until it is closed or the client is gone
	Reset  bool            // end the connection without an answer
	Half   bool            // end the connection in the middle of the answer
	Status int
	Header http.Header
	Body   string
}

// Inject adds a fault; each happens once, in the order they were added.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Pending is how many faults have not happened yet.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

// admit counts a request and takes the fault that is meant for it.
func (s *Server) admit(operation string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[operation]++
	for i := range s.faults {
		f := s.faults[i]
		if f.Operation != "" && f.Operation != operation {
			continue
		}
		if f.Skip > 0 {
			s.faults[i].Skip--
			return Fault{}, false
		}
		s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		return f, true
	}
	return Fault{}, false
}

// happen does what the fault says; lost is the answer that was due.
func (f Fault) happen(w http.ResponseWriter, r *http.Request, lost reply) {
	if f.Hang != nil {
		select {
		case <-f.Hang:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	switch {
	case f.Half:
		f.half(w, lost)
	case f.Reset || f.Status == 0 && lost.status == 0:
		panic(http.ErrAbortHandler) // net/http closes the connection
	case f.Status == 0:
		lost.write(w)
	default:
		header := maps.Clone(f.Header)
		reply{status: f.Status, header: header, body: []byte(f.Body)}.write(w)
	}
}

// half promises a whole answer and ends the connection after half of it.
func (f Fault) half(w http.ResponseWriter, lost reply) {
	if lost.status == 0 {
		lost = reply{status: f.Status, header: f.Header, body: []byte(f.Body)}
	}
	for key, values := range lost.header {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(lost.body)+1))
	w.WriteHeader(max(lost.status, http.StatusOK))
	_, _ = w.Write(lost.body[:len(lost.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
