package main

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/secret"
)

func Test_A_tenant_is_created_with_a_key_that_is_shown_once(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var made map[string]json.RawMessage
	d.mustJSON(t, &made, "tenant", "create", "--name", "Books & Co", "--magento-url", "https://shop.example")
	d.requireColumns(t, made, "tenants", "api_key")
	var id, key string
	decode(t, made["id"], &id)
	decode(t, made["api_key"], &key)
	require.NoError(t, uuid.Validate(id))
	require.Regexp(t, `^[0-9a-f]{64}$`, key)

	var sealed []byte
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT api_key_sealed FROM tenants WHERE id = $1", id).Scan(&sealed))
	require.NotContains(t, string(sealed), key)
	box, err := secret.ParseKeys(testKey)
	require.NoError(t, err)
	opened, err := box.Open(sealed, secret.Place(secret.TenantAPIKey, id))
	require.NoError(t, err)
	require.Equal(t, key, string(opened))

	var list []map[string]json.RawMessage
	d.mustJSON(t, &list, "tenant", "list")
	require.Len(t, list, 1)
	d.requireColumns(t, list[0], "tenants")
	require.JSONEq(t, `"Books & Co"`, string(list[0]["name"]))
	require.NotContains(t, d.must(t, "tenant", "list")+d.must(t, "tenant", "list", "--json"), key)
}

func Test_A_tenant_may_bring_its_id_and_key(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const id, key = "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	create := []string{"tenant", "create", "--name", "A", "--magento-url", "https://shop.example", "--id", id, "--api-key", key}
	out := d.must(t, create...)
	require.Contains(t, out, "tenant "+id+" created")
	require.NotContains(t, out, key, "whoever gave it has it")

	again := d.run(t, create...)
	require.Equal(t, exitFailed, again.code)
	require.Contains(t, again.err, "tenant "+id+" exists already")
	require.Contains(t, d.must(t, "tenant", "list"), id)
}

func Test_No_tenants_are_an_empty_list(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.JSONEq(t, "[]", d.must(t, "tenant", "list", "--json"))
	require.JSONEq(t, "[]", d.must(t, "binding", "list", "--json"))
	require.JSONEq(t, "[]", d.must(t, "runs", "list", "--json"))
}

func Test_A_shop_that_moved_is_changed_and_its_runs_look_again(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var changed map[string]any
	d.mustJSON(t, &changed, "tenant", "change", d.tenant, "--name", "Moved", "--magento-url", "http://127.0.0.1:2/shop")
	require.Equal(t, "Moved", changed["name"])
	require.Equal(t, "http://127.0.0.1:2/shop", changed["magento_url"])
	require.Contains(t, d.must(t, "tenant", "list"), "http://127.0.0.1:2/shop")
	for _, wrong := range [][]string{{d.tenant}, {d.tenant, "--magento-url", "shop.example"}, {d.tenant, "--magento-url", "http://127.0.0.1:2/rest"}} {
		require.Equal(t, exitUsage, d.run(t, append([]string{"tenant", "change"}, wrong...)...).code, wrong)
	}
	for _, unknown := range []string{"00000000-0000-4000-8000-000000000000", "x"} {
		require.Equal(t, exitFailed, d.run(t, "tenant", "change", unknown, "--name", "y").code)
	}
}

func Test_A_key_that_does_not_open_what_is_stored_seals_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	other := d.with(map[string]string{"TOWPATH_SECRET_KEY": "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="})
	refused := other.run(t, "tenant", "create", "--name", "Second", "--magento-url", "http://127.0.0.1:2")
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, "TOWPATH_SECRET_KEY")
	require.NotContains(t, d.must(t, "tenant", "list"), "Second")
}
