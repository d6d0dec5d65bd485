package main

import (
	"testing"

	"towpath/pkg/demo"

	"github.com/stretchr/testify/require"
)

func Test_What_if_prints_each_difference_and_posts_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t)
	d.shop.RaiseInvoice(demo.Cart())
	id := d.send(t)
	until(t, "succeeded", func() bool { return d.status(t, id) == "succeeded" })
	before := d.xero.AllCalls()

	same := d.must(t, "what-if", "--binding", d.binding, "--file", file(t, "p.json", goodPolicy))
	require.Contains(t, same, "1 document received since ")
	require.Contains(t, same, ": 1 the same, 0 different\n")
	var none []map[string]any
	d.mustJSON(t, &none, "what-if", "--binding", d.binding, "--file", file(t, "p.json", goodPolicy))
	require.Empty(t, none)

	other := file(t, "p.json", `{"default_xero_revenue_account_code":"260","invoice_number_prefix":"M-",
		"tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"}}`)
	text := d.must(t, "what-if", "--binding", d.binding, "--file", other, "--since", "2d", "--limit", "5")
	require.Contains(t, text, "run "+id+"  invoice.created ")
	require.Contains(t, text, "  line 1: AccountCode 200 -> 260\n")
	require.Contains(t, text, "  document: InvoiceNumber ")
	require.Contains(t, text, "under policy version 2 and under "+other+": 0 the same, 1 different\n  lines        1\n  document     1\n")
	var found []struct {
		ID, Before, After string
		Changes           []struct {
			Kind, Field, Before, After string
			Line                       int
		}
	}
	d.mustJSON(t, &found, "what-if", "--binding", d.binding, "--file", other)
	require.Len(t, found, 1)
	require.Equal(t, id, found[0].ID)
	require.Equal(t, "post", found[0].After)
	require.Equal(t, "AccountCode", found[0].Changes[1].Field)
	require.Equal(t, before, d.xero.AllCalls())
}

func Test_What_if_refuses_settings_that_could_not_be_saved(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	bad := d.run(t, "what-if", "--binding", d.binding, "--file", file(t, "p.json", `{"sync_everything":true,"default_xero_revenue_account_code":"9999"}`))
	require.Equal(t, exitFailed, bad.code)
	require.Contains(t, bad.err, "sync_everything: unknown_field: ")
	require.Contains(t, bad.err, "default_xero_revenue_account_code: not_in_reference: ")
	require.Contains(t, bad.err, "nothing was compared")
	require.Empty(t, bad.out)
	for _, args := range [][]string{
		{"--file", file(t, "p.json", "{")},
		{"--file", "/nowhere/p.json"},
		{"--file", file(t, "p.json", goodPolicy), "--since", "yesterday"},
		{"--file", file(t, "p.json", goodPolicy), "--limit", "-1"},
	} {
		said := d.run(t, append([]string{"what-if", "--binding", d.binding}, args...)...)
		require.Equal(t, exitUsage, said.code, "%v: %s", args, said.err)
	}
	missing := d.run(t, "what-if", "--binding", "00000000-0000-4000-8000-000000000001", "--file", file(t, "p.json", goodPolicy))
	require.Equal(t, exitFailed, missing.code)
	require.Contains(t, missing.err, "towpath binding list")
}
