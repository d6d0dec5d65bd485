package main

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
)

func Test_Shops_and_bindings_go_by_the_shops_name(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "tenant", "change", "shop", "--name", "Books & Co")
	const name = "books & co"
	require.JSONEq(t, d.must(t, "binding", "policy", "get", d.binding), d.must(t, "binding", "policy", "get", name))
	require.Contains(t, d.must(t, "gaps", "--tenant", name), "no number is missing")
	require.Contains(t, d.must(t, "backfill", "--binding", name, "--event", "invoice.created", "--ids", "1", "--dry-run"), "1 to ask for")
	d.must(t, "tenant", "rotate-key", name, "--by-hand")
	d.must(t, "binding", "refresh", name)

	// A name means the live binding; without one, the revoked one, which each command refuses in its words.
	d.must(t, "binding", "revoke", name, "--yes")
	refused := d.run(t, "binding", "token", name, "--token", "x")
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, d.binding+" is revoked")
	var made struct{ ID string }
	d.mustJSON(t, &made, "binding", "create", "--tenant", name, "--provider", "xero", "--api-url", d.xeroURL, "--org-id", demo.OrgID, "--token", "a-token")
	var history []struct{ Version int }
	d.mustJSON(t, &history, "binding", "policy", "history", name)
	require.Len(t, history, 1, "of the new one")
}

func Test_A_name_of_several_is_refused_with_the_candidates(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var other struct{ ID string }
	d.mustJSON(t, &other, "tenant", "create", "--name", "SHOP", "--magento-url", "https://other.example")
	var binding struct{ ID string }
	d.mustJSON(t, &binding, "binding", "create", "--tenant", other.ID, "--provider", "xero", "--api-url", "http://127.0.0.1:1", "--token", "x")
	for _, args := range [][]string{{"runs", "list", "--tenant", "Shop"}, {"tenant", "change", "Shop", "--name", "x"}, {"gaps", "--tenant", "shop"}} {
		s := d.run(t, args...)
		require.Equal(t, exitUsage, s.code, args)
		require.Contains(t, s.err, `is the name of 2: `+d.tenant+" ("+d.shopURL+"), "+other.ID+" (https://other.example); give the id of one", args)
	}
	revoke := d.run(t, "binding", "revoke", "shop", "--yes")
	require.Equal(t, exitUsage, revoke.code)
	require.Contains(t, revoke.err, d.binding+" (xero, active), "+binding.ID+" (xero, active)")
}

func Test_A_name_that_nobody_has_is_wrong_use(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, args := range [][]string{
		{"binding", "create", "--tenant", "7", "--provider", "xero", "--token", "t"}, {"runs", "list", "--tenant", "7"}, {"gaps", "--tenant", "7"},
		{"tenant", "rotate-key", "7", "--by-hand"},
	} {
		s := d.run(t, args...)
		require.Equal(t, exitUsage, s.code, args)
		require.Contains(t, s.err, `there is no tenant "7" (see: towpath tenant list)`, args)
	}
	for _, args := range [][]string{{"binding", "revoke", "7"}, {"binding", "policy", "get", "7"}} {
		s := d.run(t, args...)
		require.Equal(t, exitUsage, s.code, args)
		require.Contains(t, s.err, `there is no binding "7" (see: towpath binding list)`, args)
	}
	require.Equal(t, exitFailed, d.run(t, "tenant", "rotate-key", uuid.NewString(), "--by-hand").code, "an id that there might be")
}
