package dashboard_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dashboard"
	"towpath/pkg/magento/magentosim"
)

func Test_A_shop_is_paired_on_a_page_and_a_refusal_says_why(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t)
	sim := magentosim.New(magentosim.Config{})
	shop := httptest.NewServer(sim)
	t.Cleanup(shop.Close)
	form := formOf(t, b.get("/dashboard/pair").body, "/dashboard/pair")
	form.Set("magento_url", shop.URL+"/")
	require.Contains(t, readable(b.post("/dashboard/pair", form).body), "The pairing code is missing")
	form.Set("code", "not-a-code")
	refused := b.post("/dashboard/pair", form)
	require.Equal(t, http.StatusConflict, refused.status)
	require.Contains(t, readable(refused.body), "Not paired: The shop does not accept the pairing code")
	require.NotContains(t, refused.body, "not-a-code", "a code is never sent back")
	form.Set("magento_url", shop.URL+"/rest")
	require.Contains(t, readable(b.post("/dashboard/pair", form).body), "give the shop's base URL, without /rest")
	require.Equal(t, 1, b.count(`tenants`), "what was not paired leaves nothing")

	form.Set("magento_url", shop.URL)
	form.Set("name", "<b>Rope & Co</b>")
	form.Set("code", sim.NewPairingCode())
	paired := b.post("/dashboard/pair", form)
	require.Equal(t, http.StatusOK, paired.status)
	require.Contains(t, readable(paired.body), "<b>Rope & Co</b> is paired")
	require.NotContains(t, paired.body, "<b>Rope")
	require.Contains(t, readable(paired.body), "Next, bind it to its account")
	require.Equal(t, 2, b.count(`tenants`))
	require.Equal(t, 1, b.count(`audit WHERE who = 'ada' AND action = 'tenant.paired'`))

	var id string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT id::text FROM tenants WHERE name LIKE '%Rope%'`).Scan(&id))
	again := formOf(t, b.get("/dashboard/pair?tenant="+id).body, "/dashboard/pair")
	require.Equal(t, shop.URL, again.Get("magento_url"))
	again.Set("code", sim.NewPairingCode())
	require.Contains(t, readable(b.post("/dashboard/pair", again).body), "is paired again, with a new key")
	require.Equal(t, 2, b.count(`tenants`))

	made := b.post("/dashboard/shops/"+id+"/key", formOf(t, b.get("/dashboard/shops/"+id+"/key").body, "/key"))
	require.Regexp(t, `[0-9a-f]{64}`, made.body)
	require.Equal(t, 0, b.count(`audit WHERE before::text ~ '[0-9a-f]{64}' OR after::text ~ '[0-9a-f]{64}'`), "no key is recorded")
}

func (b *bundle) count(from string) (n int) {
	b.t.Helper()
	require.NoError(b.t, b.pool.QueryRow(b.t.Context(), `SELECT count(*) FROM `+from).Scan(&n))
	return n
}

func Test_A_connection_is_ended_after_what_waits_was_said(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t)
	b.add("held", nil)
	b.add("queued", nil)
	path := b.settingsPath() + "/disconnect"
	page := b.get(path)
	require.Contains(t, readable(page.body), "2 documents are not done, 1 of them held. They would be held (binding_revoked) for good.")
	require.Equal(t, 0, b.count(`bindings WHERE status = 'revoked'`))
	ended := b.post(path, formOf(t, page.body, "/disconnect"))
	require.Equal(t, http.StatusSeeOther, ended.status)
	require.Contains(t, readable(b.get(ended.header.Get("Location")).body), "Disconnected. What was synced stays known.")
	require.Equal(t, 1, b.count(`bindings WHERE status = 'revoked'`))
	require.Equal(t, http.StatusConflict, b.post(path, nil).status, "a repeat finds it ended")
	require.Equal(t, http.StatusConflict, b.post(b.settingsPath()+"/settings/save", url.Values{"version": {"1"}, "settings": {"{}"}}).status)
}

func Test_The_audit_says_who_changed_what_from_what_to_what(t *testing.T) {
	t.Parallel()
	b, _, _ := withLedger(t, func(c *dashboard.Config) { c.PageSize = 2 })
	path := b.settingsPath()
	require.Contains(t, readable(b.get("/dashboard/audit").body), "Nobody has changed anything yet.")
	values := formOf(t, b.get(path+"/settings").body, path+"/settings")
	values.Set("invoice_number_prefix", "<i>M</i>-")
	values.Set("b2c_consolidation.fallback_contact_email", "ada@example.com")
	review := b.post(path+"/settings", values)
	require.Equal(t, http.StatusSeeOther, b.post(path+"/settings/save", formOf(t, review.body, "/settings/save")).status)
	log := b.get("/dashboard/audit")
	require.Contains(t, readable(log.body), `ada Settings savedAcme Number prefix: null → "<i>M</i>-"`)
	require.NotContains(t, log.body, "<i>M")
	require.NotContains(t, log.body, "ada@example.com", "no personal data")
	var before, after []byte
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT before, after FROM audit`).Scan(&before, &after))
	var was, is map[string]any
	require.NoError(t, json.Unmarshal(before, &was))
	require.NoError(t, json.Unmarshal(after, &is))
	require.Equal(t, []any{1.0, 2.0}, []any{was["policy_version"], is["policy_version"]})

	for range 3 {
		b.exec(`INSERT INTO audit (who, action, tenant_id) VALUES ('cli:bob', 'tenant.deleted', gen_random_uuid())`)
	}
	first := b.get("/dashboard/audit?who=CLI:bob")
	require.Contains(t, readable(first.body), "a shop that is gone")
	require.Contains(t, first.body, ">Older<")
	require.Contains(t, readable(b.get("/dashboard/audit?action=tenant.deleted&who=admin").body), "Nobody changed anything that fits.")
	require.Contains(t, readable(b.get("/dashboard/audit?tenant="+b.tenant.String()+"&since=2026-01-01").body), "ada Settings saved")
	for _, wrong := range []string{"action=x", "tenant=x", "since=x", "before=x"} {
		require.Equal(t, http.StatusBadRequest, b.get("/dashboard/audit?"+wrong).status, wrong)
	}
}
