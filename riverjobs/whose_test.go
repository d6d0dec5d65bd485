package riverjobs_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Test_Whose_a_document_is_that_bears_a_runs_number: of two shops on one organisation.
// Each case is a transaction of its own, rolled back.
func Test_Whose_a_document_is_that_bears_a_runs_number(t *testing.T) {
	t.Parallel()
	b := setup(t)
	neighbour := b.neighbour(t)
	b.exec(t, "UPDATE bindings SET org_id = $1", orgID)
	_, mine := b.raise(t, "plain_vat")
	_, theirs := neighbour.raise(t, "plain_vat")

	const tried = `INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, certain, maybe, made_at)
		SELECT id, 'invoice', '100', binding_id, '', $2, $3, now() + make_interval(secs => $4) FROM sync_runs WHERE id = $1`
	type intent struct {
		certain, maybe bool
		at             int // in seconds, which of two came first
	}
	unknown := uuid.New()
	for name, c := range map[string]struct {
		mine, theirs *intent
		succeeded    bool // theirs
		names        *uuid.UUID
		what         string // "" = nobody's but the run's own
		maybe        bool
	}{
		"Nobodys_where_nobody_has_tried":            {},
		"Theirs_who_tried_and_know_no_outcome":      {theirs: &intent{}, what: "run " + theirs.String()},
		"Not_theirs_who_were_told_nothing_was_made": {theirs: &intent{certain: true}},
		"Not_theirs_whose_document_is_another":      {theirs: &intent{}, succeeded: true},
		"Theirs_who_may_have_written_it_first":      {mine: &intent{maybe: true, at: 1}, theirs: &intent{}, what: "run " + theirs.String(), maybe: true},
		"Ours_who_may_have_written_it_first":        {mine: &intent{maybe: true}, theirs: &intent{at: 1}},
		"Theirs_though_later_where_ours_was_never_sent": {
			mine: &intent{}, theirs: &intent{at: 1}, what: "run " + theirs.String()},
		"Theirs_whom_it_names":                    {mine: &intent{maybe: true}, names: &theirs, what: "run " + theirs.String()},
		"Ours_whom_it_names":                      {mine: &intent{}, theirs: &intent{}, names: &mine},
		"Anybodys_where_the_run_it_names_is_lost": {names: &unknown, what: "binding " + neighbour.binding.String()},
	} {
		t.Run(name, func(t *testing.T) { // not parallel: one number, one transaction after the other
			tx := b.begin(t)
			defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
			for run, i := range map[uuid.UUID]*intent{mine: c.mine, theirs: c.theirs} {
				if i != nil {
					_, err := tx.Exec(t.Context(), tried, run, i.certain, i.maybe, i.at)
					require.NoError(t, err)
				}
			}
			if c.succeeded {
				_, err := tx.Exec(t.Context(), "UPDATE sync_runs SET status = 'succeeded', stage = 'push', finished_at = now(), shop_told = 'pending' WHERE id = $1", theirs)
				require.NoError(t, err)
			}
			rows, err := dbsqlc.New().EntityXrefWhose(t.Context(), tx, dbsqlc.EntityXrefWhoseParams{RunID: mine, Operation: "invoice", Number: "100", SourceRun: c.names})
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rows)
				return
			}
			require.Equal(t, []dbsqlc.EntityXrefWhoseRow{{Tenant: "Other shop", What: c.what, Maybe: c.maybe}}, rows)
		})
	}
}

// A disputed link is to a document that another shop's run has, too: nothing goes by it.
func Test_Disputed_link(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.work(t)
	inv, id := b.raise(t, "plain_vat")
	posted := b.until(t, id, toldAs(syncrun.Succeeded))
	b.exec(t, "UPDATE entity_xref SET disputed = true WHERE entity_type = 'invoice'")
	before := b.xero.AllCalls()

	// It is nobody's property.
	var owners []string
	for _, disputed := range []bool{true, false} {
		tx := b.begin(t)
		again := b.acceptIn(t, tx, now, "invoice.created", inv.ID)[0]
		_, err := tx.Exec(t.Context(), "UPDATE entity_xref SET disputed = $1 WHERE entity_type = 'invoice'", disputed)
		require.NoError(t, err)
		rows, err := dbsqlc.New().EntityXrefOwner(t.Context(), tx, dbsqlc.EntityXrefOwnerParams{RunID: again, EntityType: "invoice", ProviderID: *posted.ProviderEntityID})
		require.NoError(t, err)
		for _, row := range rows {
			owners = append(owners, row.RunID.String())
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
	require.Equal(t, []string{id.String()}, owners)

	// The next event asks the ledger, and what that says replaces it.
	second := b.accept(t, "invoice.created", inv.ID)
	b.until(t, second, toldAs(syncrun.Succeeded))
	require.NotEqual(t, before, b.xero.AllCalls(), "the ledger was asked")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM entity_xref WHERE entity_type = 'invoice' AND NOT disputed AND run_id = $1", second))
	require.Len(t, b.xero.Invoices(), 1)
}

// Test_Two_runs_are_never_at_one_object_at_once: the look before an intent does not see
// what another transaction has not committed yet; the table itself must refuse the second.
func Test_Two_runs_are_never_at_one_object_at_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, first := b.raise(t, "plain_vat")
	_, second := b.raise(t, "plain_vat")
	const intend = "INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, settled_at) SELECT id, 'contact', 'shop:1042', binding_id, '', $2 FROM sync_runs WHERE id = $1"
	b.exec(t, intend, first, nil)
	_, err := b.pool.Exec(t.Context(), intend, second, nil)
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "provider_intents_open", refused.ConstraintName)
	b.exec(t, "UPDATE provider_intents SET settled_at = now() WHERE run_id = $1", first)
	b.exec(t, intend, second, nil) // the first one has its answer
}
