package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider/xero/xerosim"
)

const pairingBase = "http://127.0.0.1:1"

// unpaired is a desk with a shop that nobody is paired with.
func unpaired(t *testing.T, cfg magentosim.Config) *desk {
	t.Helper()
	d := newDesk(t)
	d.shop = magentosim.New(cfg)
	shop := httptest.NewServer(d.shop)
	t.Cleanup(shop.Close)
	d.shopURL = shop.URL
	d.env["TOWPATH_BASE_URL"] = pairingBase
	return d
}

func (d *desk) pairing(code string, more ...string) []string {
	return append([]string{"tenant", "pair", "--magento-url", d.shopURL, "--provider", "xero", "--code", code}, more...)
}

func Test_A_shop_is_paired_and_the_next_step_is_named(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{})
	code := d.shop.NewPairingCode()
	s := d.run(t, d.pairing(code, "--name", "Books & Co")...)
	require.Zero(t, s.code, s.err)
	require.Contains(t, s.err, "no Towpath answers at "+pairingBase)
	require.Contains(t, s.out, "Whether the shop reaches "+pairingBase+" was not checked")
	id := d.shop.TenantID()
	require.Contains(t, s.out, d.shopURL+" is paired: tenant "+id)
	require.Contains(t, s.out, "The shop answers our calls; its clock is as ours")
	require.Contains(t, s.out, "towpath binding create --tenant "+id+" --provider xero --client-id ID --client-secret-file FILE")
	require.NotContains(t, s.out, code)
	require.Equal(t, pairingBase, d.shop.LedgerURL())
	require.Contains(t, d.must(t, "tenant", "list"), "Books & Co")
	require.NotContains(t, s.out+d.must(t, "tenant", "list", "--json"), "key")

	// Again: another key for the same tenant, and its name stays.
	var again map[string]json.RawMessage
	d.mustJSON(t, &again, d.pairing(d.shop.NewPairingCode())...)
	d.requireColumns(t, again, "tenants", "paired_again", "confirmed_by", "clock_skew_seconds", "held_runs_released", "warnings")
	require.JSONEq(t, `"`+id+`"`, string(again["id"]))
	require.JSONEq(t, `true`, string(again["paired_again"]))
	require.JSONEq(t, `"answer"`, string(again["confirmed_by"]))
	require.JSONEq(t, `"Books & Co"`, string(again["name"]))
	require.Contains(t, string(again["warnings"]), "no Towpath answers at "+pairingBase, "nobody serves here")
}

func Test_A_pairing_code_comes_by_flag_file_stdin_or_environment(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{})
	pair := []string{"tenant", "pair", "--magento-url", d.shopURL, "--provider", "xero"}
	d.must(t, append(pair, "--code-file", file(t, "code", d.shop.NewPairingCode()+"\n"))...)
	d.with(map[string]string{"TOWPATH_PAIRING_CODE": d.shop.NewPairingCode()}).must(t, pair...)
	d.with(map[string]string{"TOWPATH_PAIRING_CODE_FILE": file(t, "code", d.shop.NewPairingCode())}).must(t, pair...)
	var out, errs bytes.Buffer
	console := consoleOf(d.env, &out, &errs)
	console.in = strings.NewReader(d.shop.NewPairingCode() + "\n")
	require.Zero(t, run(t.Context(), append(pair, "--code-file", "-"), console), errs.String())
	require.Equal(t, 4, d.shop.Calls(magentosim.RoutePair))
}

func Test_A_clock_that_is_off_is_said_at_pairing(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{})
	d.shop.SetClockOffset(-90 * time.Second)
	s := d.run(t, d.pairing(d.shop.NewPairingCode())...)
	require.Zero(t, s.code, s.err)
	require.Regexp(t, `warning: the shop's clock is 1m(29|30|31)s behind ours; from 2m0s on neither side accepts the other's calls: set both clocks by NTP`, s.err)
}

