package users

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/audit"
	"towpath/pkg/pgdb/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const thePassword = "correct horse: battery"

// cheap is a cost for tests.
func cheap() Cost { return Cost{KiB: 64, Passes: 1} }

// clock is moved by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// process is one of several that share a database.
func process(pool *pgxpool.Pool, c *clock) *Store {
	s := New(pool, c.Now)
	s.Cost = cheap()
	return s
}

// setup is a database with the operator ada.
func setup(t *testing.T) (*Store, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)}
	s := process(pgtest.New(t), c)
	_, err := s.Add(t.Context(), "Ada", Operator, thePassword)
	require.NoError(t, err)
	return s, c
}

// try is one attempt: "in", "wrong", or how long to wait.
func try(t *testing.T, s *Store, name, password, address string) string {
	t.Helper()
	o, err := s.SignIn(t.Context(), Attempt{Name: name, Password: password, Address: address})
	require.NoError(t, err)
	switch {
	case o.OK:
		return "in"
	case o.Wait > 0:
		return o.Wait.String()
	}
	return "wrong"
}

func Test_A_password_is_kept_as_argon2id_in_PHC_form(t *testing.T) {
	t.Parallel()
	hash := usual().hash("twelve Ärzte") // composed
	require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
	stored, err := parsePHC(hash)
	require.NoError(t, err)
	require.True(t, stored.is("twelve A\u0308rzte"), "however the keyboard composes it")
	require.False(t, stored.is("twelve Arzte"))
	require.NotEqual(t, hash, usual().hash("twelve Ärzte"), "salted")
	for _, bad := range []string{"", "x", "$2b$10$abcdefghijklmnopqrstuv", strings.Replace(hash, "v=19", "v=16", 1), strings.Replace(hash, "m=19456", "m=99999999", 1),
		strings.Replace(hash, "t=2", "t=0", 1), strings.Replace(hash, "p=1", "p=0", 1), hash[:40], hash + "$x"} {
		_, err := parsePHC(bad)
		require.Error(t, err, bad)
	}
	require.ErrorContains(t, CheckPassword("elevenchars"), "11 characters")
	require.NoError(t, CheckPassword(NewPassword()))
}

// Ten wrong ones at an address, then one a minute; thirty at an account, then one in
// ten seconds. The right one is not looked at either while that lasts.
func Test_Guessing_is_slowed_by_address_and_account_over_all_processes(t *testing.T) {
	t.Parallel()
	one, c := setup(t)
	two := process(one.Pool, c)
	both := []*Store{one, two}
	for i := range 10 {
		require.Equal(t, "wrong", try(t, both[i%2], "ada", fmt.Sprint("guess ", i), "203.0.113.9"))
	}
	for _, s := range both {
		require.Equal(t, "1m0s", try(t, s, "ada", thePassword, "203.0.113.9"))
	}
	require.Equal(t, "in", try(t, two, "ADA", thePassword, "198.51.100.7"), "another address is not held by it")
	c.add(time.Minute)
	require.Equal(t, "in", try(t, one, "ada", thePassword, "203.0.113.9"), "it passes by itself")

	c.add(time.Hour)
	for name, looked := range map[string]int{"ada": 0, "grace": 0} { // one who is there, one who is not
		for i := range 45 {
			if try(t, both[i%2], name, "guess", fmt.Sprintf("%s %d", name, i)) == "wrong" {
				looked++
			}
		}
		require.Equal(t, 30, looked, name)
		require.Equal(t, "10s", try(t, one, name, thePassword, "an office"))
	}
	c.add(10 * time.Second)
	require.Equal(t, "in", try(t, two, "ada", thePassword, "an office"))
}

func Test_Guesses_that_come_at_once_count_each(t *testing.T) {
	t.Parallel()
	one, c := setup(t)
	two := process(one.Pool, c)
	var looked atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			o, err := []*Store{one, two}[i%2].SignIn(context.Background(), Attempt{Name: "ada", Password: "guess", Address: "203.0.113.9"})
			if err == nil && o.Wait == 0 {
				looked.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 10, looked.Load())
}

