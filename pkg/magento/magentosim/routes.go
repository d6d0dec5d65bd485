package magentosim

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/shopjwt"
)

// Route names a call, for counters and faults.
type Route string

// The shop's routes, and the webhooks that it sends itself.
const (
	RoutePing           Route = "ping"
	RoutePaymentMethods Route = "payment_methods"
	RouteInvoice        Route = "invoice"
	RoutePayment        Route = "payment"
	RouteCreditMemo     Route = "creditmemo"
	RouteCustomer       Route = "customer"
	RouteProduct        Route = "product"
	RouteSyncState      Route = "sync_state"
	RoutePair           Route = "pair"
	RouteWebhook        Route = "webhook" // outgoing; only counted
)

const maxRequest = 1 << 20

// answer is what a handler says, before a fault may change it.
type answer struct {
	status int
	body   []byte
	html   bool
	header map[string]string
}

type handler func(r *http.Request, body []byte) answer

func (s *Shop) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, route Route, h handler) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /rest/V1/byte8"+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, route, h) })
	}
	handle("GET /ping", RoutePing, s.signed(s.ping))
	handle("GET /payment-methods", RoutePaymentMethods, s.signed(paymentMethods))
	handle("GET /invoice/{id}", RouteInvoice, s.signed(s.document("invoice")))
	handle("GET /payment/{id}", RoutePayment, s.signed(s.payment))
	handle("GET /creditmemo/{id}", RouteCreditMemo, s.signed(s.document("creditmemo")))
	handle("GET /customer/{id}", RouteCustomer, s.signed(s.document("customer")))
	handle("GET /product/{id}", RouteProduct, s.signed(s.document("product")))
	handle("POST /sync-state", RouteSyncState, s.signed(s.syncState))
	handle("POST /"+moduleOf(s.cfg.Provider)+"/setup/pair", RoutePair, s.pair)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.write(w, says(http.StatusNotFound, "Request does not match any route."))
	})
	return mux
}

func moduleOf(provider string) string {
	if strings.HasSuffix(provider, "_accounting") {
		return provider
	}
	return provider + "_accounting"
}

// ServeHTTP answers as the shop's REST API.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serve counts the call, lets a fault have its way, and answers.
func (s *Shop) serve(w http.ResponseWriter, r *http.Request, route Route, h handler) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.write(w, says(http.StatusBadRequest, "Decoding error."))
		return
	}
	act := func() answer {
		switch {
		case s.cfg.NoModule:
			return says(http.StatusNotFound, "Request does not match any route.")
		case s.cfg.Production && r.TLS == nil:
			return notAuthorized()
		case r.Method == http.MethodPost && !isJSON(r.Header.Get("Content-Type")):
			return says(http.StatusBadRequest, "Server cannot understand Content-Type HTTP header media type")
		}
		return h(r, body)
	}
	fault, failing := s.nextFault(route)
	if !failing {
		s.write(w, act())
		return
	}
	s.fail(w, r, fault, act)
}

func (s *Shop) write(w http.ResponseWriter, a answer) {
	s.mu.Lock()
	date := s.now()
	s.mu.Unlock()
	w.Header().Set("Date", date.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if a.html {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// signed lets a call through whose token the shop accepts: signature, claims
// and times by its own rules, and a jti not seen before.
func (s *Shop) signed(h handler) handler {
	return func(r *http.Request, body []byte) answer {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !bearer || !s.spend(token) {
			return notAuthorized()
		}
		return h(r, body)
	}
}

// notAuthorized is Magento's ordinary refusal, whatever the reason.
func notAuthorized() answer {
	return says(http.StatusUnauthorized, "The consumer isn't authorized to access %resources.", "resources", "Byte8_Client::api")
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

func (s *Shop) spend(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	claims, err := shopjwt.VerifyAsShop(s.link.apiKey, s.link.tenantID, token, now)
	if err != nil || s.link.tenantID == "" {
		return false
	}
	if _, used := s.spent[claims.JTI]; used {
		return false
	}
	for jti, until := range s.spent {
		if len(s.spent) > 10_000 && until.Before(now) {
			delete(s.spent, jti)
		}
	}
	s.spent[claims.JTI] = claims.ExpiresAt
	return true
}

func (s *Shop) ping(*http.Request, []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answerJSON(map[string]any{"ok": true, "tenant_id": s.link.tenantID, "server_time": s.now().Format(time.RFC3339)})
}

func paymentMethods(*http.Request, []byte) answer {
	type method struct {
		Code     string `json:"code"`
		Label    string `json:"label"`
		IsActive bool   `json:"is_active"`
	}
	return answerJSON([]method{
		{"checkmo", "Check / Money order", true},
		{"banktransfer", "Bank Transfer Payment", true},
		{"stripe_payments", "Credit Card", true},
		{"purchaseorder", "Purchase Order", false},
	})
}

func answerJSON(v any) answer {
	raw, err := json.Marshal(v)
	if err != nil {
		return says(http.StatusInternalServerError, "Internal Error.")
	}
	return answer{status: http.StatusOK, body: raw}
}

// says is Magento's error: a message with named parameters in pairs.
func says(status int, message string, pairs ...any) answer {
	e := map[string]any{"message": message}
	parameters := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		parameters[pairs[i].(string)] = pairs[i+1]
	}
	if len(parameters) > 0 {
		e["parameters"] = parameters
	}
	a := answerJSON(e)
	a.status = status
	return a
}
