package syncrun

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/mistake"
)

// Operations that an intent can stand for.
const (
	WriteContact       = "contact"
	WriteInvoice       = "invoice"
	WritePayment       = "payment"
	WriteCreditMemo    = "creditmemo"
	WriteAllocation    = "allocation"
	WriteRefund        = "refund"
	WriteContactUpdate = "contact_update"
	WriteItem          = "item"
)

// Intent is a write at the provider that is about to be made, by an attempt of a job.
type Intent struct {
	JobID     int64
	Attempt   int
	RunID     uuid.UUID
	BindingID uuid.UUID
	Operation string
	ObjectKey string // the contact's key or the invoice's number
	BodyHash  string // of the body, so that the idempotency key changes with it
	Who       string // for the run's history
}

// Taken is an intent on record.
type Taken struct {
	Intent
	Generation int32
	// Try counts the run's tries of this write, from 1.
	Try int32
	// Uncertain: this or another run has tried before, or one that a restore of the
	// database has forgotten, so the object may exist.
	Uncertain bool
	// Maybe: an earlier try of this run may have written it.
	Maybe bool
	// Shared: other shops write to the organisation too.
	Shared bool
}

// ErrBusy means that another run is writing the same object.
var ErrBusy = errors.New("another run is at the same document")

// Ahead means that other runs of the lane come first.
type Ahead struct {
	Held   bool // one of them is held
	Failed bool // it is the invoice, which failed: what follows it waits until it is there
	// Unknown says what is to be done about an invoice that has not come at all.
	Unknown string
}

func (a *Ahead) Error() string { return "an earlier run of the same document comes first" }

// Behind are those of the runs that others of their lanes come before. They wait without
// looking again: the end of those lets them go on.
func Behind(ctx context.Context, db dbsqlc.DBTX, runs []uuid.UUID) (map[uuid.UUID]*Ahead, error) {
	if mistake.Made(mistake.NoLane) {
		return nil, nil
	}
	rows, err := queries.SyncRunAhead(ctx, db, runs)
	if err != nil {
		return nil, fmt.Errorf("take lanes of %d runs: %w", len(runs), err)
	}
	behind := make(map[uuid.UUID]*Ahead, len(rows))
	for _, row := range rows {
		behind[row.RunID] = &Ahead{Held: row.Held > 0, Failed: row.Failed > 0}
	}
	return behind, nil
}

// Judged is what became of an intent.
type Judged struct {
	Taken
	// Refused is ErrNotMine where the job is no longer this attempt's, an Ahead where an
	// earlier run of the lane comes first, ErrBusy where another run writes the same
	// object. Nothing of it is stored then.
	Refused error
}

// Intend is T3 for a set: it takes the lanes for the jobs' runs and records the intents,
// each judged by itself. On an error, ErrBusy where another transaction was at one of
// the objects, nothing may be committed.
//
// Once it is committed, "the object may exist" is on record: if the process
// dies after the call, the next attempt sees the intent and looks first.
func Intend(ctx context.Context, tx pgx.Tx, set []Intent) ([]Judged, error) {
	judged := make([]Judged, len(set))
	mine, err := jobsAreMine(ctx, tx, set)
	if err != nil {
		return nil, err
	}
	runs := make([]uuid.UUID, len(set))
	for i, in := range set {
		runs[i] = in.RunID
	}
	behind, err := Behind(ctx, tx, runs)
	if err != nil {
		return nil, err
	}
	var asked []int
	for i, in := range set {
		switch ahead := behind[in.RunID]; {
		case !mine[in.JobID]:
			judged[i].Refused = ErrNotMine
		case ahead != nil:
			judged[i].Refused = ahead
		default:
			asked = append(asked, i)
		}
	}
	return judged, take(ctx, tx, set, asked, judged)
}

// jobsAreMine are the jobs that are still these attempts', until the transaction ends.
func jobsAreMine(ctx context.Context, tx pgx.Tx, set []Intent) (map[int64]bool, error) {
	var asked dbsqlc.SyncRunJobsAreMineParams
	for _, in := range set {
		asked.JobIds, asked.Attempts = append(asked.JobIds, in.JobID), append(asked.Attempts, int32(in.Attempt))
	}
	ids, err := queries.SyncRunJobsAreMine(ctx, tx, asked)
	if err != nil {
		return nil, fmt.Errorf("check %d jobs: %w", len(set), err)
	}
	mine := make(map[int64]bool, len(ids))
	for _, id := range ids {
		mine[id] = true
	}
	return mine, nil
}