func Test_A_browser_that_knew_the_password_is_not_locked_out_by_an_attack(t *testing.T) {
	t.Parallel()
	s, c := setup(t)
	known := ""
	attempt := func(password string) Outcome {
		o, err := s.SignIn(t.Context(), Attempt{Name: "ada", Password: password, Address: "office", Known: func(mark string) (string, bool) { return "firefox", mark == known }})
		require.NoError(t, err)
		return o
	}
	known = attempt(thePassword).Mark
	require.NotEmpty(t, known)
	for i := range 40 {
		try(t, s, "ada", "guess", "office")
		try(t, s, "ada", "guess", fmt.Sprint(i))
	}
	require.NotEqual(t, "in", try(t, s, "ada", thePassword, "office"))
	require.True(t, attempt(thePassword).OK)
	for range 20 {
		attempt("guess")
	}
	require.Positive(t, attempt(thePassword).Wait, "it has an allowance of its own, no more")
	c.add(time.Hour)
	_, err := s.SetPassword(t.Context(), "ada", "another password")
	require.NoError(t, err)
	require.NotEqual(t, known, attempt("another password").Mark, "it ends with the password")
}

// What a script sends with every request costs one hash, and another password of the
// user ends it at once.
func Test_A_proved_password_ends_with_the_password(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	require.Equal(t, "in", try(t, s, "ada", thePassword, "a"))
	require.Len(t, s.proved.codes, 1)
	require.Equal(t, "in", try(t, s, "ada", thePassword, "a"))
	_, err := s.SetPassword(t.Context(), "ada", "another password")
	require.NoError(t, err)
	require.Equal(t, "wrong", try(t, s, "ada", thePassword, "a"))
	_, err = s.SetDisabled(t.Context(), "ada", true)
	require.NoError(t, err)
	require.Equal(t, "wrong", try(t, s, "ada", "another password", "a"))
}

func Test_Sessions_end(t *testing.T) {
	t.Parallel()
	s, c := setup(t)
	ctx := t.Context()
	user, err := s.SignIn(ctx, Attempt{Name: "ada", Password: thePassword, Address: "a"})
	require.NoError(t, err)
	begin := func() string {
		token, err := s.Begin(ctx, user.User)
		require.NoError(t, err)
		return token
	}
	alive := func(token string) bool {
		got, ok, err := s.Resume(ctx, token)
		require.NoError(t, err)
		require.True(t, !ok || got.Name == "ada" && got.Role.May(Viewer))
		return ok
	}
	token := begin()
	require.True(t, alive(token))
	require.False(t, alive(token+"x"))
	var stored string
	require.NoError(t, s.Pool.QueryRow(ctx, "SELECT user_sessions::text FROM user_sessions").Scan(&stored))
	require.NotContains(t, stored, token, "only its hash is stored")

	c.add(idle - time.Second)
	require.True(t, alive(token), "used within the time")
	c.add(idle - time.Second)
	require.True(t, alive(token), "that counts from the last use")
	c.add(idle)
	require.False(t, alive(token), "idle")
	token = begin()
	for range int(Lifetime / (6 * time.Hour)) {
		c.add(6 * time.Hour)
		alive(token)
	}
	require.False(t, alive(token), "too old, however busy")

	for what, do := range map[string]func() (Changed, error){
		"password": func() (Changed, error) { return s.SetPassword(ctx, "ada", "another password") },
		"role":     func() (Changed, error) { return s.SetRole(ctx, "ada", Viewer) },
		"disabled": func() (Changed, error) { return s.SetDisabled(ctx, "ada", true) },
		"out":      func() (Changed, error) { return s.SignOut(ctx, "ada") },
		"enabled":  func() (Changed, error) { return s.SetDisabled(ctx, "ada", false) },
	} {
		token, other := begin(), begin()
		changed, err := do()
		require.NoError(t, err)
		require.False(t, alive(token) || alive(other), what)
		require.GreaterOrEqual(t, changed.Ended, int64(2), what)
		_, err = s.SetDisabled(ctx, "ada", false)
		require.NoError(t, err)
	}
	token = begin()
	require.NoError(t, s.End(ctx, token))
	require.NoError(t, s.End(ctx, token))
	require.False(t, alive(token), "signed out")
	_, err = s.SetRole(ctx, "grace", Viewer)
	require.ErrorIs(t, err, ErrNoUser)
	_, err = s.Add(ctx, "aDa", Viewer, thePassword)
	require.ErrorIs(t, err, ErrExists)
}

