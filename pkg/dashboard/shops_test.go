package dashboard_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func Test_Shops_without_a_connection_are_listed_with_what_they_need(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`UPDATE bindings SET org_id = 'org-7', reference = '{"organisation":{"name":"Acme Holdings Ltd"}}', reference_at = '2026-04-29 05:00Z'`)
	b.add("succeeded", columns{"received_at": now.Add(-90 * 1e9)})
	alone := uuid.New()
	b.exec(`INSERT INTO tenants (id, name, magento_url, api_key_sealed, connection_status)
		VALUES ($1, '<script>alert(1)</script>', 'https://bare.example', 'sealed-api-key', 'pending')`, alone)
	list := b.get("/dashboard/shops")
	require.Equal(t, http.StatusOK, list.status)
	page := readable(list.body)
	require.Contains(t, page, "Acme Connected https://shop.example Last event 1 min ago Xero, Acme Holdings Ltd Connected Nothing")
	require.Contains(t, page, "<script>alert(1)</script> Pairing not finished")
	require.NotContains(t, list.body, "<script>alert(1)")
	require.Contains(t, page, "It is connected to no ledger")
	require.NotContains(t, list.body, "sealed-")

	one := readable(b.get("/dashboard/shops/" + alone.String()).body)
	require.Contains(t, one, "towpath binding create --tenant "+alone.String())
	require.Contains(t, one, "Last event None yet")
	for _, unknown := range []string{uuid.NewString(), "x", b.binding.String()} {
		require.Equal(t, http.StatusNotFound, b.get("/dashboard/shops/"+unknown).status)
	}
}

func Test_A_shop_shows_its_live_and_its_ended_connections(t *testing.T) {
	t.Parallel()
	b := setup(t, connect(nil))
	b.app("authorization_code", "")
	b.needsConsent()
	b.exec(`INSERT INTO bindings (id, tenant_id, provider, wire, api_url, status, revoked_at)
		VALUES ($1, $2, 'freeagent', 'v2', 'https://api.freeagent.com', 'revoked', '2024-01-01Z')`, uuid.New(), b.tenant)
	a := b.get("/dashboard/shops/" + b.tenant.String())
	require.Equal(t, http.StatusOK, a.status)
	page := readable(a.body)
	require.Contains(t, page, "Nobody has allowed Towpath to post into Xero yet.")
	require.Contains(t, a.body, `action="`+b.connectPath()+`"`)
	require.Contains(t, page, "Ended Nothing more is written through these.")
	require.Contains(t, page, "FreeAgent, ended 849 days ago")
}
