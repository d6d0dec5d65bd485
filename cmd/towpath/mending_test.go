package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/shopjwt"
)

// The ways to mend a connection without losing an event on the way.

func Test_A_shop_gets_another_key(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t)
	d.shop.Connect(d.tenant, shopjwt.NewAPIKey(), "http://"+s.Addr()) // drifted: it answers 401 to ours
	inv := d.shop.RaiseInvoice(demo.Cart())
	d.shop.Connect(d.tenant, d.key, "http://"+s.Addr())
	d.send(t)
	drifted := shopjwt.NewAPIKey()
	d.shop.Connect(d.tenant, drifted, "http://"+s.Addr())
	var runs []struct{ ID, Status string }
	until(t, "the run is held or went through before the key changed", func() bool {
		d.mustJSON(t, &runs, "runs", "list")
		return len(runs) == 1 && (runs[0].Status == "held" || runs[0].Status == "succeeded")
	})
	var saved struct{ ID string }
	d.mustJSON(t, &saved, "tenant", "rotate-key", "--by-hand", d.tenant, "--api-key", drifted)
	require.Equal(t, d.tenant, saved.ID)
	chip, err := d.shop.WaitChip(t.Context(), inv.ID)
	require.NoError(t, err)
	require.Equal(t, "synced", chip.Status)

	made := d.must(t, "tenant", "rotate-key", "--by-hand", d.tenant)
	unsaid := d.run(t, "tenant", "rotate-key", d.tenant)
	require.Equal(t, exitUsage, unsaid.code)
	require.Contains(t, unsaid.err, "towpath tenant pair --tenant "+d.tenant)
	require.Regexp(t, `api_key [0-9a-f]{64}\n`, made)
	require.Equal(t, exitFailed, d.run(t, "tenant", "rotate-key", "--by-hand", "00000000-0000-4000-8000-000000000000").code)
	require.Equal(t, exitUsage, d.run(t, "tenant", "rotate-key", "--by-hand", d.tenant, "--api-key", "short").code)
}

func Test_A_binding_is_changed_without_being_revoked(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "binding", "change", d.binding, "--org-id", "99999999-2222-4333-8444-555555555555")
	d.serve(t)
	inv := d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	var runs []struct {
		ID, Status string
		Reason     string `json:"hold_reason"`
	}
	until(t, "Xero refuses the other organisation", func() bool {
		d.mustJSON(t, &runs, "runs", "list")
		return runs[0].Status == "held"
	})
	require.Equal(t, "auth", runs[0].Reason)
	require.Contains(t, d.must(t, "runs", "show", runs[0].ID), "towpath binding token "+d.binding+" --token-file FILE")
	out := d.must(t, "binding", "change", d.binding, "--org-id", demo.OrgID, "--api-url", d.xeroURL)
	require.Contains(t, out, "held runs released: 1")
	require.Contains(t, d.must(t, "binding", "list"), " active ", "as soon as the provider answers")
	chip, err := d.shop.WaitChip(t.Context(), inv.ID)
	require.NoError(t, err)
	require.Equal(t, "synced", chip.Status)

	require.Equal(t, exitUsage, d.run(t, "binding", "change", d.binding).code)
	d.must(t, "binding", "revoke", "--yes", d.binding)
	require.Equal(t, exitFailed, d.run(t, "binding", "change", d.binding, "--org-id", demo.OrgID).code)
	revoked := d.run(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", "{}"))
	require.Equal(t, exitFailed, revoked.code)
	require.Contains(t, revoked.err, "is revoked")
	require.Contains(t, d.editor(t).run(t, "binding", "policy", "edit", d.binding).err, "is revoked", "before an editor is opened")
	require.Contains(t, d.run(t, "binding", "policy", "restore", d.binding, "1").err, "is revoked")
}

func Test_A_setting_is_checked_against_the_provider_as_it_is_now(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	settings := file(t, "p.json", `{"default_xero_revenue_account_code":"200","tax_rate_map":{"9.50":"TAX095"}}`)
	require.Contains(t, d.run(t, "binding", "policy", "set", d.binding, "--file", settings).err, "tax_rate_map.9.50: not_in_reference")
	require.NoError(t, d.xero.AddTaxRate("TAX095", "9.5")) // as the message says
	require.Contains(t, d.must(t, "binding", "policy", "set", d.binding, "--yes", "--file", settings), "policy version 3 saved")
}

func Test_Settings_that_could_not_be_checked_are_saved_with_a_word(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "binding", "change", d.binding, "--api-url", "http://127.0.0.1:1")
	s := d.run(t, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json", `{"default_xero_revenue_account_code":"9999"}`))
	require.Equal(t, exitDone, s.code)
	require.Contains(t, s.err, "no account, tax type, theme or tracking option was checked")
}

func Test_Serve_refuses_a_key_that_opens_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	other := d.with(map[string]string{"TOWPATH_SECRET_KEY": "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBE="})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := other.runContext(ctx, "serve", "--listen", "127.0.0.1:0")
	require.Equal(t, exitFailed, s.code)
	require.Contains(t, s.err, "give the TOWPATH_SECRET_KEY that it was sealed with")
}

func Test_A_binding_of_a_fixed_token_becomes_one_of_an_app(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	waiting := d.run(t, "binding", "change", d.binding, "--client-id", "app", "--client-secret", "hunter2hunter2", "--identity-url", "http://127.0.0.1:1")
	require.Equal(t, exitFailed, waiting.code)
	require.Contains(t, waiting.err, "the app is stored, but not connected yet")
	require.Contains(t, d.must(t, "binding", "list"), " active ", "the token serves until then")

	consent := d.run(t, "binding", "change", d.binding, "--grant", "authorization_code")
	require.Zero(t, consent.code, consent.err)
	require.Contains(t, consent.err, "towpath binding connect "+d.binding)
	var kind, identity string
	var secret bool
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT kind, identity_url, client_secret_sealed IS NOT NULL FROM oauth_grants").Scan(&kind, &identity, &secret))
	require.Equal(t, []any{"authorization_code", "http://127.0.0.1:1", true}, []any{kind, identity, secret}, "what is not given stays")
	require.NotContains(t, consent.err, "shows in the process list")

	d.must(t, "binding", "change", d.binding, "--client-id", "app", "--client-secret", "hunter2hunter2")
	require.NotContains(t, d.must(t, "binding", "list"), "needs_consent")
}
