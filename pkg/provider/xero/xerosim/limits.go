package xerosim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Limits are Xero's per organisation: 60 a minute, 5 at a time, 1,000 or 5,000
// a day. Zero turns one off.
type Limits struct {
	PerMinute  int
	PerDay     int
	Concurrent int
}

type limiter struct {
	minute, day     window
	inFlight        int
	maxSeenInFlight int
}

// window counts calls in fixed windows.
type window struct {
	start time.Time
	used  int
}

func (w *window) roll(now time.Time, length time.Duration) {
	if now.Sub(w.start) >= length {
		w.start, w.used = now.Truncate(length), 0
	}
}

// admit counts the call and lets it in or not; done ends it.
func (s *Sim) admit(c call) (done func(), refusal *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.operation]++
	l, now := &s.limits, s.cfg.Now()
	l.minute.roll(now, time.Minute)
	l.day.roll(now, 24*time.Hour)
	l.inFlight++
	l.maxSeenInFlight = max(l.maxSeenInFlight, l.inFlight)
	done = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.limits.inFlight--
	}
	switch {
	case s.cfg.Limits.Concurrent > 0 && l.inFlight > s.cfg.Limits.Concurrent:
		return done, s.tooMany("concurrent", 0)
	case s.cfg.Limits.PerDay > 0 && l.day.used >= s.cfg.Limits.PerDay:
		return done, s.tooMany("day", l.day.start.Add(24*time.Hour).Sub(now))
	case s.cfg.Limits.PerMinute > 0 && l.minute.used >= s.cfg.Limits.PerMinute:
		return done, s.tooMany("minute", l.minute.start.Add(time.Minute).Sub(now))
	}
	l.minute.used++
	l.day.used++
	return done, nil
}

// SetCallsLeft is how many calls are left in the running minute and day, as if
// other apps had made the rest; it needs the limits to be set. A negative number
// changes nothing.
func (s *Sim) SetCallsLeft(minute, day int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	s.limits.minute.roll(now, time.Minute)
	s.limits.day.roll(now, 24*time.Hour)
	if minute >= 0 {
		s.limits.minute.used = s.cfg.Limits.PerMinute - minute
	}
	if day >= 0 {
		s.limits.day.used = s.cfg.Limits.PerDay - day
	}
}

// tooMany has Retry-After for the minute and the day only, as Xero's.
func (s *Sim) tooMany(limit string, wait time.Duration) *answer {
	header := s.headersLocked()
	header.Set("X-Rate-Limit-Problem", limit)
	if wait > 0 {
		header.Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	}
	return &answer{status: http.StatusTooManyRequests, header: header}
}

// correlation is the id of a call, which Xero's support asks for.
func (s *Sim) correlation() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextCall++
	return fmt.Sprintf("c0de0000-0000-4000-8000-%012x", s.nextCall)
}

func (s *Sim) headers() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.headersLocked()
}

func (s *Sim) headersLocked() http.Header {
	header := http.Header{"X-Appminlimit-Remaining": {"9999"}}
	if n := s.cfg.Limits.PerMinute; n > 0 {
		header.Set("X-MinLimit-Remaining", strconv.Itoa(max(n-s.limits.minute.used, 0)))
	}
	if n := s.cfg.Limits.PerDay; n > 0 {
		header.Set("X-DayLimit-Remaining", strconv.Itoa(max(n-s.limits.day.used, 0)))
	}
	return header
}
