package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/puddle/v2"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"towpath/pkg/dbsqlc"
)

// work is one attempt's view of its run.
type work struct {
	dbsqlc.SyncRunWorkRow
	stage string
	// others: at stage push, there are other runs about the same document.
	others bool
}

// hand is a run that this process is at: the run and the job that says so.
type hand struct {
	work
	job heldJob
}

// heldJob is a job in this process's hands: one that River gave to a worker, or
// one that a batch took besides (takenJob).
type heldJob interface {
	id() int64
	attempt() int
	metadata() []byte // as it was when the attempt began
	// putBack ends the attempt without completing the job; what it returns is the
	// worker's answer to River.
	putBack(ctx context.Context, v verdict, cause error) error
}

// errTakenOver means that the job is no longer this attempt's: it was rescued,
// cancelled or retried meanwhile. Nothing of this attempt may be committed.
var errTakenOver = errors.New("the job was taken over")

// riverJob is a job that River gave to a worker.
type riverJob[A river.JobArgs] struct{ *river.Job[A] }

func (j riverJob[A]) id() int64        { return j.ID }
func (j riverJob[A]) attempt() int     { return j.Attempt }
func (j riverJob[A]) metadata() []byte { return j.Metadata }

// putBack leaves the writing to River: it stores the report with the job's change
// of state.
func (j riverJob[A]) putBack(ctx context.Context, v verdict, cause error) error {
	if err := river.MetadataSet(ctx, reportKey, v.report); err != nil {
		return errors.Join(cause, err)
	}
	if v.snooze > 0 {
		return river.JobSnooze(v.snooze)
	}
	return attemptError{text: storable(cause.Error()), cause: cause}
}

// takenJob is a job that waited for its turn and was taken into a batch. River
// knows that it is running and not that it is worked here: nobody but this
// process writes its end, so there is no late write to fear. If the process dies,
// the job is given back like the others of a dead process.
type takenJob struct {
	dbsqlc.QueueTakeRow
	p *pipeline
}

func (j takenJob) id() int64        { return j.ID }
func (j takenJob) attempt() int     { return int(j.Attempt) }
func (j takenJob) metadata() []byte { return j.Metadata }

// checked turns "no row" into errTakenOver.
func (j takenJob) checked(verb string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s job %d: %w", verb, j.ID, errTakenOver)
	}
	if err != nil {
		return fmt.Errorf("%s job %d: %w", verb, j.ID, err)
	}
	return nil
}

// shortWait is what River's scheduler, which looks every five seconds, would miss:
// for so long a job waits for its turn instead.
const shortWait = 5 * time.Second

// putBack does by hand what River does with an answer: retryable with the error,
// scheduled for a later look, or waiting for its turn again. Even while the
// process is stopping: else the job would wait for its death.
func (j takenJob) putBack(ctx context.Context, v verdict, cause error) error {
	said, err := json.Marshal(map[string]report{reportKey: v.report})
	if err != nil {
		return errors.Join(cause, err)
	}
	back := dbsqlc.QueuePutBackParams{ID: j.ID, Attempt: j.Attempt, Report: said, State: string(rivertype.JobStateRetryable)}
	wait := jittered(delay(orDefault(j.p.FirstDelay, time.Second), int(j.Attempt)))
	switch {
	case v.snooze == 0:
		back.Error = storable(cause.Error())
		if wait <= shortWait {
			back.State = string(rivertype.JobStatePending)
		}
	case v.report.Outcome == outcomeHeld, v.report.Parked:
		back.State, back.Waits, wait = string(rivertype.JobStateScheduled), true, v.snooze
	default:
		back.State, back.Waits, wait = string(rivertype.JobStatePending), true, v.snooze
	}
	back.Seconds = wait.Seconds()
	err = j.write(ctx, back)
	if err != nil && !errors.Is(err, errTakenOver) {
		go j.writeLater(back)
	}
	return err
}

func (j takenJob) write(ctx context.Context, back dbsqlc.QueuePutBackParams) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	_, err := j.p.queries.QueuePutBack(ctx, j.p.Pool, back)
	return j.checked("put back", err)
}

// writeLater tries until the database is there again, as River does for its own:
// this process lives, so nobody else gives the job back before rescueAfter. If the
// process dies meanwhile, the job is a dead process's.
func (j takenJob) writeLater(back dbsqlc.QueuePutBackParams) {
	for range time.NewTicker(time.Second).C {
		err := j.write(context.Background(), back)
		if err == nil || errors.Is(err, errTakenOver) || errors.Is(err, puddle.ErrClosedPool) {
			return
		}
	}
}
