package magentosim

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config is how the shop is set up. The zero value is usable.
type Config struct {
	Now func() time.Time // default time.Now; ClockOffset is added to it
	// Provider is whose module is installed, and the provider parameter of the
	// webhooks. Default xero.
	Provider string
	// Events are the ones that the shop sends; nil means all that happen.
	Events []string
	// Production refuses calls over plain HTTP with an ordinary 401, as the modules
	// do in Magento's production mode.
	Production bool
	// NoModule is a Magento in which no module is installed: every call is a route
	// that it does not have.
	NoModule bool

	ConnectTimeout time.Duration // of a webhook; default 5 s
	AnswerTimeout  time.Duration // of a webhook in all; default 15 s
}

// Shop is the simulated shop. It is an http.Handler for everything below
// /rest/, and safe for concurrent use.
type Shop struct {
	cfg    Config
	mux    *http.ServeMux
	client *http.Client
	cron   sync.Mutex // held while draining: Magento runs one cron group at a time

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at each change
	offset    time.Duration
	pairing   pairingCode
	link      connection
	spent     map[string]time.Time // jti -> until when it is remembered
	documents map[entity]document
	lastID    int64 // of an invoice
	lastMemo  int64
	chips     map[chipKey]Chip
	told      map[chipKey][]Told
	outbox    []Row
	rowOf     map[string]int // outbox key -> index
	calls     map[Route]int
	faults    map[Route][]Fault
	outage    *Fault
	sending   []SendFault
}

// connection is what pairing gave the shop; the zero value is not paired.
type connection struct {
	tenantID, apiKey, ledgerURL string
}

// entity names a document.
type entity struct {
	kind string // invoice, creditmemo, customer, product
	id   int64
}

// New sets up a shop without invoices and not paired.
func New(cfg Config) *Shop {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Provider = cmp.Or(cfg.Provider, "xero")
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 5*time.Second)
	cfg.AnswerTimeout = cmp.Or(cfg.AnswerTimeout, 15*time.Second)
	s := &Shop{
		cfg:       cfg,
		client:    cronClient(cfg),
		changed:   make(chan struct{}),
		spent:     map[string]time.Time{},
		documents: map[entity]document{},
		chips:     map[chipKey]Chip{},
		told:      map[chipKey][]Told{},
		rowOf:     map[string]int{},
		calls:     map[Route]int{},
		faults:    map[Route][]Fault{},
	}
	s.mux = s.routes()
	return s
}

// cronClient opens a fresh connection for each webhook and follows no redirect.
func cronClient(cfg Config) *http.Client {
	dialer := &net.Dialer{Timeout: cfg.ConnectTimeout}
	return &http.Client{
		Timeout:       cfg.AnswerTimeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// SetClockOffset puts the shop's clock ahead of Now, or behind it. It is the
// clock of its tokens, its pairing codes and its outbox.
func (s *Shop) SetClockOffset(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = d
}

// now is the shop's clock; the lock must be held.
func (s *Shop) now() time.Time { return s.cfg.Now().Add(s.offset).UTC() }

// notify wakes those who wait; the lock must be held.
func (s *Shop) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Changed is closed at the next change of an invoice, a chip or the outbox.
// Take it before looking, so that no change is missed.
func (s *Shop) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Wait returns when the condition holds, which is asked again after each change.
func (s *Shop) Wait(ctx context.Context, condition func(*Shop) bool) error {
	for {
		changed := s.Changed()
		if condition(s) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
