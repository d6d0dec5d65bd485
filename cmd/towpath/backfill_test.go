package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/demo"
)

// filled is what backfill --json says.
type filled struct {
	BindingID       string `json:"binding_id"`
	IDs             int    `json:"ids"`
	DryRun          bool   `json:"dry_run"`
	Accepted, Known int
	EstimateSeconds float64        `json:"estimate_seconds"`
	Runs            map[string]int `json:"runs"`
}

func Test_Backfill_makes_runs_of_what_is_not_known(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	args := []string{"backfill", "--binding", d.binding, "--event", "invoice.created"}
	var got filled
	d.mustJSON(t, &got, append(args, "--ids", "1-150,7001", "--dry-run")...)
	require.Equal(t, filled{BindingID: d.binding, IDs: 151, DryRun: true, Accepted: 151, EstimateSeconds: got.EstimateSeconds}, got)
	require.Positive(t, got.EstimateSeconds)
	require.Contains(t, d.must(t, "runs", "list"), "REFERENCE\n")

	text := d.must(t, append(args, "--ids", "1-150,7001")...)
	require.Contains(t, text, "151 ids of invoice.created: 0 known already, 151 to ask for; with what waits already")
	require.Contains(t, text, "accepted 100, known already 0, of 151\naccepted 151, known already 0, of 151\naccepted 151, known already 0\n")
	d.mustJSON(t, &got, append(args, "--file", file(t, "ids.txt", "7001 # again\n7002\n"))...)
	require.Equal(t, filled{BindingID: d.binding, IDs: 2, Accepted: 1, Known: 1, EstimateSeconds: got.EstimateSeconds}, got)
	d.must(t, "verify")
}

func Test_Backfill_is_refused_where_it_makes_no_sense(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"bad_ids":       {[]string{"--binding", d.binding, "--event", "invoice.created", "--ids", "1,x"}, exitUsage, `--ids: "x" is no id`},
		"no_ids":        {[]string{"--binding", d.binding, "--event", "invoice.created"}, exitUsage, "give --ids or --file"},
		"no_file":       {[]string{"--binding", d.binding, "--event", "invoice.created", "--file", "/nowhere/ids"}, exitUsage, "--file: "},
		"unknown_event": {[]string{"--binding", d.binding, "--event", "order.created", "--ids", "1"}, exitUsage, `--event is "order.created"; use `},
		"bad_time":      {[]string{"--binding", d.binding, "--event", "invoice.paid", "--ids", "1", "--occurred-at", "May"}, exitUsage, "--occurred-at"},
		"no_binding":    {[]string{"--binding", uuid.NewString(), "--event", "invoice.created", "--ids", "1"}, exitFailed, "there is no binding"},
	} {
		said := d.run(t, append([]string{"backfill"}, c.args...)...)
		require.Equal(t, c.code, said.code, name)
		require.Contains(t, said.err, c.says, name)
	}
	d.must(t, "binding", "revoke", "--yes", d.binding)
	said := d.run(t, "backfill", "--binding", d.binding, "--event", "invoice.created", "--ids", "1")
	require.Equal(t, exitFailed, said.code)
	require.Contains(t, said.err, "binding "+d.binding+" is revoked")
	require.Contains(t, d.must(t, "backfill", "--help"), "--ids 1-5000,7001")
}

func Test_Backfill_follows_its_runs_to_their_end(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t, "worker")
	invoice := d.shop.RaiseInvoice(demo.Cart())
	s := d.run(t, "backfill", "--binding", d.binding, "--event", "invoice.created", "--ids", fmt.Sprintf("%d,4242", invoice.ID), "--wait", "--json")
	require.Equal(t, exitFailed, s.code)
	require.Contains(t, s.err, "1 failed run; which: towpath runs list --status failed --event invoice.created")
	var got filled
	decode(t, []byte(s.out), &got)
	require.Equal(t, map[string]int{"succeeded": 1, "failed": 1}, got.Runs, "the shop knows one of them")
	require.Len(t, d.xero.Invoices(), 1)
}

func Test_The_command_that_a_held_payment_names_lets_it_go_on(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var account string
	require.NoError(t, d.pool.QueryRow(t.Context(), `SELECT account ->> 'id' FROM bindings, jsonb_array_elements(reference -> 'accounts') AS account
		WHERE account ->> 'type' = 'BANK' LIMIT 1`).Scan(&account))
	d.must(t, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json",
		`{"default_xero_revenue_account_code":"200","tax_rate_map":{"20.00":"OUTPUT2","0.00":"ZERORATEDOUTPUT"},"default_bank_account_id":"`+account+`"}`))
	d.serve(t, "worker")
	cart := demo.Cart()
	cart.State = canon.StatePaid
	invoice := d.shop.RaiseInvoice(cart) // its event never comes
	d.must(t, "backfill", "--binding", d.binding, "--event", "invoice.paid", "--ids", fmt.Sprint(invoice.ID))
	var runs []struct {
		ID, Status string
		HoldReason string `json:"hold_reason"`
		Message    string `json:"error_message"`
	}
	until(t, "held", func() bool {
		d.mustJSON(t, &runs, "runs", "list", "--event", "invoice.paid")
		return runs[0].HoldReason == "invoice_unknown"
	})
	command := regexp.MustCompile(`\(towpath (backfill .*?)\)`).FindStringSubmatch(runs[0].Message)
	require.NotNil(t, command, runs[0].Message)
	d.must(t, strings.Fields(command[1])...)
	until(t, "paid", func() bool { return d.status(t, runs[0].ID) == "succeeded" })
	require.Len(t, d.xero.Invoices(), 1)
}
