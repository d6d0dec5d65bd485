package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Audit_lists_who_changed_what_by_the_pages_filters(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must(t, "user", "add", "grace", "--role", "viewer")
	d.with(map[string]string{"USER": "bob"}).must(t, "user", "role", "grace", "operator")
	d.must(t, "tenant", "create", "--name", "Garden", "--magento-url", "https://shop.example")
	actions := func(args ...string) (list []string) {
		t.Helper()
		var views []auditView
		d.mustJSON(t, &views, append([]string{"audit", "list"}, args...)...)
		for _, v := range views {
			list = append(list, v.Who+" "+v.Action)
		}
		return list
	}
	require.Equal(t, []string{"cli:ada tenant.created", "cli:bob user.changed", "cli:ada user.added"}, actions(), "the newest first")
	require.Equal(t, []string{"cli:bob user.changed"}, actions("--who", "CLI:Bob"))
	require.Equal(t, []string{"cli:ada user.added"}, actions("--action", "User.Added", "--since", "1h"))
	require.Equal(t, []string{"cli:ada tenant.created"}, actions("--tenant", "garden"))
	require.Equal(t, []string{"cli:ada tenant.created"}, actions("--limit", "1"))
	require.Empty(t, actions("--until", "1h"))

	var raw []map[string]json.RawMessage
	d.mustJSON(t, &raw, "audit", "list", "--action", "user.changed")
	d.requireColumns(t, raw[0], "audit", "tenant")
	require.JSONEq(t, `{"user": "grace", "role": "operator"}`, string(raw[0]["after"]))
	require.Regexp(t, `(?m)^\S+Z +cli:bob +user\.changed +role: "viewer" -> "operator"; user: "grace"$`, d.must(t, "audit", "list"))

	unknown := d.run(t, "audit", "list", "--what", "deleted")
	require.Equal(t, exitUsage, unknown.code)
	require.Contains(t, unknown.err, "settings.saved")
	require.Contains(t, d.run(t, "audit", "list", "--limit", "1").err, "--limit takes more")
}
