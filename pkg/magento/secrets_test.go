package magento_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento"
	"towpath/pkg/provider"
	"towpath/pkg/secret"
)

// echo answers each call with what it makes of the token that came.
type echo struct {
	status int
	header map[string]string // %s is the token
	body   string            // %s is the token
	raw    string            // in place of an HTTP answer; %s is the token
	half   bool              // the answer breaks off

	mu   sync.Mutex
	seen []string
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	e.mu.Lock()
	e.seen = append(e.seen, token)
	e.mu.Unlock()
	body := strings.ReplaceAll(strings.ReplaceAll(e.body, "%s", token), "%h", token[:min(len(token), 30)])
	if e.raw != "" {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(conn, strings.ReplaceAll(e.raw, "%s", token))
		conn.Close()
		return
	}
	for name, value := range e.header {
		w.Header().Set(name, strings.ReplaceAll(value, "%s", token))
	}
	if e.half {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+100))
	}
	w.WriteHeader(e.status)
	fmt.Fprint(w, body)
}

// client is one of a shop that echoes.
func (e *echo) client(t *testing.T) *magento.Client {
	cfg := setup(t).cfg
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	cfg.BaseURL = srv.URL
	return newClient(t, cfg)
}

// noSecret demands that no text of the failure holds a token, a part of one, or
// the key, and that a word stands for it where text is not empty.
func (e *echo) noSecret(t *testing.T, err error, text string) {
	var f *provider.Failure
	require.ErrorAs(t, err, &f)
	all := f.Error()
	require.NotContains(t, all, "eyJ")
	require.NotContains(t, all, apiKey)
	require.Contains(t, all, text)
	e.mu.Lock()
	defer e.mu.Unlock()
	require.NotEmpty(t, e.seen)
	for _, token := range e.seen {
		for _, part := range strings.Split(token, ".") {
			if part != "" {
				require.NotContains(t, all, part)
			}
		}
	}
}

func Test_Echoed_token_is_redacted(t *testing.T) {
	t.Parallel()
	message := `{"message":"echo Bearer %s end"}`
	for name, c := range map[string]*echo{
		"400":                        {status: 400, body: message},
		"401":                        {status: 401, body: message},
		"403":                        {status: 403, body: message},
		"404":                        {status: 404, body: message},
		"429":                        {status: 429, body: message},
		"500":                        {status: 500, body: message},
		"400 without the word":       {status: 400, body: `{"message":"got %s, sorry"}`},
		"400 with half a token":      {status: 400, body: `{"message":"echo Bearer %h"}`},
		"400 with half, no word":     {status: 400, body: `{"message":"echo %h"}`},
		"400 escaped":                {status: 400, body: `{"message":"echo \u0042earer \u0065%s"}`},
		"400 in a parameter":         {status: 400, body: `{"message":"echo %1","parameters":["Bearer %s"]}`},
		"400 in parts":               {status: 400, body: `{"message":"echo %1%2","parameters":["Bear","er %s"]}`},
		"400 with another's token":   {status: 400, body: `{"message":"echo eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln"}`},
		"400 with our key":           {status: 400, body: `{"message":"key ` + apiKey + `"}`},
		"400 page":                   {status: 400, body: `<html><title>Bearer %s</title>`},
		"401 page":                   {status: 401, body: `<html><title>Bearer %s</title>`},
		"500 page":                   {status: 500, body: `<html><title>Bearer %s</title>`},
		"200 page":                   {status: 200, body: `<html><title>Bearer %s</title>`},
		"200 page with half a token": {status: 200, body: `<html><title>got %h</title>`},
		"200 amount":                 {status: 200, body: `{"magento_id":1,"increment_id":"1","grand_total":"Bearer %s"}`},
		"200 currency":               {status: 200, body: `{"magento_id":1,"increment_id":"1","grand_total":1,"currency":"%s"}`},
		"302 to a host":              {status: 302, header: header("Location", "https://%s.example.com/")},
		"malformed status line":      {raw: "Bearer %s\r\n\r\n"},
		"malformed header":           {raw: "HTTP/1.1 200 OK\r\nBearer %s\r\n\r\n"},
		"malformed length":           {raw: "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n"},
		"half a message":             {status: 400, body: message, half: true},
		"half a 200":                 {status: 200, body: `{"magento_id":1,"increment_id":"Bearer %s`, half: true},
		"half a page":                {status: 200, body: `<title>Bearer %s</title>`, half: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := c.client(t).Invoice(t.Context(), 1)
			text := "[redacted]"
			if name == "half a message" || name == "half a 200" || name == "200 currency" {
				text = "" // nothing of the body is quoted at all, or too little
			}
			c.noSecret(t, err, text)
		})
	}
}

func Test_Echoed_token_is_redacted_for_every_call(t *testing.T) {
	t.Parallel()
	e := &echo{status: 400, body: `{"message":"echo Bearer %s"}`}
	client := e.client(t)
	_, err := client.Ping(t.Context())
	e.noSecret(t, err, "[redacted]")
	_, err = client.PaymentMethods(t.Context())
	e.noSecret(t, err, "[redacted]")
	e.noSecret(t, client.PushSyncState(t.Context(), synced()), "[redacted]")
}

func Test_Echoed_pairing_code_and_key_are_redacted(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 422, 500} {
		e := &echo{status: status, body: `{"message":"bad code PAIR-1234-5678 for ` + apiKey + `"}`}
		err := e.client(t).Pair(t.Context(), magento.PairRequest{Provider: "xero", Code: secret.NewString(" PAIR-1234-5678 "), LedgerBaseURL: "https://x.example.com"})
		require.ErrorContains(t, err, "bad code [redacted] for [redacted]")
		require.NotContains(t, err.Error(), apiKey)
		require.NotContains(t, err.Error(), "PAIR-1234")
	}
}

// The document is kept: it must not hold the token either, and else be as sent.
func Test_Raw_document_holds_no_echoed_token(t *testing.T) {
	t.Parallel()
	doc := `{"magento_id":1,"increment_id":"1","currency":"GBP","state":"open","grand_total":1,"created_at":"2026-04-29T10:11:12Z","po_number":"our bearer bond","x":"Bearer %s"}`
	e := &echo{status: 200, body: doc}
	raw, inv, err := e.client(t).Invoice(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(doc, "%s", "[redacted]"), string(raw))
	require.Equal(t, "our bearer bond", *inv.PONumber)
}
