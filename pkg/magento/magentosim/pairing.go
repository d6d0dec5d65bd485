package magentosim

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const codeLifetime = 30 * time.Minute

// pairingCode is empty where none is pending.
type pairingCode struct {
	text string
	made time.Time
}

// NewPairingCode is the button in the shop's admin: a code for one pairing
// within 30 minutes, which replaces an earlier one.
func (s *Shop) NewPairingCode() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pairing = pairingCode{text: hex.EncodeToString(raw[:]), made: s.now()}
	return s.pairing.text
}

// Connect makes a code and hands it in at once, for tests that are about something
// else: the pairing call is the only way in which the shop takes settings.
func (s *Shop) Connect(tenantID, apiKey, ledgerURL string) {
	body, err := json.Marshal(pairingIn{Code: s.NewPairingCode(), TenantID: tenantID, APIKey: apiKey, LedgerURL: ledgerURL})
	if err != nil {
		panic(err) // strings only
	}
	if a := s.pair(nil, body); a.status != http.StatusOK {
		panic("the shop refuses to be paired: " + string(a.body))
	}
}

// pairingIn is the body of the pairing call.
type pairingIn struct {
	Code      string `json:"pairing_code"`
	TenantID  string `json:"tenant_id"`
	APIKey    string `json:"byte8_api_key"`
	LedgerURL string `json:"ledger_base_url"`
}

// LedgerURL is where the shop sends its events, as the pairing call said; empty if
// it is not paired.
func (s *Shop) LedgerURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.ledgerURL
}

// Disconnect forgets the pairing: the outbox rests and every token is refused.
func (s *Shop) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = connection{}
	s.notify()
}

// TenantID is whom the shop is paired with, empty if nobody.
func (s *Shop) TenantID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.tenantID
}

// pair needs no token. It burns the code and takes the key in one step: a caller who loses the
// answer finds the code spent and the key in use.
func (s *Shop) pair(_ *http.Request, body []byte) answer {
	var in pairingIn
	if json.Unmarshal(body, &in) != nil {
		return says(http.StatusBadRequest, "Decoding error.")
	}
	for _, field := range []string{in.Code, in.TenantID, in.APIKey, in.LedgerURL} {
		if strings.TrimSpace(field) == "" {
			return says(http.StatusBadRequest, "pairing_code, tenant_id, byte8_api_key and ledger_base_url are required.")
		}
	}
	if u, err := url.Parse(in.LedgerURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return says(http.StatusBadRequest, "ledger_base_url must be an absolute http(s) URL.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := s.pairing.text != "" && s.now().Sub(s.pairing.made) <= codeLifetime
	if !pending || subtle.ConstantTimeCompare([]byte(in.Code), []byte(s.pairing.text)) != 1 {
		return says(http.StatusUnauthorized, "Invalid or expired pairing code.")
	}
	s.pairing = pairingCode{}
	s.link = connection{in.TenantID, in.APIKey, strings.TrimRight(in.LedgerURL, "/")}
	s.notify()
	return answerJSON([]any{})
}
