package xerosim

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	keyLife   = 6 * time.Minute
	maxKeyLen = 128
)

type storedAnswer struct {
	request string
	answer  answer
	until   time.Time
}

// cacheable reports whether an answer is kept under its idempotency key: errors
// are too, also internal ones. Limits, refused tokens and an offline Xero come
// from before the place where keys are kept.
func cacheable(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return false
	}
	return true
}

func fingerprint(c call) string {
	sum := sha256.Sum256([]byte(c.method + "\n" + c.uri + "\n" + string(c.body)))
	return hex.EncodeToString(sum[:])
}

// stored is what an earlier request with the same key was answered; another
// request under that key is an error.
func (s *Sim) stored(c call) (answer, bool) {
	if c.key == "" || c.method == http.MethodGet {
		return answer{}, false
	}
	if len(c.key) > maxKeyLen {
		return exception(400, 10, "ValidationException", "Idempotency-Key must be at most 128 characters"), true
	}
	found, ok := s.keys[c.key]
	switch {
	case !ok || !s.cfg.Now().Before(found.until):
		return answer{}, false
	case found.request != fingerprint(c):
		return exception(400, 10, "ValidationException", "Idempotency Key: "+c.key+" is used with a different request."), true
	}
	replay := found.answer
	replay.header = found.answer.header.Clone()
	return replay, true
}

func (s *Sim) store(c call, a answer) {
	now := s.cfg.Now()
	for key, kept := range s.keys {
		if !now.Before(kept.until) {
			delete(s.keys, key)
		}
	}
	kept := storedAnswer{request: fingerprint(c), answer: a, until: now.Add(keyLife)}
	kept.answer.header = a.header.Clone()
	if earlier, ok := s.keys[c.key]; ok {
		kept.until = earlier.until
	}
	s.keys[c.key] = kept
}

// remember keeps a fault's answer under the call's key, as Xero keeps its own
// internal errors.
func (s *Sim) remember(c call, a answer) {
	if c.key == "" || c.method == http.MethodGet || strings.TrimSpace(c.key) == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(c, a)
}
