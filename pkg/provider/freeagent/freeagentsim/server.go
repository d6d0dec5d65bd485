package freeagentsim

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
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
	ContactCreate = "POST /contacts"
	ContactList   = "GET /contacts"
	ContactGet    = "GET /contacts/:id"
	Company       = "GET /company"
	Categories    = "GET /categories"
	BankAccounts  = "GET /bank_accounts"
)

// Server is the ledger. It is an http.Handler and safe for concurrent use.
type Server struct {
	cfg Config

	mu          sync.Mutex
	contacts    []*contact
	invoices    []*invoice
	lastID      int
	lockedUntil string // YYYY-MM-DD, empty: nothing is locked
	faults      []Fault
	counts      map[string]int
	limits      limiter
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
	switch name := r.Method + " /" + strings.Join(parts, "/"); name {
	case InvoiceCreate, InvoiceList, InvoiceGet, InvoiceSend, InvoiceDraft, ContactCreate, ContactList, ContactGet, Company, Categories, BankAccounts:
		return name, id
	}
	return "", ""
}

func (s *Server) answer(r *http.Request, operation, id string, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refusal, refused := s.refuse(r); refused {
		return refusal
	}
	base := baseOf(r)
	switch operation {
	case InvoiceCreate:
		return s.createInvoice(base, body)
	case InvoiceList:
		return s.listInvoices(base, r)
	case InvoiceGet:
		return s.getInvoice(base, id)
	case InvoiceSend, InvoiceDraft:
		return s.moveInvoice(base, id, operation)
	case ContactCreate:
		return s.createContact(base, body)
	case ContactList:
		return s.listContacts(base, r)
	case ContactGet:
		return s.getContact(base, id)
	case Company:
		return ok(map[string]any{"company": s.company(base)})
	case Categories:
		return ok(categories(base))
	case BankAccounts:
		return page(r, "bank_accounts", bankAccounts(base))
	}
	return notFound()
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
	case r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
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

// Invoice is what the tests want to know of a stored invoice.
type Invoice struct {
	ID        int
	Reference string
	ContactID int
	Status    string
	Currency  string
	Net       decimal.Decimal
	Tax       decimal.Decimal
	Total     decimal.Decimal
	Terms     int
	Body      []byte // as it was posted
}

// Invoices are all invoices in the order of their creation.
func (s *Server) Invoices() []Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Invoice, 0, len(s.invoices))
	for _, i := range s.invoices {
		all = append(all, i.outside())
	}
	return all
}

// Total is the total of the one invoice with that number; found is false where
// there is none or more than one.
func (s *Server) Total(reference string) (total decimal.Decimal, found bool) {
	for _, i := range s.Invoices() {
		if i.Reference != reference {
			continue
		}
		if found {
			return decimal.Zero, false
		}
		total, found = i.Total, true
	}
	return total, found
}

// Contact is what the tests want to know of a stored contact.
type Contact struct {
	ID     int
	Fields map[string]string
}

// Contacts are all contacts in the order of their creation.
func (s *Server) Contacts() []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Contact, 0, len(s.contacts))
	for _, c := range s.contacts {
		all = append(all, c.outside())
	}
	return all
}
