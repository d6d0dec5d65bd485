package dashboard_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/secret"
)

// ticking is a clock that a test moves.
type ticking struct {
	mu  sync.Mutex
	now time.Time
}

func (c *ticking) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *ticking) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func at(c *ticking) func(*dashboard.Config) { return func(cfg *dashboard.Config) { cfg.Now = c.Now } }

// attack is a dashboard that is asked from any address.
type attack struct {
	router *httprouter.Router
	clock  *ticking
}

func newAttack(t *testing.T) *attack {
	t.Helper()
	return newAttackWith(t, thePassword)
}

func newAttackWith(t *testing.T, password string) *attack {
	t.Helper()
	box, err := secret.ParseKeys(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	a := &attack{router: httprouter.New(), clock: &ticking{now: now}}
	dashboard.New(dashboard.Config{Password: secret.NewString(password), Box: box, Now: a.clock.Now, Secure: true}).Register(a.router)
	return a
}

// try sends a password from an address; forwarded and cookies may be empty.
func (a *attack) try(peer, password, forwarded string, cookies ...*http.Cookie) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/dashboard", nil)
	r.RemoteAddr = peer
	r.SetBasicAuth("user of "+strings.ReplaceAll(peer, ":", "."), password)
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	a.router.ServeHTTP(w, r)
	return w.Result()
}

const admitted = http.StatusFound // of /dashboard

func Test_Guessing_from_one_address_is_slowed_down(t *testing.T) {
	t.Parallel()
	a := newAttack(t)
	const peer = "203.0.113.9:5000"
	for i := range 10 {
		require.Equal(t, http.StatusUnauthorized, a.try(peer, "guess "+strconv.Itoa(i), "").StatusCode)
	}
	blocked := a.try(peer, thePassword, "")
	require.Equal(t, http.StatusTooManyRequests, blocked.StatusCode, "the right one is not looked at either")
	require.Equal(t, "60", blocked.Header.Get("Retry-After"))
	require.Empty(t, blocked.Header.Get("WWW-Authenticate"))
	require.Equal(t, admitted, a.try("198.51.100.7:1", thePassword, "").StatusCode, "another address is not held by it")
	looked := 0
	for range 60 * 24 { // a day, a guess each minute
		a.clock.add(time.Minute)
		if a.try(peer, "guess", "").StatusCode == http.StatusUnauthorized {
			looked++
		}
		require.Equal(t, http.StatusTooManyRequests, a.try(peer, "guess", "").StatusCode)
	}
	require.LessOrEqual(t, looked, 60*24)
	a.clock.add(time.Hour)
	require.Equal(t, admitted, a.try(peer, thePassword, "").StatusCode, "it passes by itself")
}

func Test_Guessing_from_many_addresses_is_slowed_down_by_account(t *testing.T) {
	t.Parallel()
	a := newAttack(t)
	looked := 0
	for i := range 20_000 {
		peer := fmt.Sprintf("[2001:db8:%x:%x::1]:5000", i>>8, i&0xff)
		if a.try(peer, "guess", "").StatusCode == http.StatusUnauthorized {
			looked++
		}
	}
	require.Equal(t, 30, looked, "at once, whatever user name they send")
	a.clock.add(time.Minute)
	for i := range 100 {
		if a.try(fmt.Sprintf("203.0.113.%d:1", i), "guess", "").StatusCode == http.StatusUnauthorized {
			looked++
		}
	}
	require.Equal(t, 36, looked)
}

// One /64 is one address, else everybody had 2^64 of them.
func Test_Addresses_of_one_network_count_as_one(t *testing.T) {
	t.Parallel()
	a := newAttack(t)
	for i := range 10 {
		require.Equal(t, http.StatusUnauthorized, a.try(fmt.Sprintf("[2001:db8::%x:1]:5000", i), "guess", "").StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, a.try("[2001:db8::ffff:2]:5000", "guess", "").StatusCode)
}

func Test_Behind_a_proxy_the_one_it_names_is_counted(t *testing.T) {
	t.Parallel()
	a := newAttack(t)
	const proxy = "127.0.0.1:5000"
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, a.try(proxy, "guess", "198.51.100.1, 203.0.113.9").StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, a.try(proxy, "guess", "10.9.8.7, 203.0.113.9").StatusCode, "the last is the proxy's own word")
	require.Equal(t, admitted, a.try(proxy, thePassword, "198.51.100.1").StatusCode)
	looked := 0
	for i := range 200 { // invented addresses
		if a.try(proxy, "guess", fmt.Sprintf("198.51.100.%d", i)).StatusCode == http.StatusUnauthorized {
			looked++
		}
	}
	require.Equal(t, 20, looked, "what is left of the thirty")
	public := newAttack(t)
	for range 10 {
		public.try("203.0.113.9:1", "guess", "198.51.100.1")
	}
	require.Equal(t, http.StatusTooManyRequests, public.try("203.0.113.9:1", "guess", "198.51.100.2").StatusCode, "who comes from outside names nobody else")
}

func Test_A_browser_that_knew_the_password_is_not_locked_out_by_an_attack(t *testing.T) {
	t.Parallel()
	a := newAttack(t)
	const office = "203.0.113.9:5000"
	first := a.try(office, thePassword, "")
	require.Equal(t, admitted, first.StatusCode)
	require.Len(t, first.Cookies(), 1)
	cookie := first.Cookies()[0]
	require.True(t, cookie.HttpOnly && cookie.Secure)
	require.Equal(t, "/dashboard", cookie.Path)
	for i := range 200 {
		a.try(office, "guess", "")
		a.try(fmt.Sprintf("198.51.100.%d:1", i), "guess", "")
	}
	require.Equal(t, http.StatusTooManyRequests, a.try(office, thePassword, "").StatusCode)
	known := a.try("192.0.2.1:1", thePassword, "", cookie)
	require.Equal(t, admitted, known.StatusCode)
	require.Empty(t, known.Cookies(), "it has one")

	require.Equal(t, http.StatusUnauthorized, a.try(office, "guess", "", cookie).StatusCode, "it admits nobody by itself")
	for range 20 {
		a.try(office, "guess", "", cookie)
	}
	require.Equal(t, http.StatusTooManyRequests, a.try(office, "guess", "", cookie).StatusCode, "nor does it lift the limit")
	forged := *cookie
	forged.Value = base64.RawURLEncoding.EncodeToString(make([]byte, 60))
	require.Equal(t, http.StatusTooManyRequests, a.try(office, thePassword, "", &forged).StatusCode)

	changed := newAttackWith(t, "another password")
	for range 10 {
		changed.try(office, "guess", "", cookie)
	}
	require.Equal(t, http.StatusTooManyRequests, changed.try(office, "guess", "").StatusCode, "it ends with the password")
}

func Test_Guesses_that_come_at_once_count_each(t *testing.T) {
	t.Parallel()
	a := newAttack(t)
	var looked atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a.try("203.0.113.9:5000", "guess", "").StatusCode == http.StatusUnauthorized {
				looked.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 10, looked.Load())
}

func Test_Memory_of_addresses_is_bounded(t *testing.T) {
	t.Parallel()
	keys := make([]string, 30_000)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	require.Equal(t, 4096, dashboard.AddressesAfter(keys))
}
