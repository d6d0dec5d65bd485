package xerosim

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	prefix  = "/api.xro/2.0"
	maxBody = 10 << 20 // Xero's hard limit of a request
)

// Config sets up a simulated organisation.
type Config struct {
	Now func() time.Time // default time.Now

	// Tokens are the bearer tokens that are accepted; without any, every token
	// is.
	Tokens []string
	// OrgID must come as xero-tenant-id. When empty the header is not looked at,
	// as on a custom connection.
	OrgID string

	Limits       Limits
	BaseCurrency string   // default GBP
	Currencies   []string // enabled beside the base; default EUR and USD
	Timezone     string   // default GMTSTANDARDTIME

	// QuotedNumbers makes answers carry numbers and booleans as strings, as some
	// of Xero's do.
	QuotedNumbers bool

	// ShuffleBatches, unless 0, is the seed of an order in which the elements of
	// an answer to several come back: Xero promises none.
	ShuffleBatches uint64

	// NoAlternatives refuses where clauses with OR.
	NoAlternatives bool
}

// Sim is the simulated organisation. It is safe for use by many goroutines.
type Sim struct {
	cfg Config

	mu          sync.Mutex
	org         organisation
	invoices    []*invoice
	contacts    []*contact
	credits     []*invoice
	payments    []*payment
	items       []*item
	keys        map[string]storedAnswer
	faults      []*Fault
	calls       map[string]int
	batches     map[string]batchCount
	shuffle     *rand.Rand
	allocations []*allocation
	limits      limiter
	nextID      uint64
	nextCall    uint64 // of correlation ids
	nextAuto    int
	approvals   int               // -1: no cap
	refusals    map[string]string // of the next contact with a number: Xero's words
}

// New makes an organisation without documents.
func New(cfg Config) *Sim {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.BaseCurrency == "" {
		cfg.BaseCurrency = "GBP"
	}
	if cfg.Currencies == nil {
		cfg.Currencies = []string{"EUR", "USD"}
	}
	if cfg.Timezone == "" {
		cfg.Timezone = "GMTSTANDARDTIME"
	}
	s := &Sim{
		cfg: cfg, keys: map[string]storedAnswer{}, calls: map[string]int{}, batches: map[string]batchCount{},
		shuffle: rand.New(rand.NewPCG(cfg.ShuffleBatches, 0)), approvals: -1,
	}
	s.org = demoCompany(s, cfg)
	return s
}

// call is one request on its way.
type call struct {
	operation string // "PUT /Invoices", "PUT /CreditNotes/Allocations"; ids in the path do not show
	method    string
	resource  string // "Invoices"
	id        string // what follows the resource
	list      string // the key of the body's list: the resource, or what is nested in one
	query     map[string][]string
	body      []byte
	uri       string
	key       string
	since     string           // If-Modified-Since
	elements  []map[string]any // of a write
	unread    *answer          // why the body of a write cannot be read
}

func (c call) get(name string) string {
	if values := c.query[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// answer is a whole response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP takes a request the way Xero does: limits, token, organisation,
// idempotency key, effect, answer. Faults strike before or after the effect.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Xero-Correlation-Id", s.correlation())
	c, refusal := s.read(r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	done, limited := s.admit(c)
	defer done()
	if limited != nil {
		limited.write(w)
		return
	}
	if a := s.authorise(r); a != nil {
		a.write(w)
		return
	}
	s.open(&c)
	if fault := s.strike(c, Before); fault != nil {
		if fault.Status != 0 && cacheable(fault.Status) {
			s.remember(c, fault.answer())
		}
		if !fault.carryOut(w, r, answer{}) {
			return
		}
	}
	a := s.answer(c)
	for name, values := range s.headers() {
		a.header[name] = values
	}
	if fault := s.strike(c, After); fault != nil {
		if fault.Status != 0 && cacheable(fault.Status) {
			s.remember(c, fault.answer())
		}
		if !fault.carryOut(w, r, a) {
			return
		}
	}
	a.write(w)
}

func (s *Sim) read(r *http.Request) (call, *answer) {
	path, ok := strings.CutPrefix(r.URL.Path, prefix+"/")
	if !ok {
		return call{}, &answer{status: http.StatusNotFound}
	}
	resource, id, _ := strings.Cut(path, "/")
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return call{}, &answer{status: http.StatusRequestEntityTooLarge}
	}
	operation, list := r.Method+" /"+resource, resource
	if _, nested, ok := strings.Cut(id, "/"); ok {
		list, _, _ = strings.Cut(nested, "/")
		operation += "/" + list
	}
	return call{
		operation: operation, list: list, method: r.Method, resource: resource, id: id,
		query: r.URL.Query(), body: body, uri: r.URL.RequestURI(), key: r.Header.Get("Idempotency-Key"),
		since: r.Header.Get("If-Modified-Since"),
	}, nil
}

func (s *Sim) authorise(r *http.Request) *answer {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" || len(s.cfg.Tokens) > 0 && !slices.Contains(s.cfg.Tokens, token) {
		return problem(http.StatusUnauthorized, "Unauthorized", "TokenExpired: token expired at 11/20/2026 10:00:00")
	}
	if s.cfg.OrgID != "" && r.Header.Get("xero-tenant-id") != s.cfg.OrgID {
		return problem(http.StatusForbidden, "Forbidden", "AuthenticationUnsuccessful")
	}
	return nil
}

// answer carries the request out, or repeats what its idempotency key stands
// for. One lock makes every effect atomic.
func (s *Sim) answer(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored, ok := s.stored(c); ok {
		return stored
	}
	a := s.route(c)
	if a.header == nil {
		a.header = http.Header{}
	}
	if c.method != http.MethodGet && c.key != "" && cacheable(a.status) {
		s.store(c, a)
	}
	return a
}

func (s *Sim) route(c call) answer {
	switch {
	case c.resource == "Invoices" && c.method == http.MethodGet:
		return s.getInvoices(c)
	case c.resource == "Invoices" && (c.method == http.MethodPut && c.id == "" || c.method == http.MethodPost):
		return s.writeInvoices(c)
	case c.resource == "Contacts" && c.method == http.MethodGet:
		return s.getContacts(c)
	case c.resource == "Contacts" && (c.method == http.MethodPut && c.id == "" || c.method == http.MethodPost):
		return s.writeContacts(c)
	case c.resource == "CreditNotes":
		return s.creditNotes(c)
	case c.resource == "Payments" && c.method == http.MethodGet:
		return s.getPayments(c)
	case c.resource == "Payments" && (c.method == http.MethodPut && c.id == "" || c.method == http.MethodPost):
		return s.writePayments(c)
	case c.resource == "Items" && c.method == http.MethodGet:
		return s.getItems(c)
	case c.resource == "Items" && (c.method == http.MethodPut && c.id == "" || c.method == http.MethodPost):
		return s.writeItems(c)
	case c.method == http.MethodGet && c.id == "":
		if list, ok := s.org.resource(c.resource); ok {
			return s.document(http.StatusOK, list)
		}
		return answer{status: http.StatusNotFound}
	}
	return answer{status: http.StatusNotImplemented}
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = io.Copy(w, bytes.NewReader(a.body)) // a caller who went away is his own affair
}
