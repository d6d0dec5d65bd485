package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/shopjwt"
)

const otherKey = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBE="

func Test_No_command_seals_or_calls_with_a_key_that_does_not_open_what_is_stored(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	other := d.with(map[string]string{"TOWPATH_SECRET_KEY": otherKey})
	for name, args := range map[string][]string{
		"token":      {"binding", "token", d.binding, "--token", "a-token"},
		"rotate_key": {"tenant", "rotate-key", "--by-hand", d.tenant},
		"connect":    {"binding", "connect", d.binding},
		"create":     {"tenant", "create", "--name", "A", "--magento-url", d.shopURL},
		"bind":       {"binding", "create", "--tenant", d.tenant, "--provider", "xero", "--token", "a-token"},
		"bind_app":   {"binding", "create", "--tenant", d.tenant, "--provider", "xero", "--client-id", "app"},
		"refresh":    {"binding", "refresh", d.binding},
		"change":     {"binding", "change", d.binding, "--client-id", "app"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := other.run(t, args...)
			require.Equal(t, exitFailed, s.code, s.err)
			require.Contains(t, s.err, "give the TOWPATH_SECRET_KEY that it was sealed with")
		})
	}
}

func Test_Verify_says_that_stored_secrets_do_not_open(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	require.Contains(t, d.must(t, "verify"), "ok      secrets")
	_, err := d.pool.Exec(t.Context(), "UPDATE tenants SET api_key_sealed = overlay(api_key_sealed placing '\\x00000000' from 2)")
	require.NoError(t, err)
	s := d.run(t, "verify")
	require.Equal(t, exitFailed, s.code)
	require.Contains(t, s.out, "BROKEN  secrets")
}

// A key is gone for good: what it sealed is forgotten, the rest is paired and bound
// again, and nothing that was on its way is lost.
func Test_After_a_lost_key_an_installation_goes_on(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d = d.with(map[string]string{"TOWPATH_SECRET_KEY": otherKey})
	asked := d.run(t, "secrets", "forget")
	require.Equal(t, exitFailed, asked.code)
	require.Regexp(t, `tenants.api_key_sealed +1\n`, asked.out)
	require.Contains(t, asked.err, "nothing was changed")
	require.Contains(t, d.must(t, "secrets", "forget", "--yes"), "forgotten")

	s := d.serve(t)
	inv := d.shop.RaiseInvoice(demo.Cart())
	_, err := d.shop.Drain(t.Context())
	require.NoError(t, err)
	require.Equal(t, magentosim.RowPending, d.shop.Outbox()[0].Status, "it keeps the event and sends it again")
	key := shopjwt.NewAPIKey()
	d.must(t, "tenant", "rotate-key", "--by-hand", d.tenant, "--api-key", key)
	d.must(t, "binding", "token", d.binding, "--token", "a-token")
	d.shop.Connect(d.tenant, key, "http://"+s.Addr())
	d.shop.MakeDue()
	d.send(t)
	chip, err := d.shop.WaitChip(t.Context(), inv.ID)
	require.NoError(t, err)
	require.Equal(t, "synced", chip.Status)
}
