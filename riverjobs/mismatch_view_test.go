package riverjobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Test_Mismatch_view breaks each side by hand, with the triggers off, and asks
// the view for its name: a view that never has a row proves nothing.
func Test_Mismatch_view(t *testing.T) {
	t.Parallel()
	const (
		noJob     = "the run waits for a job that does not exist"
		ended     = "the run waits for a job that is finished"
		stage     = "the job is of another stage than the run"
		anothers  = "the job is another run's"
		status    = "the run's status is not what its job's state means"
		noRun     = "the job's run does not exist"
		notWaited = "the job waits, but its run does not wait for it"
	)
	for name, c := range map[string]struct {
		statement string // $1 is the run
		problem   string
	}{
		"Job_deleted":           {`DELETE FROM river.river_job WHERE args ->> 'run_id' = $1::text`, noJob},
		"Job_cancelled":         {`UPDATE river.river_job SET state = 'cancelled', finalized_at = now() WHERE args ->> 'run_id' = $1::text`, ended},
		"Job_completed":         {`UPDATE river.river_job SET state = 'completed', finalized_at = now() WHERE args ->> 'run_id' = $1::text`, ended},
		"Job_discarded":         {`UPDATE river.river_job SET state = 'discarded', finalized_at = now() WHERE args ->> 'run_id' = $1::text`, ended},
		"Job_of_another_kind":   {`UPDATE river.river_job SET kind = 'push_sync_state' WHERE args ->> 'run_id' = $1::text`, stage},
		"Job_not_of_ours":       {`UPDATE river.river_job SET kind = 'something' WHERE args ->> 'run_id' = $1::text`, stage},
		"Run_at_another_stage":  {`UPDATE sync_runs SET stage = 'post' WHERE id = $1::uuid`, stage},
		"Job_of_another_run":    {`UPDATE river.river_job SET args = '{"run_id": "00000000-0000-4000-8000-000000000000"}' WHERE args ->> 'run_id' = $1::text`, anothers},
		"Job_of_no_run":         {`INSERT INTO river.river_job (kind, args, max_attempts) VALUES ('fetch_canonical', '{"run_id": "00000000-0000-4000-8000-000000000000"}', 1) RETURNING $1::text`, noRun},
		"Job_with_garbled_args": {`INSERT INTO river.river_job (kind, args, max_attempts) VALUES ('fetch_canonical', '{"run_id": 5}', 1) RETURNING $1::text`, noRun},
		"Job_running":           {`UPDATE river.river_job SET state = 'running', attempt = 1 WHERE args ->> 'run_id' = $1::text`, status},
		"Run_running":           {`UPDATE sync_runs SET status = 'running' WHERE id = $1::uuid`, status},
		"Held_run_with_a_running_job": {`WITH held AS (UPDATE sync_runs SET status = 'held', hold_reason = 'x' WHERE id = $1::uuid RETURNING id)
			UPDATE river.river_job SET state = 'running' FROM held WHERE args ->> 'run_id' = held.id::text`, status},
		"Run_ended_but_its_job_goes_on": {`UPDATE sync_runs SET status = 'failed', stage = 'done', river_job_id = NULL, shop_told = 'told', finished_at = now() WHERE id = $1::uuid`, notWaited},
		"Second_job_of_the_run":         {`SELECT towpath_insert_push($1::uuid)`, notWaited},
	} {
		t.Run(name+"_is_seen", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, id := b.raise(t, "plain_vat")
			b.noMismatch(t)
			b.exec(t, "ALTER TABLE river.river_job DISABLE TRIGGER ALL")
			b.exec(t, c.statement, id.String())
			rows, err := dbsqlc.New().RunQueueMismatchList(t.Context(), b.pool)
			require.NoError(t, err)
			var problems []string
			for _, row := range rows {
				problems = append(problems, row.Problem)
			}
			require.Contains(t, problems, c.problem)
		})
	}

	t.Run("Missing_trigger_is_seen_by_an_ordinary_run", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.exec(t, "ALTER TABLE river.river_job DISABLE TRIGGER towpath_follow_job")
		_, id := b.raise(t, "plain_vat")
		require.NoError(t, b.op.Cancel(t.Context(), id))
		require.Equal(t, syncrun.Queued, b.run(t, id).Status)
		rows, err := dbsqlc.New().RunQueueMismatchList(t.Context(), b.pool)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, ended, rows[0].Problem)
		require.Equal(t, id.String(), rows[0].RunID)
	})
}
