package freeagentsim

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says which ledger the server is. The zero value is a British company
// registered for VAT that takes any bearer token.
type Config struct {
	Now       func() time.Time // time.Now where nil
	Tokens    []string         // accepted access tokens; empty: any that is not
	Rates     []string         // the company's sales tax rates, as "20.0"; empty: Britain's
	PerMinute int              // requests in a clock minute before 429, see FreeAgentPerMinute; 0: no limit
	PerHour   int              // requests in a clock hour before 429, see FreeAgentPerHour; 0: no limit

	DuplicateEmails     bool // FreeAgent's own behaviour: e-mails are not unique
	IgnoreEmailFilter   bool // FreeAgent's own behaviour: ?email= is not known
	IgnoreContactFilter bool // GET /invoices gives everybody's, whatever ?contact= says
	DuplicateReferences bool // two invoices may share a number
	NotRegistered       bool // the company is not registered for sales tax: rates are ignored
}

// RealFreeAgent is cfg with contacts as FreeAgent itself keeps them.
func RealFreeAgent(cfg Config) Config {
	cfg.DuplicateEmails, cfg.IgnoreEmailFilter = true, true
	return cfg
}

// The operations, for Fault and Count.
const (
	InvoiceCreate = "POST /invoices"
	InvoiceList   = "GET /invoices"
	InvoiceGet    = "GET /invoices/:id"
	InvoiceSend   = "PUT /invoices/:id/transitions/mark_as_sent"
	InvoiceDraft  = "PUT /invoices/:id/transitions/mark_as_draft"
	CreditCreate  = "POST /credit_notes"
	CreditList    = "GET /credit_notes"
	CreditGet     = "GET /credit_notes/:id"
	CreditSend    = "PUT /credit_notes/:id/transitions/mark_as_sent"
	CreditDraft   = "PUT /credit_notes/:id/transitions/mark_as_draft"

	ReconciliationCreate = "POST /credit_note_reconciliations"
	ReconciliationList   = "GET /credit_note_reconciliations"
	ReconciliationGet    = "GET /credit_note_reconciliations/:id"
	ExplanationCreate    = "POST /bank_transaction_explanations"
	ExplanationList      = "GET /bank_transaction_explanations"
	ExplanationGet       = "GET /bank_transaction_explanations/:id"

	ContactCreate = "POST /contacts"
	ContactUpdate = "PUT /contacts/:id"
	ContactList   = "GET /contacts"
	ContactGet    = "GET /contacts/:id"
	Company       = "GET /company"
	Categories    = "GET /categories"
	BankAccounts  = "GET /bank_accounts"
)

// Server is the ledger. It is an http.Handler and safe for concurrent use.
type Server struct {
	cfg Config

	mu              sync.Mutex
	contacts        []*contact
	invoices        []*invoice
	creditNotes     []*invoice
	explanations    []*explanation
	reconciliations []*reconciliation
	requests        int
	lastID          int
	lockedUntil     string // YYYY-MM-DD, empty: nothing is locked
	faults          []Fault
	counts          map[string]int
	limits          limiter
}

// New makes an empty ledger.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(cfg.Rates) == 0 {
		cfg.Rates = []string{"20.0", "5.0", "0.0"}
	}
	return &Server{cfg: cfg, lastID: 100, counts: map[string]int{}}
}

// maxBody is more than any document needs.
const maxBody = 4 << 20

// ServeHTTP answers one request: it finds the operation, lets a fault happen
// where one was injected, and else does what the operation does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return // the client is gone
	}
	operation, id := operationOf(r)
	w.Header().Set("X-Request-Id", s.requestID())
	fault, faulty := s.admit(operation)
	if faulty && !fault.After {
		fault.happen(w, r, reply{})
		return
	}
	answer := s.answer(r, operation, id, body)
	if faulty {
		fault.happen(w, r, answer)
		return
	}
	answer.write(w)
}

// operationOf names what r asks for and the id in its path; empty where there
// is no such thing.
func operationOf(r *http.Request) (operation, id string) {
	path, under := strings.CutPrefix(r.URL.Path, "/v2/")
	if !under {
		return "", ""
	}
	parts := strings.Split(path, "/")
	if len(parts) > 1 {
		id, parts[1] = parts[1], ":id"
	}
	name := r.Method + " /" + strings.Join(parts, "/")
	if _, known := operations()[name]; known {
		return name, id
	}
	return "", ""
}

func (s *Server) answer(r *http.Request, name, id string, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refusal, refused := s.refuse(r); refused {
		return refusal
	}
	found, known := operations()[name]
	if !known {
		return notFound()
	}
	// The wire ignores parameters that it does not know; here they are refused, so
	// that no client leans on one.
	for param := range r.URL.Query() {
		if !slices.Contains(found.params, param) {
			return malformed("found unpermitted parameters: " + param)
		}
	}
	return found.do(s, request{Request: r, base: baseOf(r), id: id, body: body})
}

// refuse checks what every request needs.
func (s *Server) refuse(r *http.Request) (reply, bool) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !bearer || !s.knows(token):
		return failure(http.StatusUnauthorized, map[string]any{"errors": wrapped("Access token not recognised")}), true
	case strings.TrimSpace(r.Header.Get("User-Agent")) == "":
		return errorsOf(http.StatusBadRequest, "User-Agent header is missing"), true
	}
	if refusal, over := s.overLimit(); over {
		return refusal, true
	}
	switch {
	case !strings.Contains(r.Header.Get("Accept"), "json"):
		return text(http.StatusNotAcceptable, ""), true
	case (r.Method == http.MethodPost || r.Method == http.MethodPut && r.ContentLength > 0) && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return text(http.StatusUnsupportedMediaType, ""), true
	}
	return reply{}, false
}

func (s *Server) knows(token string) bool {
	if len(s.cfg.Tokens) == 0 {
		return token != ""
	}
	for _, known := range s.cfg.Tokens {
		if token == known {
			return true
		}
	}
	return false
}

// requestID numbers the requests.
func (s *Server) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return fmt.Sprintf("request-%d", s.requests)
}

func (s *Server) nextID() int {
	s.lastID++
	return s.lastID
}

// baseOf is the host that was called, with /v2: the URLs in answers use it.
func baseOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/v2"
}

// Count is how many requests of an operation came in, failed ones too.
func (s *Server) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[operation]
}

// LockUntil locks the accounting period up to and with a day, YYYY-MM-DD.
func (s *Server) LockUntil(day string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lockedUntil = day
}
