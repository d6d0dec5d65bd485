package syncrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/mistake"
)

// Step is one run and the job that worked on it: a transaction touches the run
// only while it still waits for exactly this job.
type Step struct {
	RunID     uuid.UUID
	JobID     int64
	NextJobID int64 // inserted in the same transaction; unused by Tell
}

// Decided is the outcome of the policy for one run.
type Decided struct {
	Step
	Canonical  json.RawMessage // null for events that have none
	Decision   json.RawMessage
	SkipReason string // empty: the document is to be posted
	Lane       string // of the document that it is about; empty: the lane that it came with
	Known      Known
}

// Known is what people find the run by (pkg/find).
type Known struct {
	Number, Customer, Amount, Currency string
	Terms                              string // a line each
}

// Decide is T2: it stores canonical and decision and moves each run on to its
// next job. If the process dies before the commit, the shop is read again;
// after it, run and next job exist together.
func Decide(ctx context.Context, tx pgx.Tx, who string, set []Decided) error {
	rows := dbsqlc.SyncRunDecideManyParams{Who: who}
	for _, d := range set {
		rows.ID = append(rows.ID, d.RunID)
		rows.JobID = append(rows.JobID, d.JobID)
		rows.NextJobID = append(rows.NextJobID, d.NextJobID)
		rows.Canonical = append(rows.Canonical, d.Canonical)
		rows.Decision = append(rows.Decision, d.Decision)
		rows.SkipReason = append(rows.SkipReason, d.SkipReason)
		rows.Lane = append(rows.Lane, d.Lane)
		rows.Number, rows.Customer = append(rows.Number, d.Known.Number), append(rows.Customer, d.Known.Customer)
		rows.Amount, rows.Currency = append(rows.Amount, d.Known.Amount), append(rows.Currency, d.Known.Currency)
		rows.Terms = append(rows.Terms, d.Known.Terms)
	}
	updated, err := queries.SyncRunDecideMany(ctx, tx, rows)
	return all(updated, len(set), "store decision", err)
}

// Xref is one pair of shop id and provider id, in the organisation that the run
// writes to.
type Xref struct {
	EntityType string // invoice, contact, payment, creditmemo, allocation, refund or item
	ShopID     string
	ProviderID string
	Reference  *string
	URL        *string
	Merged     bool    // of a contact: a person at the provider merged the shop's into it
	BodyHash   *string // of a contact or an item: what it was written as
}

// Found is a document that was there already and does not name the run that
// found it.
type Found struct {
	Operation string // the write that would have made it
	Number    string
	Source    *uuid.UUID // the run that it names
}

// Posted is a run that has written what it had to.
type Posted struct {
	Step
	ProviderID string // of the document that the shop shows; empty where there is none
	Reference  string
	URL        string
	Xref       *Xref           // nil where nothing new is to be remembered
	Document   json.RawMessage // number, totals and body as they were sent
	Variance   json.RawMessage // JSON null where the answer's totals are ours
	Found      *Found          // nil: the run made the document, or the document names the run
	Why        string
	Calls      []string // the provider's ids of the attempt's calls
	// CallLog is those calls with what was sent and answered (provider.EncodeCalls); nil for none.
	CallLog json.RawMessage
}

