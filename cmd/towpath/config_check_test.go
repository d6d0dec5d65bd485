package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Config_check_shows_what_is_in_effect_and_no_secret(t *testing.T) {
	t.Parallel()
	d := &desk{env: map[string]string{
		"DATABASE_URL_FILE":  file(t, "url", "postgres://ada:hunter2hunter2@db.example/towpath?sslmode=require&sslpassword=hunter3\n"),
		"TOWPATH_SECRET_KEY": testKey, "TOWPATH_ADMIN_PASSWORD": adminPassword, "TOWPATH_LISTEN": "127.0.0.1:9090", "TOWPATH_BASEURL": "https://x.example",
	}}
	s := d.run(t, "config", "check")
	require.Zero(t, s.code, s.err)
	require.Regexp(t, `(?m)^DATABASE_URL +postgres://ada:xxxxx@db.example/towpath\?sslmode=require&sslpassword=xxxxx +file /`, s.out)
	require.Regexp(t, `(?m)^TOWPATH_SECRET_KEY +\(set\) +environment$`, s.out)
	require.Regexp(t, `(?m)^TOWPATH_LISTEN +127.0.0.1:9090 +environment$`, s.out)
	require.Regexp(t, `(?m)^TOWPATH_LOG_LEVEL +info +default$`, s.out)
	require.Equal(t, "towpath: warning: TOWPATH_BASEURL is no setting of Towpath, and does nothing\n", s.err)
	for _, secret := range []string{"hunter", testKey, adminPassword} {
		require.NotContains(t, s.out+s.err, secret)
	}
	var view configView
	d.mustJSON(t, &view, "config", "check")
	require.Equal(t, []string{"TOWPATH_BASEURL"}, view.Unknown)
	require.Empty(t, view.Refused)
}

func Test_Config_check_says_what_serve_would_refuse(t *testing.T) {
	t.Parallel()
	good := &desk{env: map[string]string{"DATABASE_URL": "host=db.example user=ada password='hunter2 hunter2'", "TOWPATH_SECRET_KEY": testKey}}
	s := good.run(t, "config", "check")
	require.Zero(t, s.code, s.err)
	require.Contains(t, s.out, "host=db.example user=ada password=xxxxx")
	for name, c := range map[string]struct{ name, value, says string }{
		"key":      {"TOWPATH_SECRET_KEY", "short", "TOWPATH_SECRET_KEY"},
		"no_key":   {"TOWPATH_SECRET_KEY", "", "no TOWPATH_SECRET_KEY"},
		"password": {"TOWPATH_ADMIN_PASSWORD", "short", "TOWPATH_ADMIN_PASSWORD: the password has 5 characters"},
		"level":    {"TOWPATH_LOG_LEVEL", "loud", "TOWPATH_LOG_LEVEL"},
		"address":  {"DATABASE_URL", "postgres://ada:hun/ter2@db.example/x", "DATABASE_URL"},
		"listen":   {"TOWPATH_LISTEN", "8080", "TOWPATH_LISTEN"},
		"roles":    {"TOWPATH_OIDC_ROLES", "root=ops", "TOWPATH_OIDC_ROLES has \"root=ops\""},
		"client":   {"TOWPATH_OIDC_CLIENT_ID", "towpath", "TOWPATH_OIDC_ISSUER is not set, and TOWPATH_OIDC_CLIENT_ID is"},
		"issuer":   {"TOWPATH_OIDC_ISSUER", "https://id.example", "TOWPATH_OIDC_CLIENT_ID is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good.with(map[string]string{c.name: c.value}).run(t, "config", "check")
			require.Equal(t, exitUsage, s.code, s.out)
			require.Contains(t, s.err, c.says)
			require.NotContains(t, s.out+s.err, "ter2")
		})
	}
}

func Test_Config_check_and_serve_name_every_setting_that_is_refused(t *testing.T) {
	t.Parallel()
	d := &desk{env: map[string]string{"DATABASE_URL": "postgres://a@b:port/c", "TOWPATH_SECRET_KEY": "short", "TOWPATH_LOG_LEVEL": "loud", "TOWPATH_RETENTION": "ever"}}
	var view configView
	decode(t, []byte(d.run(t, "config", "check", "--json").out), &view)
	said := d.run(t, "config", "check")
	require.Equal(t, exitUsage, said.code)
	for _, name := range []string{"DATABASE_URL", "TOWPATH_SECRET_KEY", "TOWPATH_LOG_LEVEL", "TOWPATH_RETENTION"} {
		require.Regexp(t, `(?m)^towpath: .*`+name, said.err)
		require.Contains(t, view.Refused, name)
	}
	serve := d.run(t, "serve")
	require.Equal(t, exitUsage, serve.code)
	require.Contains(t, serve.err, "TOWPATH_SECRET_KEY")
	require.Contains(t, serve.err, "TOWPATH_RETENTION")
}
