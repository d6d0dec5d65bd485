package main

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/doctor"
	"towpath/pkg/pgdb/pgtest"
)

// examined is what doctor --json finds, by subject and check.
func (d *desk) examined(t *testing.T, args ...string) map[string]doctor.Finding {
	t.Helper()
	s := d.run(t, append([]string{"doctor", "--json"}, args...)...)
	var found []doctor.Finding
	decode(t, []byte(s.out), &found)
	by := map[string]doctor.Finding{}
	for _, f := range found {
		if d.binding != "" {
			f.Subject = strings.ReplaceAll(f.Subject, d.binding, "ID")
		}
		by[f.Subject+" "+f.Check] = f
		if f.Level == doctor.OK {
			require.Empty(t, f.Do, f)
		}
	}
	require.Equal(t, map[doctor.Level]int{doctor.OK: exitDone, doctor.Warning: exitFailed, doctor.Wrong: exitWrong}[doctor.Worst(found)], s.code)
	return by
}

func Test_Doctor_finds_nothing_wrong_with_what_is_well(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t, "worker")
	var got map[string]doctor.Finding
	until(t, "a worker leads", func() bool {
		got = d.examined(t, "--base-url", "https://towpath.example")
		return got["queue worker"].Level == doctor.OK
	})
	levels := map[string]doctor.Level{}
	for name, f := range got {
		levels[name] = f.Level
	}
	require.Equal(t, map[string]doctor.Level{
		"database version": doctor.OK, "database writable": doctor.OK, "database standby": doctor.OK, "database connections": doctor.OK,
		"database pooler": doctor.OK, "database settings": doctor.OK, "database clock": doctor.OK, "database schema": doctor.OK, "database size": doctor.OK, "database restored": doctor.OK,
		"database durable": doctor.Wrong, // tests have fsync off
		"address base_url": doctor.OK, "secrets key": doctor.OK,
		"queue worker": doctor.OK, "queue jobs": doctor.OK, "queue intents": doctor.OK, "queue indexes": doctor.OK, "runs held": doctor.OK,
		"shop Shop answers": doctor.OK, "shop Shop clock": doctor.OK, "shop Shop payment_methods": doctor.Warning,
		"binding ID answers": doctor.OK, "binding ID token": doctor.Warning, "binding ID settings": doctor.OK, "binding ID calls": doctor.OK,
	}, levels)
	require.Contains(t, got["shop Shop payment_methods"].Text, "payments by ")
}

func Test_Doctor_says_what_is_wrong_and_what_mends_it(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	_, err := d.pool.Exec(t.Context(), `
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$;
		UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sync_runs_lane'::regclass;
		UPDATE bindings SET token_sealed = NULL, status = 'needs_consent'`)
	require.NoError(t, err)
	_, err = d.pool.Exec(t.Context(), `UPDATE policies SET policy = policy || '{"default_xero_revenue_account_code":""}'`)
	require.NoError(t, err)
	_, err = d.pool.Exec(t.Context(), `UPDATE tenants SET magento_url = 'http://127.0.0.1:1'`)
	require.NoError(t, err)
	got := d.with(map[string]string{"TOWPATH_SECRET_KEY": "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="}).examined(t)
	require.Equal(t, doctor.Wrong, got["secrets key"].Level)
	require.Contains(t, got["secrets key"].Do, "TOWPATH_SECRET_KEY")
	require.Equal(t, doctor.Warning, got["partners asked"].Level, "with another key each of them would look broken")
	require.NotContains(t, got, "shop Shop answers")
	got = d.examined(t, "--base-url", "http://towpath.example")
	for name, want := range map[string]struct {
		level    doctor.Level
		text, do string
	}{
		"database settings":  {doctor.OK, "", ""}, // the database's own default is not what a connection has
		"address base_url":   {doctor.Warning, "is not https", "reverse proxy"},
		"queue worker":       {doctor.Wrong, "no worker is running", "towpath serve"},
		"queue indexes":      {doctor.Wrong, "sync_runs_lane", "REINDEX"},
		"shop Shop answers":  {doctor.Wrong, "", "towpath tenant pair --tenant " + d.tenant},
		"binding ID answers": {doctor.Wrong, "", "towpath binding connect " + d.binding},

		"binding ID settings": {doctor.Warning, "default_xero_revenue_account_code is not set", "policy edit " + d.binding},
	} {
		require.Equal(t, want.level, got[name].Level, name)
		require.Contains(t, got[name].Text, want.text, name)
		require.Contains(t, got[name].Do, want.do, name)
	}
	require.Contains(t, d.examined(t)["address base_url"].Text, "TOWPATH_BASE_URL is not set")
	asked := d.with(map[string]string{"DATABASE_URL": d.env["DATABASE_URL"] + "&default_transaction_isolation=serializable"}).examined(t)
	require.Equal(t, doctor.Warning, asked["database settings"].Level)
	require.Contains(t, asked["database settings"].Text, "default_transaction_isolation is serializable")
	require.Contains(t, asked["database settings"].Do, "DATABASE_URL")
	text := d.run(t, "doctor")
	require.Equal(t, exitWrong, text.code)
	require.Contains(t, text.out, "wrong    queue, worker: no worker is running")
	require.Contains(t, text.out, "\n         -> start one: towpath serve")
}

func Test_Doctor_of_a_database_that_is_not_there_or_empty(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got := d.with(map[string]string{"DATABASE_URL": "postgres://towpath@127.0.0.1:1/none"}).examined(t)
	require.Len(t, got, 1)
	require.Equal(t, doctor.Wrong, got["database answers"].Level)
	got = deskAt(t, pgtest.EmptyURL(t)).examined(t)
	require.Equal(t, doctor.Finding{Subject: "database", Check: "schema", Level: doctor.Wrong, Text: "Towpath's tables are not there", Do: "towpath migrate up"}, got["database schema"])
	require.NotContains(t, got, "queue worker")
	require.Equal(t, exitUsage, d.with(map[string]string{"DATABASE_URL": ""}).run(t, "doctor").code)
}

// A pooler answers for a server process and tells the client a number of its own.
func Test_Doctor_notices_what_stands_between(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	address, err := url.Parse(d.env["DATABASE_URL"])
	require.NoError(t, err)
	query := address.Query()
	socket := filepath.Join(query.Get("host"), ".s.PGSQL."+query.Get("port"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go renumbering(listener, socket)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	query.Set("host", host)
	query.Set("port", port)
	address.RawQuery = query.Encode()
	conn, err := pgx.Connect(t.Context(), address.String())
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	require.Equal(t, doctor.Warning, d.with(map[string]string{"DATABASE_URL": address.String()}).examined(t)["database pooler"].Level)
}

// renumbering passes on what comes, with another process's number in the server's
// BackendKeyData.
func renumbering(listener net.Listener, socket string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", socket)
		if err != nil {
			_ = client.Close()
			return
		}
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		go func() {
			defer client.Close()
			for {
				head := make([]byte, 5) // type, length
				if _, err := io.ReadFull(server, head); err != nil {
					return
				}
				body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
				if _, err := io.ReadFull(server, body); err != nil {
					return
				}
				if head[0] == 'K' {
					binary.BigEndian.PutUint32(body, binary.BigEndian.Uint32(body)+1)
				}
				if _, err := client.Write(append(head, body...)); err != nil {
					return
				}
			}
		}()
	}
}
