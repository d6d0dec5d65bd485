package main

import (
	"flag"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/pgdb/pgtest"
)

// upgradeFrom is what .ci/upgrade gives.
var upgradeFrom = flag.String("upgrade.from", "", "the binary of an older version, for the test of upgrades")

// The older version makes the schema and serves; the newer one brings the schema up beside
// it, serves beside it, takes over; the older one comes back. Nothing is refused, lost or
// doubled meanwhile.
func Test_An_upgrade_and_the_way_back(t *testing.T) {
	t.Parallel()
	if *upgradeFrom == "" {
		t.Skip("no older binary: .ci/upgrade")
	}
	old := deskAt(t, pgtest.EmptyURL(t))
	old.binary = *upgradeFrom
	t.Log(old.must(t, "--version"))
	old.must(t, "migrate", "up")
	old.connect(t)
	now := *old
	now.binary = ""
	d := &now

	var ids []string
	served := func(what, base string) {
		d.shop.Connect(d.tenant, d.key, base)
		var own []string
		for range 3 {
			d.shop.RaiseInvoice(demo.Cart())
			own = append(own, d.send(t))
		}
		until(t, what, func() bool {
			for _, id := range own {
				var status string
				require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT status FROM sync_runs WHERE id = $1", id).Scan(&status))
				if status != "succeeded" {
					return false
				}
			}
			return true
		})
		ids = append(ids, own...)
	}
	ready := func(what string, p *process) {
		require.Equal(t, http.StatusOK, ask(t, http.MethodGet, p.base+"/readyz").status, what)
	}

	before := old.serveProcess(t)
	served("the old one alone", before.base)
	t.Log(d.must(t, "migrate", "up"))
	ready("the old one on the newer schema", before)
	served("the old one on the newer schema", before.base)

	after := d.serveProcess(t)
	served("the new one takes in, both work", after.base)
	served("the old one takes in, both work", before.base)
	ready("the old one beside the new one", before)
	before.signal(t, syscall.SIGTERM)
	require.Equal(t, exitDone, before.wait(t, 2*time.Minute), before.output())
	served("the new one alone", after.base)

	refused := old.run(t, "migrate", "up")
	if d.must(t, "migrate", "status"); refused.code != exitDone { // where the schema did change
		require.Contains(t, refused.err, "the database is newer than this binary")
	}
	back := old.serveProcess(t)
	after.signal(t, syscall.SIGTERM)
	require.Equal(t, exitDone, after.wait(t, 2*time.Minute), after.output())
	served("the old one again", back.base)
	ready("the old one again", back)

	require.Len(t, d.xero.Invoices(), len(ids), "each once")
	d.must(t, "verify")
	d.must(t, "migrate", "status") // the way back has undone nothing
}
