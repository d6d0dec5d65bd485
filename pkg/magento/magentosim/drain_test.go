package magentosim_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/shopjwt"
)

// ledger is the service that the shop sends to: it checks the tokens and
// answers as the test says.
type ledger struct {
	mu      sync.Mutex
	answer  http.HandlerFunc
	got     []string // "key jti" of each webhook
	conns   map[string]bool
	badAuth int
}

func newLedger(t *testing.T, st *stand) *ledger {
	l := &ledger{conns: map[string]bool{}}
	l.answers(202, `{"sync_run_id":"run-1"}`)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		l.mu.Lock()
		claims, err := shopjwt.Verify(apiKey, tenant, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), st.now)
		if err != nil || !strings.HasPrefix(r.URL.RequestURI(), "/base/webhooks/magento/"+tenant+"/") || r.URL.RawQuery != "provider=xero" {
			l.badAuth++
		}
		l.got = append(l.got, r.Header.Get("Idempotency-Key")+" "+claims.JTI)
		l.conns[r.RemoteAddr] = true
		answer := l.answer
		l.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	st.shop.Connect(tenant, apiKey, srv.URL+"/base/")
	return l
}

func (l *ledger) answers(status int, body string) {
	l.does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func (l *ledger) does(answer http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

func (l *ledger) webhooks() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got
}

func drain(t *testing.T, st *stand) magentosim.Drained {
	done, err := st.shop.Drain(t.Context())
	require.NoError(t, err)
	return done
}

func raise(st *stand, n int) {
	for range n {
		st.shop.RaiseInvoice(magentosim.Cart{})
	}
}

func Test_Drain_sends_fifty_in_order_each_on_its_own_connection(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	raise(st, 60)
	require.Equal(t, magentosim.Drained{}, drain(t, st), "not paired: nothing is sent, nothing is lost")
	l := newLedger(t, st)
	require.Equal(t, magentosim.Drained{Succeeded: 50}, drain(t, st))
	require.Equal(t, magentosim.Drained{Succeeded: 10}, drain(t, st))
	require.Equal(t, magentosim.Drained{}, drain(t, st))
	for i, got := range l.webhooks() {
		require.True(t, strings.HasPrefix(got, fmt.Sprintf("invoice.created:%d ", i+1)), got)
	}
	require.Len(t, l.conns, 60)
	require.Zero(t, l.badAuth)
	require.Equal(t, 60, st.shop.Calls(magentosim.RouteWebhook))
	row := st.shop.Outbox()[59]
	require.Equal(t, magentosim.RowSucceeded, row.Status)
	require.Equal(t, "run-1", row.SyncRunID)
	require.Equal(t, "pending", st.shop.Chip("invoice", 60).Status, "sent is not synced")
}

func Test_Row_is_dead_at_once_on_any_4xx(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 409, 422, 429} {
		st := setup(t, magentosim.Config{})
		l := newLedger(t, st)
		l.answers(status, `{"code":"no"}`+strings.Repeat("x", 9000))
		raise(st, 1)
		require.Equal(t, magentosim.Drained{Dead: 1}, drain(t, st), status)
		row := st.shop.Outbox()[0]
		require.Equal(t, magentosim.RowDead, row.Status)
		require.True(t, strings.HasPrefix(row.LastError, fmt.Sprintf(`HTTP %d: {"code":"no"}`, status)))
		require.Len(t, row.LastError, 8192)
		st.pass(1000 * time.Hour)
		require.Equal(t, magentosim.Drained{}, drain(t, st), "never again by itself")
		l.answers(202, "")
		require.NoError(t, st.shop.Requeue(row.ID))
		require.Equal(t, magentosim.Drained{Succeeded: 1}, drain(t, st))
		require.Error(t, st.shop.Requeue(row.ID))
	}
}

