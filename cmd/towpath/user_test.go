package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
)

// typing runs a command for a person at a terminal who types these secrets.
func (d *desk) typing(t *testing.T, secrets []string, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	io := consoleOf(d.env, &out, &errs)
	io.asked = true
	io.readSecret = func(_ context.Context, prompt string) (string, error) {
		errs.WriteString(prompt + "\n")
		if len(secrets) == 0 {
			return "", errors.New("nobody types")
		}
		typed := secrets[0]
		secrets = secrets[1:]
		return typed, nil
	}
	return said{code: run(t.Context(), args, io), out: out.String(), err: errs.String()}
}

// signedIn posts the form of the sign-in page and answers the status and the session.
func signedIn(t *testing.T, base, name, password string) (int, *http.Cookie) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/dashboard/sign-in", strings.NewReader(url.Values{"name": {name}, "password": {password}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := loopback.Transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "towpath-session" {
			return resp.StatusCode, c
		}
	}
	return resp.StatusCode, nil
}

// opens asks for a page with a session.
func opens(t *testing.T, base string, session *http.Cookie) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/dashboard/sync", nil)
	require.NoError(t, err)
	req.AddCookie(session)
	resp, err := loopback.Transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// A user is made, signs in at one process, is known to another, and is out at once when
// the password, the role or the right to sign in changes.
func Test_Users_are_made_and_changed_at_the_command_line(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	one, two := d.serve(t, "dashboard"), d.serve(t, "dashboard")
	here, there := "http://"+one.Addr(), "http://"+two.Addr()

	var made userView
	d.mustJSON(t, &made, "user", "add", "Grace", "--role", "viewer")
	require.Equal(t, "grace", made.Name)
	require.Len(t, made.Password, 26, "without a terminal one is made")
	code, session := signedIn(t, here, "grace", made.Password)
	require.Equal(t, http.StatusSeeOther, code)
	require.True(t, opens(t, there, session), "the other process knows the session")
	require.Contains(t, d.run(t, "user", "add", "grace", "--role", "admin").err, "there is a user of this name")

	var list []userView
	d.mustJSON(t, &list, "user", "list")
	require.Len(t, list, 2, "and the admin of the setting")
	require.Equal(t, "admin", list[0].Name)
	require.EqualValues(t, 1, list[1].Sessions)
	require.NotContains(t, d.must(t, "user", "list"), "argon2id")

	typed := d.typing(t, []string{"another password", "another passwort"}, "user", "passwd", "grace")
	require.Equal(t, exitFailed, typed.code)
	require.Contains(t, typed.err, "not the same")
	require.Equal(t, exitUsage, d.typing(t, []string{"elevenchars"}, "user", "passwd", "grace").code)
	require.True(t, opens(t, here, session), "nothing was changed")
	typed = d.typing(t, []string{"another password", "another password"}, "user", "passwd", "grace")
	require.Zero(t, typed.code, typed.err)
	require.Equal(t, "user grace has another password; 1 session ended\n", typed.out)
	require.NotContains(t, typed.out+typed.err, "another password\n\n")
	require.False(t, opens(t, here, session))

	for _, change := range [][]string{{"user", "role", "grace", "operator"}, {"user", "passwd", "grace", "--password-file", file(t, "pw", "another password\n")}, {"user", "sign-out", "grace"}, {"user", "disable", "grace"}} {
		_, session = signedIn(t, here, "grace", "another password")
		require.NotNil(t, session, "%v", change)
		d.must(t, change...)
		require.False(t, opens(t, there, session), "%v", change)
	}
	code, _ = signedIn(t, here, "grace", "another password")
	require.Equal(t, http.StatusUnauthorized, code, "disabled")
	d.must(t, "user", "enable", "grace")
	code, _ = signedIn(t, there, "grace", "another password")
	require.Equal(t, http.StatusSeeOther, code)

	require.Contains(t, d.run(t, "user", "passwd", "admin", "--generate").err, "TOWPATH_ADMIN_PASSWORD")
	require.Equal(t, http.StatusUnauthorized, ask(t, http.MethodGet, here+"/dashboard/sync").status, "of the setting's password")
	again := d.serve(t, "dashboard")
	require.Equal(t, http.StatusOK, ask(t, http.MethodGet, "http://"+again.Addr()+"/dashboard/sync").status, "a start with the setting gives it back")
	for _, change := range [][]string{{"user", "delete", "Admin"}, {"user", "disable", "admin"}, {"user", "role", "admin", "viewer"}} {
		refused := d.run(t, change...)
		require.Equal(t, exitFailed, refused.code, "%v", change)
		require.Contains(t, refused.err, "is the last admin", "%v", change)
		require.Contains(t, refused.err, "say --yes", "%v", change)
	}
	require.Zero(t, d.run(t, "user", "role", "admin", "admin").code)
	require.Contains(t, d.run(t, "user", "delete", "admin", "--yes").err, "no admin left")
	require.Equal(t, exitFailed, d.run(t, "user", "role", "nobody", "viewer").code)
}
