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

// Intent is a write at the provider that is about to be made.
type Intent struct {
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
	// Uncertain: this or another run has tried before, so the object may exist.
	Uncertain bool
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

// First answers an Ahead where other runs of the lane come before this one. It waits
// without looking again: their end lets it go on.
func First(ctx context.Context, db dbsqlc.DBTX, runID uuid.UUID) error {
	ahead, err := queries.SyncRunAhead(ctx, db, runID)
	if err != nil {
		return fmt.Errorf("take lane of run %s: %w", runID, err)
	}
	if ahead.Live+ahead.Failed > 0 {
		return &Ahead{Held: ahead.Held > 0, Failed: ahead.Failed > 0}
	}
	return nil
}

// LeftNothing reports whether Intend judged a run and left nothing in the transaction,
// which may go on with others.
func LeftNothing(err error) bool {
	var ahead *Ahead
	return errors.Is(err, ErrNotMine) || errors.As(err, &ahead) || errors.Is(err, ErrBusy) && !isUniqueViolation(err)
}

// Intend is T3: it takes the lane for the job's run and records the intent. It
// answers ErrNotMine if the job is no longer this attempt's, an Ahead if an earlier run
// of the lane comes first, and ErrBusy if another run writes the same object.
//
// Once it is committed, "the object may exist" is on record: if the process
// dies after the call, the next attempt sees the intent and looks first.
func Intend(ctx context.Context, tx pgx.Tx, jobID int64, attempt int, intent Intent) (Taken, error) {
	_, err := queries.SyncRunJobIsMine(ctx, tx, dbsqlc.SyncRunJobIsMineParams{JobID: jobID, Attempt: int16(attempt)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Taken{}, ErrNotMine
	}
	if err != nil {
		return Taken{}, fmt.Errorf("check job %d: %w", jobID, err)
	}
	if err := First(ctx, tx, intent.RunID); err != nil {
		return Taken{}, err
	}
	row, err := queries.ProviderIntentTake(ctx, tx, dbsqlc.ProviderIntentTakeParams{
		RunID: intent.RunID, BindingID: intent.BindingID, Operation: intent.Operation,
		ObjectKey: intent.ObjectKey, BodyHash: intent.BodyHash,
	})
	if isUniqueViolation(err) {
		return Taken{}, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return Taken{}, ErrBusy
	}
	if err != nil {
		return Taken{}, fmt.Errorf("record intent %s %q: %w", intent.Operation, intent.ObjectKey, err)
	}
	taken := Taken{Intent: intent, Generation: row.Generation, Uncertain: row.Tries > 1 || row.TriedByOthers, Shared: row.Shared}
	return taken, taken.note(ctx, tx, attempt)
}

// note puts the intent into the run's history.
func (t Taken) note(ctx context.Context, tx pgx.Tx, attempt int) error {
	why := fmt.Sprintf("about to write %s %s", t.Operation, t.ObjectKey)
	if t.Uncertain {
		why += ", which may exist already: it is looked up first"
	}
	status := Running
	err := queries.SyncRunEventInsert(ctx, tx, dbsqlc.SyncRunEventInsertParams{
		RunID: t.RunID, Step: "intend", FromStatus: &status, ToStatus: Running, Attempt: int32(attempt), Who: &t.Who, Why: why,
	})
	if err != nil {
		return fmt.Errorf("note intent %s %q: %w", t.Operation, t.ObjectKey, err)
	}
	return nil
}

// Key is the idempotency key of the write: the same for the same body of the
// same run until the provider has answered, 64 hex characters.
func (t Taken) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s/%s/%d", t.RunID, t.Operation, t.ObjectKey, t.BodyHash, t.Generation))
	return hex.EncodeToString(sum[:])
}

// Answer is what a provider's answer to a write says of it.
type Answer struct {
	Settled bool // the write is not under way any more; others may be at the object, and look first
	Certain bool // nothing was written, by this try or an earlier one
}

// Answered records that the provider answered without doing it: it remembers
// that answer under the key, so the next try needs another. If this is lost,
// the next try meets the remembered answer once more and comes here again. A
// run that is held must not keep every other run of its customer waiting, so a
// settled write lets others go on; but only a certain one lets the document take
// another number.
func (t Taken) Answered(ctx context.Context, db dbsqlc.DBTX, answer Answer) error {
	err := queries.ProviderIntentAnswered(ctx, db, dbsqlc.ProviderIntentAnsweredParams{
		RunID: t.RunID, Operation: t.Operation, ObjectKey: t.ObjectKey, Settled: answer.Settled, Certain: answer.Certain,
	})
	if err != nil {
		return fmt.Errorf("note answer to %s %q: %w", t.Operation, t.ObjectKey, err)
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