func Test_Row_is_retried_on_the_shops_schedule_ten_times(t *testing.T) {
	t.Parallel()
	for _, status := range []int{503, 500, 302} {
		st := setup(t, magentosim.Config{})
		l := newLedger(t, st)
		l.answers(status, "later")
		raise(st, 1)
		const day = 24 * time.Hour
		for i, wait := range []time.Duration{
			time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, day, day,
		} {
			require.Equal(t, magentosim.Drained{Retried: 1}, drain(t, st), "failure %d", i+1)
			st.pass(wait - time.Second)
			require.Equal(t, magentosim.Drained{}, drain(t, st), "a second too early after failure %d", i+1)
			st.pass(time.Second)
		}
		require.Equal(t, magentosim.Drained{Dead: 1}, drain(t, st))
		require.Len(t, l.webhooks(), 10)
		jtis := map[string]bool{}
		for _, got := range l.webhooks() {
			key, jti, _ := strings.Cut(got, " ")
			require.Equal(t, "invoice.created:1", key)
			jtis[jti] = true
		}
		require.Len(t, jtis, 10, "a new token each")
	}
}

func Test_Row_is_retried_when_nothing_answers(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{AnswerTimeout: 50 * time.Millisecond})
	l := newLedger(t, st)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	l.does(func(http.ResponseWriter, *http.Request) { <-release })
	raise(st, 1)
	require.Equal(t, magentosim.Drained{Retried: 1}, drain(t, st), "no answer in time")
	st.shop.MakeDue()
	l.does(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	require.Equal(t, magentosim.Drained{Retried: 1}, drain(t, st), "closed")
	st.shop.MakeDue()
	st.shop.Connect(tenant, apiKey, "http://127.0.0.1:1")
	require.Equal(t, magentosim.Drained{Retried: 1}, drain(t, st), "refused")
	row := st.shop.Outbox()[0]
	require.Equal(t, 3, row.Attempts)
	require.Contains(t, row.LastError, "refused")
}

func Test_Webhook_goes_wrong_on_the_shops_side(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	l := newLedger(t, st)
	raise(st, 2)
	st.shop.InjectSend(magentosim.LoseAnswer, magentosim.SendTwice)
	require.Equal(t, magentosim.Drained{Succeeded: 1, Retried: 1}, drain(t, st))
	st.shop.MakeDue()
	require.Equal(t, magentosim.Drained{Succeeded: 1}, drain(t, st))
	got := l.webhooks()
	require.Len(t, got, 4)
	require.Equal(t, got[1], got[2], "the very same request twice: key and token")
	require.NotEqual(t, got[0], got[3], "a retry has a new token")
	require.Equal(t, strings.Fields(got[0])[0], strings.Fields(got[3])[0], "and the same key")
}

func Test_Drain_that_dies_leaves_the_row_as_it_was(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	l := newLedger(t, st)
	ctx, cancel := context.WithCancel(t.Context())
	l.does(func(http.ResponseWriter, *http.Request) {
		cancel()
		panic(http.ErrAbortHandler)
	})
	raise(st, 1)
	_, err := st.shop.Drain(ctx)
	require.ErrorIs(t, err, context.Canceled)
	row := st.shop.Outbox()[0]
	require.Equal(t, magentosim.RowPending, row.Status)
	require.Zero(t, row.Attempts)
	require.Len(t, l.webhooks(), 1, "though it arrived")
}

func Test_Run_drains_until_its_context_ends(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	newLedger(t, st)
	raise(st, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { st.shop.Run(ctx, time.Millisecond); close(ended) }()
	require.NoError(t, st.shop.Wait(t.Context(), func(s *magentosim.Shop) bool {
		return s.Outbox()[0].Status == magentosim.RowSucceeded
	}))
	cancel()
	<-ended
}

func Test_Call_carries_a_token(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	l := newLedger(t, st)
	l.does(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method+" "+r.URL.Path) })
	status, body, err := st.shop.Call(t.Context(), "/v1/tile/health", "", nil)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Equal(t, "GET /base/v1/tile/health", string(body))
	_, body, err = st.shop.Call(t.Context(), "/v1/tenant/disconnect", "disconnect:x", []byte("{}"))
	require.NoError(t, err)
	require.Equal(t, "POST /base/v1/tenant/disconnect", string(body))
}
