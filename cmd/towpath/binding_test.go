package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/secret"
)

func (d *desk) token(t *testing.T) string {
	t.Helper()
	var sealed []byte
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT token_sealed FROM bindings WHERE id = $1", d.binding).Scan(&sealed))
	box, err := secret.ParseKeys(testKey)
	require.NoError(t, err)
	opened, err := box.Open(sealed, secret.Place(secret.BindingToken, d.binding))
	require.NoError(t, err)
	return string(opened)
}

func Test_A_binding_is_created_with_its_reference_data(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var list []map[string]json.RawMessage
	d.mustJSON(t, &list, "binding", "list")
	require.Len(t, list, 1)
	d.requireColumns(t, list[0], "bindings", "tenant")
	require.JSONEq(t, `"`+d.binding+`"`, string(list[0]["id"]))
	require.JSONEq(t, `"active"`, string(list[0]["status"]))
	require.JSONEq(t, `"accounting"`, string(list[0]["wire"]))
	require.NotEqual(t, "null", string(list[0]["reference_at"]))
	require.Equal(t, "a-token", d.token(t))
	require.NotContains(t, d.must(t, "binding", "list"), "a-token")
}

func Test_The_answer_to_create_says_that_the_reference_data_are_known(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "binding", "revoke", "--yes", d.binding)
	var made map[string]json.RawMessage
	d.mustJSON(t, &made, "binding", "create", "--tenant", d.tenant, "--provider", "xero", "--api-url", d.xeroURL,
		"--org-id", demo.OrgID, "--token", "a-token")
	d.requireColumns(t, made, "bindings")
	require.NotEqual(t, "null", string(made["reference_at"]))
}

func Test_A_binding_is_created_though_the_provider_is_away(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const tenant = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	d.must(t, "tenant", "create", "--name", "A", "--magento-url", "https://shop.example", "--id", tenant)
	s := d.run(t, "binding", "create", "--tenant", tenant, "--provider", "xero", "--api-url", "http://127.0.0.1:1",
		"--token-file", file(t, "token", "a-token\n"))
	require.Zero(t, s.code, s.err)
	require.Contains(t, s.out, "towpath binding policy set")
	require.Contains(t, s.err, "not known yet")
	require.NotContains(t, s.err+s.out, "a-token")

	second := d.run(t, "binding", "create", "--tenant", tenant, "--provider", "xero", "--token", "another")
	require.Equal(t, exitFailed, second.code)
	require.Contains(t, second.err, "has a live xero binding already")
}

func Test_A_token_is_replaced(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	refused := d.run(t, "binding", "token", d.binding, "--token-file", file(t, "token", "a-newer-token\n"))
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, d.xeroURL+" refuses it")
	require.Equal(t, "a-token", d.token(t), "the token before stays")
	for _, bad := range []string{"a-newer-token\nof two lines\n", "with\ta-tab"} {
		two := d.run(t, "binding", "token", d.binding, "--token-file", file(t, "token", bad))
		require.Equal(t, exitUsage, two.code)
		require.Contains(t, two.err, "a file with the secret alone")
		require.Equal(t, "a-token", d.token(t))
	}
	none := d.run(t, "binding", "token", d.binding)
	require.Equal(t, exitUsage, none.code)
	require.Contains(t, none.err, "towpath binding change ID --client-id")

	var saved map[string]json.RawMessage
	d.mustJSON(t, &saved, "binding", "token", d.binding, "--keep", "--token-file", file(t, "token", "a-newer-token\n"))
	d.requireColumns(t, saved, "bindings", "held_runs_released")
	require.Equal(t, "a-newer-token", d.token(t))
}

func Test_A_revoked_binding_forgets_its_token_and_stays_in_the_list(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	unasked := d.run(t, "binding", "revoke", d.binding)
	require.Equal(t, exitFailed, unasked.code)
	require.Contains(t, unasked.err, "towpath: not revoked: the shop's new events would wait")
	require.Contains(t, unasked.err, "--yes")
	var revoked struct {
		ID, Status string
		RevokedAt  *string `json:"revoked_at"`
	}
	d.mustJSON(t, &revoked, "binding", "revoke", "--yes", d.binding)
	require.Equal(t, d.binding, revoked.ID)
	require.Equal(t, "revoked", revoked.Status)
	require.NotNil(t, revoked.RevokedAt)
	var forgotten bool
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT token_sealed IS NULL FROM bindings").Scan(&forgotten))
	require.True(t, forgotten)
	require.Contains(t, d.must(t, "binding", "list"), "revoked")

	again := d.run(t, "binding", "revoke", "--yes", d.binding)
	require.Equal(t, exitFailed, again.code)
	require.Contains(t, again.err, "is revoked already")
	token := d.run(t, "binding", "token", d.binding, "--token", "x")
	require.Equal(t, exitFailed, token.code)
	require.Contains(t, token.err, "is revoked")
}
