package riverjobs_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/riverjobs"
)

// Jobs are inserted in SQL, with what else their transaction writes; River must find
// what its own client would have put there.
func Test_Jobs_inserted_in_SQL_are_those_that_River_would_insert(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, run := b.raise(t, "plain_vat")
	args := riverjobs.RunArgs{RunID: run, Share: uuid.New()}
	for name, job := range map[string]river.JobArgs{
		"fetch_canonical":  riverjobs.FetchCanonicalArgs{RunArgs: args},
		"post_invoice":     riverjobs.PostInvoiceArgs{RunArgs: args},
		"post_payment":     riverjobs.PostPaymentArgs{RunArgs: args},
		"post_credit_note": riverjobs.PostCreditNoteArgs{RunArgs: args},
		"upsert_contact":   riverjobs.UpsertContactArgs{RunArgs: args},
		"upsert_item":      riverjobs.UpsertItemArgs{RunArgs: args},
		"push_sync_state":  riverjobs.PushSyncStateArgs{RunArgs: args},
	} {
		require.Contains(t, riverjobs.Stages(), name)
		for backfill, priority := range map[bool]int{false: 1, true: 2} {
			tx := b.begin(t)
			ids, err := dbsqlc.New().QueueInsertMany(t.Context(), tx, dbsqlc.QueueInsertManyParams{
				Kind: name, Runs: []uuid.UUID{run}, Shares: []uuid.UUID{args.Share}, Priorities: []int32{int32(priority)}, After: []float64{0},
			})
			require.NoError(t, err)
			inGo, err := b.insert.InsertTx(t.Context(), tx, job, &river.InsertOpts{Priority: priority})
			require.NoError(t, err)
			inSQL, err := b.insert.JobGetTx(t.Context(), tx, ids[0])
			require.NoError(t, err)
			equalJobs(t, inGo.Job, inSQL)
			require.Equal(t, backfill, inSQL.Priority > 1)
			require.NoError(t, tx.Rollback(t.Context()), "it holds the share")
		}
	}

	t.Run("And_so_is_the_one_that_tells_the_shop_of_an_end_in_SQL", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, run := b.raise(t, "plain_vat")
		tx := b.begin(t)
		var id int64
		require.NoError(t, tx.QueryRow(t.Context(), "SELECT towpath_insert_push($1)", run).Scan(&id))
		inGo, err := b.insert.InsertTx(t.Context(), tx, riverjobs.PushSyncStateArgs{RunArgs: riverjobs.RunArgs{RunID: run, Share: b.tenant.ID}}, nil)
		require.NoError(t, err)
		inSQL, err := b.insert.JobGetTx(t.Context(), tx, id)
		require.NoError(t, err)
		equalJobs(t, inGo.Job, inSQL)
	})
}

func equalJobs(t *testing.T, inGo, inSQL *rivertype.JobRow) {
	t.Helper()
	want := *inGo
	require.WithinDuration(t, want.ScheduledAt, inSQL.ScheduledAt, time.Minute)
	require.JSONEq(t, string(want.EncodedArgs), string(inSQL.EncodedArgs))
	want.ID, want.CreatedAt, want.ScheduledAt, want.EncodedArgs = inSQL.ID, inSQL.CreatedAt, inSQL.ScheduledAt, inSQL.EncodedArgs
	require.Equal(t, want, *inSQL)
}

// The sixth of a share waits from the start, and what settles first waits whoever has room.
func Test_A_set_is_inserted_as_far_as_there_is_room(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, other := uuid.New(), uuid.New()
	var set dbsqlc.QueueInsertManyParams
	set.Kind = "fetch_canonical"
	add := func(share uuid.UUID, after float64) {
		set.Runs, set.Shares = append(set.Runs, uuid.New()), append(set.Shares, share)
		set.Priorities, set.After = append(set.Priorities, 1), append(set.After, after)
	}
	for range 6 {
		add(one, 0)
	}
	add(other, 60)
	add(other, 0)
	tx := b.begin(t)
	ids, err := dbsqlc.New().QueueInsertMany(t.Context(), tx, set)
	require.NoError(t, err)
	require.Len(t, ids, len(set.Runs))
	var states []rivertype.JobState
	for i, id := range ids {
		job, err := b.insert.JobGetTx(t.Context(), tx, id)
		require.NoError(t, err)
		require.Contains(t, string(job.EncodedArgs), set.Runs[i].String(), "ids are in the order of the runs")
		states = append(states, job.State)
		require.Equal(t, set.After[i] > 0, time.Until(job.ScheduledAt) > 30*time.Second)
	}
	const in, waits = rivertype.JobStateAvailable, rivertype.JobStatePending
	require.Equal(t, []rivertype.JobState{in, in, in, in, in, waits, waits, in}, states)
	full, err := dbsqlc.New().QueueInsertMany(t.Context(), tx, dbsqlc.QueueInsertManyParams{
		Kind: set.Kind, Runs: []uuid.UUID{uuid.New()}, Shares: []uuid.UUID{one}, Priorities: []int32{1}, After: []float64{0},
	})
	require.NoError(t, err)
	job, err := b.insert.JobGetTx(t.Context(), tx, full[0])
	require.NoError(t, err)
	require.Equal(t, waits, job.State)
}
