package riverjobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/recorder"
	"towpath/pkg/syncrun"
)

// commitTimeout bounds a transaction that records an outcome. It runs even while
// the job's own context is being cancelled: what is known must be on record.
const commitTimeout = 15 * time.Second

// change is the end of one attempt: its job is completed, its run changed in one of
// these ways or in none, and its next job inserted, where there is one.
type change struct {
	job     int64
	attempt int
	next    *nextJob
	decided *syncrun.Decided // T2
	posted  *syncrun.Posted  // T4
	failed  *syncrun.Ended
	told    *syncrun.Told // T5
}

// end records a change with all that other jobs of this process end at the moment.
// errTakenOver, where the job is not this attempt's any more, and every other error
// mean that nothing of the change is stored, but for recorder.ErrUnknown: then the
// next attempt finds what there is.
func (p *pipeline) end(ctx context.Context, h hand, c change) error {
	c.job, c.attempt = h.job.id(), h.job.attempt()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*commitTimeout)
	defer cancel()
	_, err := p.ends.Record(ctx, c)
	return err
}

// ends is the recorder of a worker process.
type ends = recorder.Recorder[change, struct{}]

func newEnds(pool *pgxpool.Pool, who string) *ends {
	w := endWriter{who: who, queries: dbsqlc.New()}
	return recorder.New(recorder.Config[change, struct{}]{Pool: pool, Write: w.write, Timeout: commitTimeout})
}

// endWriter writes sets of changes.
type endWriter struct {
	who     string
	queries *dbsqlc.Queries
}

// write completes the jobs before anything else: job before run is the order of
// locks everywhere, and of a job that was rescued, cancelled or retried meanwhile
// nothing may be written. If the process stops before the commit, none of it
// happened, and all these jobs are a dead process's.
func (w endWriter) write(ctx context.Context, tx pgx.Tx, set []change) ([]recorder.Answer[struct{}], error) {
	mine, err := w.complete(ctx, tx, set)
	if err != nil {
		return nil, err
	}
	answers := make([]recorder.Answer[struct{}], len(set))
	var left []change
	for i, c := range set {
		if mine[c.job] {
			left = append(left, c)
			continue
		}
		answers[i].Err = fmt.Errorf("complete job %d: %w", c.job, errTakenOver)
	}
	next, err := w.insertNext(ctx, tx, left)
	if err != nil {
		return nil, err
	}
	return answers, w.apply(ctx, tx, left, next)
}

// complete marks the jobs as completed and answers which of them were still these
// attempts'.
func (w endWriter) complete(ctx context.Context, tx pgx.Tx, set []change) (map[int64]bool, error) {
	var rows dbsqlc.QueueCompleteManyParams
	for _, c := range set {
		rows.Ids, rows.Attempts = append(rows.Ids, c.job), append(rows.Attempts, int32(c.attempt))
	}
	ids, err := w.queries.QueueCompleteMany(ctx, tx, rows)
	if err != nil {
		return nil, fmt.Errorf("complete %d jobs: %w", len(set), err)
	}
	mine := make(map[int64]bool, len(ids))
	for _, id := range ids {
		mine[id] = true
	}
	return mine, nil
}

// insertNext inserts the next jobs and answers their ids, by the job before.
func (w endWriter) insertNext(ctx context.Context, tx pgx.Tx, set []change) (map[int64]int64, error) {
	var jobs []nextJob
	var before []int64
	for _, c := range set {
		if c.next != nil {
			jobs, before = append(jobs, *c.next), append(before, c.job)
		}
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	ids, err := insertJobs(ctx, tx, jobs)
	if err != nil {
		return nil, err
	}
	next := make(map[int64]int64, len(ids))
	for i, id := range ids {
		next[before[i]] = id
	}
	return next, nil
}

// apply changes the runs, a statement for each way.
func (w endWriter) apply(ctx context.Context, tx pgx.Tx, set []change, next map[int64]int64) error {
	var decided []syncrun.Decided
	var posted []syncrun.Posted
	var failed []syncrun.Ended
	var told []syncrun.Told
	for _, c := range set {
		switch {
		case c.decided != nil:
			d := *c.decided
			d.JobID, d.NextJobID = c.job, next[c.job]
			decided = append(decided, d)
		case c.posted != nil:
			p := *c.posted
			p.JobID, p.NextJobID = c.job, next[c.job]
			posted = append(posted, p)
		case c.failed != nil:
			f := *c.failed
			f.JobID, f.NextJobID = c.job, next[c.job]
			failed = append(failed, f)
		case c.told != nil:
			t := *c.told
			t.JobID, t.Attempt = c.job, c.attempt
			told = append(told, t)
		}
	}
	return syncrun.Apply(ctx, tx, w.who, syncrun.Changes{Decided: decided, Posted: posted, Failed: failed, Told: told})
}

// intents is the recorder of what is about to be written.
type intents = recorder.Recorder[syncrun.Intent, syncrun.Taken]

// newIntents records them together: T3 of a set is one commit. Each is judged by
// itself; where the database finds two at one object, each is tried alone.
func newIntents(pool *pgxpool.Pool) *intents {
	return recorder.New(recorder.Config[syncrun.Intent, syncrun.Taken]{Pool: pool, Timeout: commitTimeout,
		Write: func(ctx context.Context, tx pgx.Tx, set []syncrun.Intent) ([]recorder.Answer[syncrun.Taken], error) {
			judged, err := syncrun.Intend(ctx, tx, set)
			answers := make([]recorder.Answer[syncrun.Taken], len(judged))
			for i, j := range judged {
				answers[i] = recorder.Answer[syncrun.Taken]{Value: j.Taken, Err: j.Refused}
			}
			return answers, err
		}})
}