// Post is T4: it stores what the provider answered, the xref, settles the run's
// intents and moves each run on to the job that tells the shop. If the process
// dies before the commit, the next attempt finds the intent, looks the document
// up by its number and adopts it.
func Post(ctx context.Context, tx pgx.Tx, who string, set []Posted) error {
	rows := dbsqlc.SyncRunPostManyParams{Who: who}
	for _, p := range set {
		rows.ID = append(rows.ID, p.RunID)
		rows.JobID = append(rows.JobID, p.JobID)
		rows.NextJobID = append(rows.NextJobID, p.NextJobID)
		rows.ProviderEntityID = append(rows.ProviderEntityID, p.ProviderID)
		rows.ProviderReference = append(rows.ProviderReference, p.Reference)
		rows.ProviderUrl = append(rows.ProviderUrl, p.URL)
		rows.Document = append(rows.Document, p.Document)
		rows.Variance = append(rows.Variance, p.Variance)
		rows.Why = append(rows.Why, p.Why)
		rows.Calls = append(rows.Calls, strings.Join(p.Calls, "\n"))
		rows.CallLog = append(rows.CallLog, p.CallLog)
	}
	updated, err := queries.SyncRunPostMany(ctx, tx, rows)
	if err := all(updated, len(set), "store result", err); err != nil {
		return err
	}
	runs := make([]uuid.UUID, len(set))
	for i, p := range set {
		if err := remember(ctx, tx, p.RunID, p.Xref, p.Found); err != nil {
			return err
		}
		runs[i] = p.RunID
	}
	if err := queries.ProviderIntentSettleRuns(ctx, tx, runs); err != nil {
		return fmt.Errorf("settle intents of %d runs: %w", len(set), err)
	}
	return nil
}

// remember stores an xref, once what was found there is known to be ours.
func remember(ctx context.Context, tx pgx.Tx, runID uuid.UUID, xref *Xref, found *Found) error {
	if xref == nil {
		return nil
	}
	if err := found.ours(ctx, tx, runID); err != nil {
		return err
	}
	if mistake.Made(mistake.XrefLater) {
		xref.insertLater(tx.Conn().Config(), runID)
		return nil
	}
	return xref.insert(ctx, tx, runID)
}

// insertLater is a mistake to be noticed: the document is known by nothing until then.
func (x Xref) insertLater(cfg *pgx.ConnConfig, runID uuid.UUID) {
	time.AfterFunc(2*time.Second, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if conn, err := pgx.ConnectConfig(ctx, cfg); err == nil {
			_ = x.insert(ctx, conn, runID)
			_ = conn.Close(ctx)
		}
	})
}

// Adopt remembers a document that was there before its event came, once it is known
// to be nobody else's.
func Adopt(ctx context.Context, tx pgx.Tx, runID uuid.UUID, xref Xref, found *Found) error {
	return remember(ctx, tx, runID, &xref, found)
}

// ours answers an OthersDocument where the document may be another invoice's, of
// any shop of the organisation. It is asked in the transaction that records it:
// whoever could have written the document had its intent committed before.
func (f *Found) ours(ctx context.Context, tx pgx.Tx, runID uuid.UUID) error {
	if f == nil {
		return nil
	}
	rows, err := queries.EntityXrefWhose(ctx, tx, dbsqlc.EntityXrefWhoseParams{RunID: runID, Operation: f.Operation, Number: f.Number, SourceRun: f.Source})
	if err != nil {
		return fmt.Errorf("ask whose document %q is: %w", f.Number, err)
	}
	if len(rows) > 0 {
		return &OthersDocument{Shop: rows[0].Tenant, What: rows[0].What, Unsure: rows[0].Maybe}
	}
	return nil
}

func (x Xref) insert(ctx context.Context, db dbsqlc.DBTX, runID uuid.UUID) error {
	err := queries.EntityXrefInsert(ctx, db, dbsqlc.EntityXrefInsertParams{
		EntityType: x.EntityType, ShopID: x.ShopID, ProviderID: x.ProviderID,
		ProviderReference: x.Reference, ProviderUrl: x.URL, RunID: runID, Merged: x.Merged, BodyHash: x.BodyHash,
	})
	if isUniqueViolation(err) {
		return fmt.Errorf("insert xref %s %q: %w", x.EntityType, x.ShopID, &OthersDocument{})
	}
	if err != nil {
		return fmt.Errorf("insert xref %s %q: %w", x.EntityType, x.ShopID, err)
	}
	return nil
}

// OthersDocument means that a document is, or may be, another invoice's.
type OthersDocument struct {
	Shop   string // whose; empty where it has to be asked (Owner)
	What   string // its run or binding
	Unsure bool   // both may have written it
}

