package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
)

func Test_Gaps_of_what_came_are_printed_with_the_command_that_asks_for_them(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t)
	d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	require.Contains(t, d.must(t, "gaps"), "no number is missing between those that came\n")

	lost := d.shop.RaiseInvoice(demo.Cart())
	d.shop.RaiseInvoice(demo.Cart())
	id := d.send(t)
	until(t, "ended", func() bool { return d.status(t, id) == "succeeded" })
	_, err := d.pool.Exec(t.Context(), `UPDATE sync_runs SET event = 'invoice.paid', dedupe_key = 'other' WHERE magento_entity_id = $1`, lost.ID)
	require.NoError(t, err)
	text := d.must(t, "gaps", "--tenant", d.tenant, "--since", "1d")
	require.Contains(t, text, "Shop, store 1: 1 invoice missing, "+lost.IncrementID+" (noticed ")
	require.Contains(t, text, "ask the shop for them:\n  towpath backfill --binding "+d.binding+" --event invoice.created --ids 2\n")
	require.Regexp(t, `(?m)^Shop +less than a minute ago +too few events to tell$`, text)
	var view struct {
		Gaps  []struct{ First, IDs, Command string }
		Shops []struct{ Silent bool }
	}
	d.mustJSON(t, &view, "gaps")
	require.Len(t, view.Gaps, 1)
	require.Equal(t, lost.IncrementID, view.Gaps[0].First)
	require.False(t, view.Shops[0].Silent)
	require.Equal(t, exitUsage, d.run(t, "gaps", "--tenant", "x").code)
	require.Equal(t, exitUsage, d.run(t, "gaps", "--since", "x").code)
}
