package dashboard

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// allowance is how many wrong passwords are taken at once, and how long until
// one more is.
type allowance struct {
	burst int
	every time.Duration
}

// One address may err ten times, then once a minute. All strangers together may
// err thirty times, then six times a minute, some 8,600 times a day: nothing
// beside the passwords of twelve characters. A browser that knew the password
// before has an allowance of its own, so that an attack locks nobody out.
var (
	perAddress = allowance{10, time.Minute}
	perAccount = allowance{30, 10 * time.Second}
)

// maxAddresses bounds the memory: the address that was silent longest is
// forgotten for a new one. Who comes from more is held by perAccount.
const maxAddresses = 4096

// bucket is what is left of an allowance.
type bucket struct {
	key  string
	left float64
	at   time.Time
}

// fill adds what came back since the last look.
func (b *bucket) fill(a allowance, now time.Time) {
	back := now.Sub(b.at).Seconds() / a.every.Seconds()
	b.left, b.at = min(float64(a.burst), b.left+max(back, 0)), now
}

// wait is how long until one more wrong password is taken.
func (b *bucket) wait(a allowance) time.Duration {
	return max(0, time.Duration((1-b.left)*float64(a.every)))
}

// limiter slows down who guesses. It counts in this process only, and is safe
// for concurrent use.
type limiter struct {
	mu      sync.Mutex
	now     func() time.Time
	account bucket
	ages    *list.List // of *bucket, the last seen first
	byKey   map[string]*list.Element
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{
		now: now, account: bucket{left: float64(perAccount.burst), at: now()}, ages: list.New(), byKey: map[string]*list.Element{},
	}
}

// guess judges a password of a stranger at an address, or of a known browser.
// While its allowance is used up it is not looked at, and wait says for how long.
func (l *limiter) guess(key string, known bool, right func() bool) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.account.fill(perAccount, now)
	own := l.find(key, now)
	if wait = own.wait(perAddress); wait > 0 {
		return false, wait
	}
	if wait = l.account.wait(perAccount); wait > 0 && !known {
		return false, wait
	}
	// Under the lock: guesses that come at once count one after another.
	if right() {
		return true, 0
	}
	own.left--
	l.keep(own)
	if !known {
		l.account.left--
	}
	return false, 0
}

// find is the key's bucket, a full one where nothing is kept.
func (l *limiter) find(key string, now time.Time) *bucket {
	if e, kept := l.byKey[key]; kept {
		b := e.Value.(*bucket)
		b.fill(perAddress, now)
		return b
	}
	return &bucket{key: key, left: float64(perAddress.burst), at: now}
}

func (l *limiter) keep(b *bucket) {
	if e, kept := l.byKey[b.key]; kept {
		l.ages.MoveToFront(e)
		return
	}
	if len(l.byKey) >= maxAddresses {
		oldest := l.ages.Back()
		delete(l.byKey, l.ages.Remove(oldest).(*bucket).key)
	}
	l.byKey[b.key] = l.ages.PushFront(b)
}

// addressOf is whom a wrong password is counted against: the peer; or, where the
// peer is on this machine or a private network and so may be a proxy, the address
// that it says it passes on. Who invents that one is held by perAccount.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if peer = peer.Unmap(); peer.IsLoopback() || peer.IsPrivate() {
		all := r.Header.Values("X-Forwarded-For")
		last := strings.Join(all, ",")
		if named, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndex(last, ",")+1:])); err == nil {
			peer = named.Unmap()
		}
	}
	if peer.Is6() { // a household has 2^64 of them
		if network, err := peer.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return peer.String()
}
