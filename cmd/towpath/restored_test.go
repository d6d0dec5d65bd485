package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/pgdb"
)

// losableServer is a server whose one database can be dumped, and lost.
func losableServer(t *testing.T) *pgdb.Private {
	t.Helper()
	server, err := pgdb.StartPrivate(t.Context(), pgdb.Options{BinDir: os.Getenv("PGBIN"), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "CREATE DATABASE towpath")
	require.NoError(t, err)
	return server
}

func postgresTool(t *testing.T, program string, args ...string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NOT TESTED: no %s beside the server's programs", filepath.Base(program))
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", program, out)
}

const outOfDump = "its rows came out of a dump"

// A backup is made; then an invoice is posted, and another accepted; the database is lost.
func Test_What_a_restored_backup_forgot_is_noticed_and_fetched(t *testing.T) {
	t.Parallel()
	for sign, backUp := range map[string]func(t *testing.T, server *pgdb.Private) (restore func() string){
		outOfDump:                                dumped,
		"what was committed before is not there": copied,
	} {
		t.Run(sign, func(t *testing.T) {
			t.Parallel()
			forgottenAndFetched(t, sign, backUp)
		})
	}
}

// dumped backs up by pg_dump, and restores to a new server by pg_restore.
func dumped(t *testing.T, server *pgdb.Private) (restore func() string) {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "towpath.dump")
	postgresTool(t, server.Program("pg_dump"), "--format=custom", "--file="+dump, server.URL("towpath"))
	return func() string {
		fresh := losableServer(t)
		postgresTool(t, fresh.Program("pg_restore"), "--dbname="+fresh.URL("towpath"), dump)
		return fresh.URL("towpath")
	}
}

// copied copies the database's files as they are.
func copied(t *testing.T, server *pgdb.Private) (restore func() string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'towpath'")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE DATABASE backup TEMPLATE towpath")
	require.NoError(t, err)
	return func() string { return server.URL("backup") }
}

func forgottenAndFetched(t *testing.T, sign string, backUp func(t *testing.T, server *pgdb.Private) (restore func() string)) {
	t.Helper()
	lost := losableServer(t)
	settings := map[string]string{"TOWPATH_BASE_URL": "https://towpath.example", "TOWPATH_STATE_DIR": t.TempDir()}
	d := deskAt(t, lost.URL("towpath")).with(settings)
	d.must(t, "migrate", "up")
	d.connect(t)
	s := d.serve(t)
	synced := func(id int64) {
		chip, err := d.shop.WaitChip(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "synced", chip.Status)
	}
	known := d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	synced(known.ID)
	s.Stop()
	d.pool.Reset()
	restore := backUp(t, lost)

	s = d.serve(t)
	posted := d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	synced(posted.ID)
	s.Stop()
	s = d.serve(t, "ingress")
	accepted := d.shop.RaiseInvoice(demo.Cart())
	d.send(t)
	s.Stop()
	d.pool.Close()

	if sign == outOfDump {
		settings["TOWPATH_STATE_DIR"] = "" // it needs no memory
	}
	back := deskAt(t, restore()).with(settings)
	back.shop, back.xero, back.tenant, back.binding, back.key = d.shop, d.xero, d.tenant, d.binding, d.key
	if sign == outOfDump {
		require.Contains(t, back.run(t, "doctor").out, "database, restored: "+sign, "before anything runs")
	}
	s = back.serve(t)
	until(t, "the gauge says so", func() bool {
		return gauge(t, scrape(t, "http://"+s.Addr(), "text/plain"), "towpath_restores_unacknowledged") == 1
	})
	require.Contains(t, back.run(t, "doctor").out, "database, restored: it went back to ")
	require.Contains(t, ask(t, "GET", "http://"+s.Addr()+"/dashboard").body, "The database went back in time")

	shown := back.run(t, "restored", "show")
	require.Equal(t, exitFailed, shown.code)
	require.Contains(t, shown.out, sign)
	command := "towpath backfill --binding " + d.binding + " --event invoice.created --ids 2-3"
	require.Contains(t, shown.out, command+"\n")
	back.must(t, append(strings.Fields(command)[1:], "--wait")...)
	for _, id := range []int64{known.ID, posted.ID, accepted.ID} {
		synced(id)
	}
	require.Contains(t, back.must(t, "restored", "show"), "the shops have nothing since that is not known here")
	numbers := map[string]int{}
	for _, doc := range d.xero.Invoices() {
		numbers[doc.Number]++
	}
	require.Equal(t, map[string]int{known.IncrementID: 1, posted.IncrementID: 1, accepted.IncrementID: 1}, numbers)
	until(t, "all has ended", func() bool { return back.run(t, "verify").code == exitDone })
	require.Equal(t, "acknowledged: 1\n", back.must(t, "restored", "acknowledge"))
	require.Contains(t, back.must(t, "restored", "show"), "nothing was noticed")
	require.Contains(t, back.must(t, "audit", "list"), "restore.acknowledged")
	require.NotContains(t, ask(t, "GET", "http://"+s.Addr()+"/dashboard").body, "went back in time")
}

func Test_A_person_tells_of_a_restore_that_nothing_shows(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t, "ingress")
	require.Contains(t, d.must(t, "restored", "tell", "--at", "3h"), "noted")
	var view struct {
		Restores []struct{ What string }
		Missing  []struct{ IDs string }
	}
	d.mustJSON(t, &view, "restored", "show")
	require.Len(t, view.Restores, 1)
	require.Equal(t, "told", view.Restores[0].What)
	require.Empty(t, view.Missing)
	require.Equal(t, exitUsage, d.run(t, "restored", "tell", "--at", "x").code)
	d.must(t, "restored", "acknowledge")
}

func Test_A_shop_of_which_nothing_was_known_is_not_called_complete(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t, "ingress")
	d.must(t, "restored", "tell", "--at", "3h")
	d.shop.RaiseInvoice(demo.Cart())
	shown := d.run(t, "restored", "show")
	require.Equal(t, exitFailed, shown.code)
	require.Contains(t, shown.out, "no invoice was known here then, and the shop has some")
	require.NotContains(t, shown.out, "credit memo")
}
