package users

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

// allowance is how many wrong passwords are taken at once, and how long until one
// more is.
type allowance struct {
	burst int
	every time.Duration
}

// One address may err ten times, then once a minute. All strangers together may err
// thirty times at one account, then six times a minute, some 8,600 times a day:
// nothing beside passwords of twelve characters. A browser that knew the account's
// password before has an allowance of its own, so that an attack locks nobody out.
// All of it is over all processes.
func perAddress() allowance { return allowance{10, time.Minute} }
func perAccount() allowance { return allowance{30, 10 * time.Second} }

// Attempt is somebody who wants to be let in.
type Attempt struct {
	Name, Password string
	Address        string // where the request comes from
	// Known reports whether this browser has known the password of the user with this
	// mark before, and names the browser; nil: none has.
	Known func(mark string) (browser string, known bool)
}

// Outcome is what became of it. Without a user and without Wait the name or the
// password is wrong; which of them is told to nobody.
type Outcome struct {
	User User
	OK   bool
	Wait time.Duration // until it is looked at again; nothing was looked at now
	Mark string        // of the user's password, for browsers that knew it
}

// SignIn judges an attempt. It takes as long for a user that is not there as for a
// wrong password. Each attempt is counted before it is looked at, and given back
// where it was right: what comes at once counts one by one, and a process that dies
// in between has counted one too many.
func (s *Store) SignIn(ctx context.Context, a Attempt) (Outcome, error) {
	if len(a.Password) > maxPasswordBytes {
		a.Password = ""
	}
	row, found, err := s.find(ctx, a.Name)
	if err != nil {
		return Outcome{}, err
	}
	mark := ""
	if found {
		mark = markOf(row)
	}
	keys := s.keys(a, mark, found)
	if wait, err := s.charge(ctx, keys); err != nil || wait > 0 {
		return Outcome{Wait: wait}, err
	}
	right, err := s.right(ctx, row, found, a.Password)
	if err != nil || !right {
		return Outcome{}, err
	}
	if err := s.refund(ctx, keys); err != nil {
		return Outcome{}, err
	}
	return Outcome{User: userOf(row), OK: true, Mark: mark}, nil
}

// find answers a user that may sign in by a password.
func (s *Store) find(ctx context.Context, given string) (dbsqlc.User, bool, error) {
	name, ok := Name(given)
	if !ok {
		name = "-" // nobody's: the question is asked all the same
	}
	row, err := dbsqlc.New().UserGet(ctx, s.Pool, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return dbsqlc.User{}, false, nil
	}
	if err != nil {
		return dbsqlc.User{}, false, fmt.Errorf("read user: %w", err)
	}
	return row, row.DisabledAt == nil && row.PasswordHash != nil, nil
}

// markOf changes with the user's password.
func markOf(row dbsqlc.User) string {
	sum := sha256.Sum256([]byte(row.ID.String() + *row.PasswordHash))
	return hex.EncodeToString(sum[:16])
}

// right looks at the password. What is not there is compared with what nothing is.
func (s *Store) right(ctx context.Context, row dbsqlc.User, found bool, password string) (bool, error) {
	if found && s.proved.has(row, password) {
		return true, nil
	}
	stored := s.Cost.nobody()
	if found {
		var err error
		if stored, err = parsePHC(*row.PasswordHash); err != nil {
			return false, fmt.Errorf("read password of %q: %w", row.Name, err)
		}
	}
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if !stored.is(password) || !found {
		return false, nil
	}
	if stored.cost != s.Cost { // made at another time's cost
		hash := s.Cost.hash(password)
		return true, dbsqlc.New().UserRehash(ctx, s.Pool, dbsqlc.UserRehashParams{ID: row.ID, Before: *row.PasswordHash, After: &hash})
	}
	s.proved.add(row, password)
	return true, nil
}

// slowed is a key with its allowance.
type slowed struct {
	key string
	allowance
}

// keys are what an attempt counts against. Names are stored as a hash: who errs in
// the field types a password there.
func (s *Store) keys(a Attempt, mark string, found bool) []slowed {
	if found && a.Known != nil {
		if browser, known := a.Known(mark); known {
			return []slowed{{"browser " + browser, perAddress()}}
		}
	}
	name, _ := Name(a.Name)
	sum := sha256.Sum256([]byte("account " + name))
	return []slowed{{"address " + a.Address, perAddress()}, {"account " + hex.EncodeToString(sum[:16]), perAccount()}}
}

// charge takes one from each key, or from none and says how long to wait. The keys
// are taken in one order, so that two processes cannot wait for each other.
func (s *Store) charge(ctx context.Context, keys []slowed) (wait time.Duration, err error) {
	now, q := s.Now(), dbsqlc.New()
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		for _, k := range keys {
			taken, err := q.SignInCharge(ctx, tx, dbsqlc.SignInChargeParams{
				Key: k.key, Now: now, WholeAt: now.Add(k.every), SpentAt: now.Add(k.every * time.Duration(k.burst-1)),
			})
			if err != nil {
				return err
			}
			if taken > 0 {
				continue
			}
			whole, err := q.SignInClearAt(ctx, tx, k.key)
			if err != nil {
				return err
			}
			wait = max(whole.Sub(now)-k.every*time.Duration(k.burst-1), time.Second)
			return errSpent
		}
		return q.SignInSweep(ctx, tx, now)
	})
	if errors.Is(err, errSpent) {
		return wait, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count sign-in: %w", err)
	}
	return 0, nil
}

var errSpent = errors.New("nothing is left of the allowance")

func (s *Store) refund(ctx context.Context, keys []slowed) error {
	for _, k := range keys {
		if err := dbsqlc.New().SignInRefund(ctx, s.Pool, dbsqlc.SignInRefundParams{Key: k.key, Seconds: k.every.Seconds()}); err != nil {
			return fmt.Errorf("count sign-in: %w", err)
		}
	}
	return nil
}

// proved remembers for a while passwords that were right, so that a script that sends
// one with every request does not cost a hash each time. It holds no password, only
// a code of it under a key that this process alone has; another password of the user
// makes it void.
type proved struct {
	mu    *sync.Mutex
	key   []byte
	codes map[[sha256.Size]byte]struct{}
}

const maxProved = 256

func newProved() proved {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return proved{mu: &sync.Mutex{}, key: key, codes: map[[sha256.Size]byte]struct{}{}}
}

func (p proved) code(row dbsqlc.User, password string) (code [sha256.Size]byte) {
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%s %s %s", row.ID, *row.PasswordHash, typed(password))
	mac.Sum(code[:0])
	return code
}

func (p proved) has(row dbsqlc.User, password string) bool {
	code := p.code(row, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.codes[code]
	return known
}

func (p proved) add(row dbsqlc.User, password string) {
	code := p.code(row, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.codes) >= maxProved {
		clear(p.codes)
	}
	p.codes[code] = struct{}{}
}