// take records the intents at these places, and notes them in the runs' histories.
func take(ctx context.Context, tx pgx.Tx, set []Intent, places []int, judged []Judged) error {
	if len(places) == 0 {
		return nil
	}
	rows := make([]dbsqlc.ProviderIntentTakeParams, len(places))
	for n, i := range places {
		rows[n] = dbsqlc.ProviderIntentTakeParams{
			RunID: set[i].RunID, BindingID: set[i].BindingID, Operation: set[i].Operation, ObjectKey: set[i].ObjectKey, BodyHash: set[i].BodyHash,
		}
	}
	var failed error
	var notes dbsqlc.SyncRunEventInsertIntentsParams
	queries.ProviderIntentTake(ctx, tx, rows).QueryRow(func(n int, row dbsqlc.ProviderIntentTakeRow, err error) {
		in, to := set[places[n]], &judged[places[n]]
		switch {
		case failed != nil: // the first says why; the transaction is lost
		case errors.Is(err, pgx.ErrNoRows):
			to.Refused = ErrBusy
		case isUniqueViolation(err):
			failed = fmt.Errorf("%w: %w", ErrBusy, err)
		case err != nil:
			failed = fmt.Errorf("record intent %s %q: %w", in.Operation, in.ObjectKey, err)
		default:
			to.Taken = Taken{
				Intent: in, Generation: row.Generation, Try: row.Tries,
				Uncertain: row.Tries > 1 || row.TriedByOthers || row.Forgotten, Maybe: row.Maybe, Shared: row.Shared,
			}
			notes.RunIds, notes.Attempts = append(notes.RunIds, in.RunID), append(notes.Attempts, int32(in.Attempt))
			notes.Whos, notes.Whys = append(notes.Whos, in.Who), append(notes.Whys, to.Taken.why())
		}
	})
	if failed != nil || len(notes.RunIds) == 0 {
		return failed
	}
	if err := queries.SyncRunEventInsertIntents(ctx, tx, notes); err != nil {
		return fmt.Errorf("note %d intents: %w", len(notes.RunIds), err)
	}
	return nil
}

// why is the intent in the run's history.
func (t Taken) why() string {
	why := fmt.Sprintf("about to write %s %s", t.Operation, t.ObjectKey)
	if t.Uncertain {
		why += ", which may exist already: it is looked up first"
	}
	return why
}

// Key is the idempotency key of the write: the same for the same body of the
// same run until the provider remembers an answer under it, 64 hex characters.
func (t Taken) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s/%s/%d", t.RunID, t.Operation, t.ObjectKey, t.BodyHash, t.Generation))
	return hex.EncodeToString(sum[:])
}

// Left is what a try that did not succeed has left.
type Left struct {
	Settled  bool // it is not under way any more; others may be at the object, and look first
	Certain  bool // nothing was written, by this try or an earlier one
	KeySpent bool // the provider remembers its answer under the key
}

// Failed records what a try has left that did not succeed. If this is lost, the write
// counts as one that may have taken effect, and the next try meets a remembered answer
// once more and comes here again. A run that is held must not keep every other run of its
// customer waiting, so a settled write lets others go on; but only a certain one lets
// the document take another number. Nothing is recorded where another try has followed,
// and nothing is opened again that the run's end has settled.
func (t Taken) Failed(ctx context.Context, db dbsqlc.DBTX, left Left) error {
	err := queries.ProviderIntentFailed(ctx, db, dbsqlc.ProviderIntentFailedParams{
		RunID: t.RunID, Operation: t.Operation, ObjectKey: t.ObjectKey, Tries: t.Try,
		Settled: left.Settled, Certain: left.Certain, KeySpent: left.KeySpent,
	})
	if err != nil {
		return fmt.Errorf("note what %s %q has left: %w", t.Operation, t.ObjectKey, err)
	}
	return nil
}

// Made is what a write has made that is not the last of its run.
type Made struct {
	Xref  *Xref  // nil where nothing new is to be remembered
	Found *Found // nil: the run made it, or it names the run
	Notes []string
	// Rewritten: where the xref is there already, it says from now on what was written.
	Rewritten bool
}

// Record stores what a write has made and settles its intent, so that the run's next
// attempt, and the next run of the same customer, need no call for it. Notes go into
// the run's history. If the process dies before the commit, the next attempt finds the
// intent and looks the object up.
func Record(ctx context.Context, tx pgx.Tx, taken Taken, made Made) error {
	if err := made.remember(ctx, tx, taken.RunID); err != nil {
		return err
	}
	status := Running
	for _, note := range made.Notes {
		err := queries.SyncRunEventInsert(ctx, tx, dbsqlc.SyncRunEventInsertParams{
			RunID: taken.RunID, Step: "post", FromStatus: &status, ToStatus: Running, Who: &taken.Who, Why: note,
		})
		if err != nil {
			return fmt.Errorf("note %s %q: %w", taken.Operation, taken.ObjectKey, err)
		}
	}
	err := queries.ProviderIntentSettle(ctx, tx, dbsqlc.ProviderIntentSettleParams{
		RunID: taken.RunID, Operation: taken.Operation, ObjectKey: taken.ObjectKey,
	})
	if err != nil {
		return fmt.Errorf("settle intent %s %q: %w", taken.Operation, taken.ObjectKey, err)
	}
	return nil
}

func (m Made) remember(ctx context.Context, tx pgx.Tx, runID uuid.UUID) error {
	if !m.Rewritten || m.Xref.ProviderID != "" {
		if err := remember(ctx, tx, runID, m.Xref, m.Found); err != nil || !m.Rewritten {
			return err
		}
	}
	err := queries.EntityXrefWritten(ctx, tx, dbsqlc.EntityXrefWrittenParams{
		RunID: runID, EntityType: m.Xref.EntityType, ShopID: m.Xref.ShopID, BodyHash: m.Xref.BodyHash,
	})
	if err != nil {
		return fmt.Errorf("note what %s %q was written as: %w", m.Xref.EntityType, m.Xref.ShopID, err)
	}
	return nil
}

func isUniqueViolation(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}