func (o *OthersDocument) Error() string { return "the document is another invoice's" }

// Owner says which other invoice's the document is known as; nil where it is
// nobody's.
func Owner(ctx context.Context, db dbsqlc.DBTX, runID uuid.UUID, entityType, providerID string) (*OthersDocument, error) {
	rows, err := queries.EntityXrefOwner(ctx, db, dbsqlc.EntityXrefOwnerParams{RunID: runID, EntityType: entityType, ProviderID: providerID})
	if err != nil {
		return nil, fmt.Errorf("ask whose document %q is: %w", providerID, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &OthersDocument{Shop: rows[0].Tenant, What: "run " + rows[0].RunID.String()}, nil
}

// Ended is a run that its worker ended without a document.
type Ended struct {
	Step
	Stage   string // fetch or post
	Code    string // error_code told to the shop
	Message string // for the merchant
	Detail  string // for the operator
	Calls   []string
}

// Fail ends a run as failed and moves it on to the job that tells the shop.
func Fail(ctx context.Context, tx pgx.Tx, who string, e Ended) error {
	_, err := queries.SyncRunFail(ctx, tx, dbsqlc.SyncRunFailParams{
		ID: e.RunID, JobID: e.JobID, NextJobID: e.NextJobID, Step: e.Stage, Who: who,
		ErrorCode: &e.Code, ErrorMessage: &e.Message, ErrorDetail: &e.Detail, Calls: e.Calls,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotMine
	}
	if err != nil {
		return fmt.Errorf("fail run %s: %w", e.RunID, err)
	}
	if err := queries.ProviderIntentSettleRun(ctx, tx, e.RunID); err != nil {
		return fmt.Errorf("settle intents of run %s: %w", e.RunID, err)
	}
	return nil
}

// Told is a run of whose end the shop knows.
type Told struct {
	Step
	Attempt int // that told it
	// Word is the run whose end was told, which ended at WordAt: of several about one
	// document the shop shows one.
	Word   uuid.UUID
	WordAt time.Time
}

// ErrOutdated means that another end is to be shown by now than the one that was told.
var ErrOutdated = errors.New("the shop was told what has changed since")

// Tell is T5: the shop knows how the runs ended. If the process dies before the
// commit, the shop is told once more, what holds then. Of a set that fails nothing may
// be committed; a run alone fails with ErrOutdated where the shop must be told again.
//
// So the last call that a shop is made is always true. Who made it looks here
// afterwards, and an end that this does not see yet will be told by a job of its own,
// which is there once it is seen.
func Tell(ctx context.Context, tx pgx.Tx, who string, set []Told) error {
	rows := dbsqlc.SyncRunTellManyParams{Who: who}
	for _, s := range set {
		rows.ID = append(rows.ID, s.RunID)
		rows.JobID = append(rows.JobID, s.JobID)
		rows.Attempt = append(rows.Attempt, int32(s.Attempt))
		rows.Word, rows.WordAt = append(rows.Word, s.Word), append(rows.WordAt, s.WordAt)
	}
	updated, err := queries.SyncRunTellMany(ctx, tx, rows)
	if err == nil && len(updated) == 0 && len(set) == 1 {
		return outdated(ctx, tx, set[0])
	}
	return all(updated, len(set), "note that the shop was told", err)
}

// outdated says why a run was not noted: it still waits for its job, or not.
func outdated(ctx context.Context, tx pgx.Tx, s Told) error {
	waits, err := queries.SyncRunTells(ctx, tx, dbsqlc.SyncRunTellsParams{ID: s.RunID, JobID: s.JobID})
	if err == nil && waits {
		return ErrOutdated
	}
	return all(nil, 1, "note that the shop was told", err)
}

// all checks that every run of the set was still waiting for its job.
func all(updated []uuid.UUID, want int, verb string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	if len(updated) != want {
		return fmt.Errorf("%s: %w", verb, ErrNotMine)
	}
	return nil
}