// Each refusal of the command itself; those of the shop are in pkg/magento.
func Test_What_cannot_be_paired_is_refused_before_the_shop_is_asked(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{})
	const elsewhere = "https://shop.example.com"
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		says []string
	}{
		"no_code":          {nil, []string{"--magento-url", d.shopURL}, []string{"no pairing code", "shop's admin", "TOWPATH_PAIRING_CODE"}},
		"two_codes":        {nil, []string{"--magento-url", d.shopURL, "--code", "x", "--code-file", "y"}, []string{"--code and --code-file are both set"}},
		"no_base_url":      {map[string]string{"TOWPATH_BASE_URL": ""}, []string{"--magento-url", d.shopURL, "--code", "x"}, []string{"TOWPATH_BASE_URL", "it is not set", "https://towpath.example.com"}},
		"loopback":         {nil, []string{"--magento-url", elsewhere, "--code", "x"}, []string{"TOWPATH_BASE_URL", "only this machine can reach", "shop.example.com"}},
		"wildcard":         {nil, []string{"--magento-url", elsewhere, "--code", "x", "--base-url", "http://0.0.0.0:8080"}, []string{"only this machine can reach"}},
		"rest_url":         {nil, []string{"--magento-url", d.shopURL + "/rest", "--code", "x"}, []string{"--magento-url", "without /rest"}},
		"no_scheme":        {nil, []string{"--magento-url", "shop.example.com", "--code", "x"}, []string{"--magento-url", "https://"}},
		"private_shop":     {map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS": ""}, []string{"--magento-url", "https://127.0.0.1", "--code", "x"}, []string{"--magento-url", "TOWPATH_ALLOW_PRIVATE_URLS"}},
		"plain_http":       {map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS": ""}, []string{"--magento-url", "http://shop.example.com", "--code", "x"}, []string{"--magento-url", "must begin with https://"}},
		"no_tenant":        {nil, []string{"--magento-url", d.shopURL, "--code", "x", "--tenant", "abc"}, []string{`there is no tenant "abc"`, "towpath tenant list"}},
		"unknown_provider": {nil, []string{"--magento-url", d.shopURL, "--code", "x", "--provider", "sage"}, []string{"--provider", "xero", "freeagent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := d.with(c.env).run(t, append([]string{"tenant", "pair", "--provider", "xero"}, c.args...)...)
			require.Equal(t, exitUsage, s.code, s.err)
			for _, text := range c.says {
				require.Contains(t, s.err, text)
			}
		})
	}
	t.Cleanup(func() { require.Zero(t, d.shop.Calls(magentosim.RoutePair)) })
}

// What the shop refuses is said as it is, with what it leaves behind.
func Test_A_refused_pairing_says_what_it_leaves(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{})
	refused := d.run(t, d.pairing("not-the-code")...)
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, "towpath: not paired: The shop does not accept the pairing code")
	require.NotContains(t, refused.err, "not-the-code")
	require.JSONEq(t, "[]", d.must(t, "tenant", "list", "--json"))

	d.shop.Inject(magentosim.RoutePair, magentosim.Drops(magentosim.CutClose).AfterEffect())
	d.shop.Inject(magentosim.RoutePing, magentosim.Maintenance(503))
	code := d.shop.NewPairingCode()
	lost := d.run(t, d.pairing(code)...)
	require.Equal(t, exitFailed, lost.code)
	require.Contains(t, lost.err, "towpath: maybe paired: "+d.shopURL+" took the request, and its answer was lost")
	require.Contains(t, lost.err, "Run the same command again with the same code")
	require.NotContains(t, lost.err, code)
	require.Contains(t, d.must(t, "tenant", "list"), "pending")

	settled := d.run(t, d.pairing(code)...)
	require.Zero(t, settled.code, settled.err)
	require.Contains(t, settled.out, "No answer said so; the shop knows the key")

	again := d.run(t, d.pairing("not-the-code")...)
	require.Equal(t, exitFailed, again.code)
	require.Contains(t, again.err, "Nothing has changed for tenant "+d.shop.TenantID())
}

// While a pairing's end is not known the shop's events come in, whichever key it
// has; the first of the new key settles it.
func Test_Events_come_in_though_it_is_not_known_how_a_pairing_ended(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{Events: []string{"invoice.created"}})
	d.must(t, d.pairing(d.shop.NewPairingCode())...)
	d.tenant = d.shop.TenantID()
	d.xero = xerosim.New(xerosim.Config{OrgID: demo.OrgID, Tokens: []string{"a-token"}})
	xero := httptest.NewServer(d.xero)
	t.Cleanup(xero.Close)
	d.must(t, "binding", "create", "--tenant", d.tenant, "--provider", "xero", "--api-url", xero.URL, "--org-id", demo.OrgID, "--token-file", file(t, "token", "a-token"))
	var binding []struct{ ID string }
	d.mustJSON(t, &binding, "binding", "list")
	d.must(t, "binding", "policy", "set", binding[0].ID, "--file", file(t, "policy.json", goodPolicy))

	shop := d.shop
	d.shop = nil // serve does not connect it: the pairing alone does
	server := d.serve(t)
	d.shop = shop
	d.env["TOWPATH_BASE_URL"] = "http://" + server.Addr()
	d.shop.Inject(magentosim.RoutePair, magentosim.Drops(magentosim.CutClose).AfterEffect())
	d.shop.Inject(magentosim.RoutePing, magentosim.Maintenance(503))
	lost := d.run(t, d.pairing(d.shop.NewPairingCode())...)
	require.Contains(t, lost.err, "maybe paired")
	require.Contains(t, lost.err, "events are accepted with the key before and with the new one")

	inv := d.shop.RaiseInvoice(demo.Cart())
	_, err := d.shop.Drain(t.Context())
	require.NoError(t, err)
	chip, err := d.shop.WaitChip(t.Context(), inv.ID)
	require.NoError(t, err)
	require.Equal(t, "synced", chip.Status)
	var settled bool
	require.NoError(t, d.pool.QueryRow(t.Context(), `SELECT offered_key_sealed IS NULL AND previous_key_sealed IS NOT NULL FROM tenants`).Scan(&settled))
	require.True(t, settled)
}

// Over TLS, as a real shop: in production mode, with a certificate that the
// machine trusts.
func Test_A_shop_in_production_mode_is_paired_over_TLS(t *testing.T) {
	t.Parallel()
	d := unpaired(t, magentosim.Config{Production: true})
	plain := d.run(t, d.pairing(d.shop.NewPairingCode())...)
	require.Equal(t, exitFailed, plain.code)
	require.Contains(t, plain.err, "in production mode it wants https")

	shop := httptest.NewTLSServer(d.shop)
	t.Cleanup(shop.Close)
	d.shopURL = shop.URL
	untrusted := d.run(t, d.pairing(d.shop.NewPairingCode())...)
	require.Equal(t, exitFailed, untrusted.code)
	require.Contains(t, untrusted.err, "no authority that this machine trusts has signed it")

	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shop.Certificate().Raw}), 0o600))
	d.env["SSL_CERT_FILE"] = authority
	p := d.start(t, d.pairing(d.shop.NewPairingCode())...) // a process reads its authorities once
	require.Zero(t, p.wait(t, time.Minute), p.output())
	require.Contains(t, p.output(), "is paired: tenant "+d.shop.TenantID())
	require.NotEmpty(t, d.shop.TenantID())
}
