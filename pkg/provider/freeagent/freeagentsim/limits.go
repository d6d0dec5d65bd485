package freeagentsim

import (
	"fmt"
	"net/http"
	"time"
)

// FreeAgent's own limits for one user, for Config.
const (
	FreeAgentPerMinute = 120
	FreeAgentPerHour   = 3600
)

// Usage is what the limits count. The server has one user, whatever the token.
// Requests that a fault kept from taking effect, or whose token nobody knows,
// are not in it; those that a limit refused are.
type Usage struct {
	Minute, Hour         int // requests in the clock minute and hour of the last one
	MostMinute, MostHour int // the most in any clock minute and hour
	Limited              int // requests that were refused with 429
}

// Usage is the count by now. It counts without limits too.
func (s *Server) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits
	return Usage{Minute: l.minute.used, Hour: l.hour.used, MostMinute: l.minute.most, MostHour: l.hour.most, Limited: l.refused}
}

type limiter struct {
	minute, hour window
	refused      int
}

// window counts in clock windows: it starts anew at the top of the minute or
// hour, not so long after the first request.
type window struct {
	start      time.Time
	used, most int
}

func (w *window) count(now time.Time, length time.Duration) {
	if start := now.Truncate(length); !start.Equal(w.start) {
		w.start, w.used = start, 0
	}
	w.used++
	w.most = max(w.most, w.used)
}

// overLimit counts a request and refuses it where it is one too many: in plain
// text and, for the hour too, with a minute's wait.
func (s *Server) overLimit() (refusal reply, over bool) {
	l, now := &s.limits, s.cfg.Now()
	l.minute.count(now, time.Minute)
	l.hour.count(now, time.Hour)
	most, seconds := s.cfg.PerMinute, 60
	if s.cfg.PerHour > 0 && l.hour.used > s.cfg.PerHour {
		most, seconds = s.cfg.PerHour, 3600
	} else if most == 0 || l.minute.used <= most {
		return reply{}, false
	}
	l.refused++
	refusal = text(http.StatusTooManyRequests, fmt.Sprintf("You must not exceed %d requests per %d seconds", most, seconds))
	refusal.header.Set("Retry-After", "60")
	return refusal, true
}