// The setting wins at every start: it makes the user, changes nothing where nothing
// differs, and lets in again whoever was locked out.
func Test_The_setting_keeps_the_first_admin(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	ctx := t.Context()
	keep := func(password string) bool {
		changed, err := s.KeepAdmin(ctx, password)
		require.NoError(t, err)
		return changed
	}
	require.True(t, keep(thePassword))
	o, err := s.SignIn(ctx, Attempt{Name: FirstAdmin, Password: thePassword, Address: "a"})
	require.NoError(t, err)
	require.Equal(t, Admin, o.User.Role)
	token, err := s.Begin(ctx, o.User)
	require.NoError(t, err)
	require.False(t, keep(thePassword), "another start with the same setting")
	_, alive, err := s.Resume(ctx, token)
	require.NoError(t, err)
	require.True(t, alive)

	require.True(t, keep("the next password"))
	_, alive, err = s.Resume(ctx, token)
	require.NoError(t, err)
	require.False(t, alive, "who had the old one is out")
	require.Equal(t, "wrong", try(t, s, "admin", thePassword, "a"))
	for _, harm := range []string{"role = 'viewer'", "disabled_at = now()", "password_hash = NULL, password_at = NULL"} {
		_, err := s.Pool.Exec(ctx, "UPDATE users SET "+harm+" WHERE name = 'admin'")
		require.NoError(t, err)
		require.True(t, keep("the next password"), harm)
		require.Equal(t, "in", try(t, s, "admin", "the next password", "a"))
	}
	changed, err := s.Delete(ctx, "admin")
	require.NoError(t, err)
	require.True(t, changed.NoAdmins)
}

// Each change is in the audit, with who made it and without a password or its hash.
func Test_Changes_of_users_are_in_the_audit(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	ctx := audit.As(t.Context(), "cli:root")
	_, err := s.Add(ctx, "grace", Viewer, thePassword)
	require.NoError(t, err)
	_, err = s.Add(ctx, "grace", Admin, thePassword)
	require.ErrorIs(t, err, ErrExists)
	_, err = s.SetPassword(ctx, "grace", "another password")
	require.NoError(t, err)
	_, err = s.SetRole(ctx, "Grace", Operator)
	require.NoError(t, err)
	_, err = s.SetDisabled(ctx, "grace", true)
	require.NoError(t, err)
	_, err = s.Delete(ctx, "grace")
	require.NoError(t, err)
	_, err = s.KeepAdmin(ctx, thePassword)
	require.NoError(t, err)
	rows, err := s.Pool.Query(ctx, "SELECT concat_ws(' ', who, action, coalesce(before::text, '-'), coalesce(after::text, '-')) FROM audit ORDER BY id")
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{
		`cli:root user.added - {"role": "viewer", "user": "grace"}`,
		`cli:root user.changed {"password": "one"} {"user": "grace", "password": "another"}`,
		`cli:root user.changed {"role": "viewer"} {"role": "operator", "user": "grace"}`,
		`cli:root user.changed {"disabled": false} {"user": "grace", "disabled": true}`,
		`cli:root user.deleted {"role": "operator", "user": "grace"} -`,
		`TOWPATH_ADMIN_PASSWORD user.added - {"role": "admin", "user": "admin"}`,
	}, got)
}
