package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
)

// batch writes documents of one binding with as few calls as its wire allows: the
// first is its own job's, the others are taken from those that wait for their
// turn. Each is judged by itself and has its own transactions; only the calls are
// shared. If the process dies, all their jobs are given back, and each document
// is looked up before it would be written again.
type batch struct {
	*postInvoice
	ledger Ledger
	calls  *quota.Calls
}

// run answers what became of the first document; the others are settled here.
func (b batch) run(ctx context.Context, first *draft) error {
	size := b.ledger.BatchSize()
	waiting, err := b.waiting(ctx, first, size-1)
	if err != nil {
		return err
	}
	if err := b.calls.Reserve(ctx, load(waiting, size), calls(waiting)); err != nil {
		return err
	}
	defer b.calls.Return(ctx)
	drafts, err := b.company(ctx, first, waiting)
	started := b.Now()
	defer func() { b.heard(ctx, drafts) }()
	if err == nil {
		err = recovering(func() error {
			b.write(ctx, drafts)
			return nil
		})
	}
	for _, d := range drafts[1:] {
		if err != nil && d.err == nil {
			d.err = err // what broke the batch broke it for all
		}
		_ = b.concluded(ctx, d.hand, started, d.err) // on record and logged
	}
	return errors.Join(err, first.err)
}

// calls is how many a batch may need: one for the documents; with company one for
// new contacts and two to look up what may exist besides. A lone document that
// needs more asks for more: what it has done by then is remembered.
func calls(waiting int) int {
	if waiting == 0 {
		return 1
	}
	return 4
}

// load is how much the call carries, as far as is known before it is asked for.
func load(waiting, size int) quota.Load {
	switch {
	case waiting+1 >= size:
		return quota.Full
	case waiting > 0:
		return quota.Partial
	}
	return quota.Lone
}

// heard notes that a connection which was refused works: the ledger has answered,
// and not with a refusal of the connection.
func (b batch) heard(ctx context.Context, drafts []*draft) {
	if b.calls.Made() == 0 {
		return
	}
	works := false
	for _, d := range drafts {
		switch f := provider.AsFailure(d.err); {
		case d.err == nil, f.Kind == provider.Refused, f.Kind == provider.Held:
			works = true
		case f.Kind == provider.Auth:
			return
		}
	}
	if !works {
		return
	}
	if err := b.recovered(ctx, drafts[0].work); err != nil {
		b.Logger.WarnContext(ctx, "connection state not noted", "run_id", drafts[0].SyncRun.ID, "error", err)
	}
}

// waiting counts the jobs that could come along; none do where the job finds out
// whether the binding works again.
func (b batch) waiting(ctx context.Context, first *draft, most int) (int, error) {
	if most == 0 || first.Binding.Status != "active" {
		return 0, nil
	}
	n, err := b.queries.QueueWaiting(ctx, b.Pool, dbsqlc.QueueWaitingParams{
		Kind: PostInvoiceArgs{}.Kind(), Share: first.Binding.ID.String(), Most: int32(most),
	})
	if err != nil {
		return 0, fmt.Errorf("count waiting jobs: %w", err)
	}
	return int(n), nil
}

// company takes jobs that wait for their turn into the batch. On an error it
// answers those that it has, so that they are put back.
func (b batch) company(ctx context.Context, first *draft, most int) ([]*draft, error) {
	drafts := []*draft{first}
	if most == 0 {
		return drafts, nil
	}
	taken, err := b.queries.QueueTake(ctx, b.Pool, dbsqlc.QueueTakeParams{
		ClientID: b.who, Kind: PostInvoiceArgs{}.Kind(), Share: first.Binding.ID.String(), Most: int32(most), Priority: 4, AlsoAdmitted: true,
	})
	if err != nil {
		return drafts, fmt.Errorf("take waiting jobs: %w", err)
	}
	// If the process stops from here on, they are a dead process's jobs.
	hands, err := b.handsOf(ctx, taken)
	for _, h := range hands {
		d, failed := (*draft)(nil), err
		if failed == nil {
			d, failed = b.draft(ctx, h)
		}
		switch {
		case d != nil:
			drafts = append(drafts, d)
		default:
			_ = b.concluded(ctx, h, b.Now(), failed)
		}
	}
	return drafts, err
}

// handsOf reads the runs of taken jobs. A job whose run does not wait for it is
// completed: there is nothing to do for it.
func (b batch) handsOf(ctx context.Context, taken []dbsqlc.QueueTakeRow) ([]hand, error) {
	ids := make([]uuid.UUID, len(taken))
	for i, t := range taken {
		ids[i] = t.RunID
	}
	rows, err := b.queries.SyncRunWorkMany(ctx, b.Pool, ids)
	works := map[uuid.UUID]work{}
	for _, row := range rows {
		works[row.SyncRun.ID] = work{SyncRunWorkRow: dbsqlc.SyncRunWorkRow(row), stage: stagePost}
	}
	var hands []hand
	for _, t := range taken {
		h := hand{work: works[t.RunID], job: takenJob{t, b.pipeline}}
		if err != nil || h.SyncRun.RiverJobID != nil && *h.SyncRun.RiverJobID == t.ID {
			hands = append(hands, h)
			continue
		}
		nothing := b.end(ctx, h, change{})
		b.Logger.InfoContext(ctx, "job is of no run", "job_id", t.ID, "run_id", t.RunID, "error", nothing)
	}
	if err != nil {
		return hands, fmt.Errorf("read %d runs: %w", len(taken), err)
	}
	return hands, nil
}

// write takes all drafts through the contact, the document and T4.
func (b batch) write(ctx context.Context, drafts []*draft) {
	for _, d := range drafts {
		// A document that may not be posted must not leave a contact behind.
		d.err = recovering(func() (err error) {
			d.ref, err = b.allowed(ctx, d)
			return err
		})
	}
	b.contacts(ctx, alive(drafts))
	for _, d := range alive(drafts) {
		d.err = recovering(func() error { return b.prepare(ctx, d) })
	}
	b.post(ctx, alive(drafts))
}

func alive(drafts []*draft) []*draft {
	var left []*draft
	for _, d := range drafts {
		if d.err == nil {
			left = append(left, d)
		}
	}
	return left
}

// allowed answers the reference data under which the document may be posted. If
// it may not, as far as is known, what it would be held for is read anew first:
// the lock date may have been moved, the currency enabled, the account restored.
func (b batch) allowed(ctx context.Context, d *draft) (provider.Reference, error) {
	ref, err := b.reference(ctx, d.work, b.ledger)
	if err != nil {
		return ref, err
	}
	_, held := b.ledger.Document(d.inv, d.pol, ref, "", b.runURL(d.SyncRun.ID))
	if held == nil {
		return ref, nil
	}
	f := provider.AsFailure(held)
	if f.Kind != provider.Held {
		return ref, held
	}
	if ref, err = b.rechecked(ctx, d.work, b.ledger, ref, f.Reason); err != nil {
		return ref, err
	}
	_, held = b.ledger.Document(d.inv, d.pol, ref, "", b.runURL(d.SyncRun.ID))
	return ref, held
}

// contacts finds each draft's contact: remembered, or made sure of under an intent
// of its own, so that two runs of a new customer make one.
func (b batch) contacts(ctx context.Context, drafts []*draft) {
	asking := map[string]*draft{} // by the buyer's key: the first asks for all
	var set []provider.Item[policy.Buyer]
	var order []*draft
	for _, d := range drafts {
		row, err := b.lookUp(ctx, d.work, "contact", d.buyer.Key)
		known, stale := contactKnown(row)
		if d.contact, d.err = known, err; known != "" || err != nil {
			continue
		}
		if asking[d.buyer.Key] != nil {
			continue
		}
		if d.err = b.intendContact(ctx, d); d.err != nil {
			continue
		}
		asking[d.buyer.Key] = d
		order = append(order, d)
		set = append(set, provider.Item[policy.Buyer]{Value: d.buyer, Try: provider.Try{
			Key: d.taken.Key(), Uncertain: d.taken.Uncertain || stale != "", Known: stale, Shared: d.taken.Shared,
		}})
	}
	if len(set) == 0 {
		b.shareContacts(drafts, asking)
		return
	}
	for i, found := range b.ledger.EnsureContacts(ctx, set) {
		order[i].contact, order[i].err = b.foundContact(ctx, order[i], found)
	}
	b.shareContacts(drafts, asking)
}

// shareContacts gives the others of a buyer what the first found. Where it found
// none they come again: another run was at their contact.
func (b batch) shareContacts(drafts []*draft, asking map[string]*draft) {
	for _, d := range drafts {
		if d.contact != "" || d.err != nil {
			continue
		}
		d.err = syncrun.ErrBusy
		if first := asking[d.buyer.Key]; first != nil && first.contact != "" {
			d.contact, d.err = first.contact, nil
		}
	}
}

func (b batch) intendContact(ctx context.Context, d *draft) error {
	body, err := json.Marshal(d.buyer)
	if err != nil {
		return fmt.Errorf("encode buyer: %w", err)
	}
	d.taken, err = b.intend(ctx, d.hand, syncrun.WriteContact, d.buyer.Key, hash(body))
	return err
}

func (b batch) foundContact(ctx context.Context, d *draft, found provider.Outcome[string]) (string, error) {
	if found.Err != nil {
		return "", b.answered(ctx, d.taken, found.Err)
	}
	xref := syncrun.Xref{EntityType: "contact", ShopID: d.buyer.Key, ProviderID: found.Value, Merged: found.Merged}
	err := pgx.BeginFunc(ctx, b.Pool, func(tx pgx.Tx) error { return syncrun.FoundContact(ctx, tx, d.taken, xref, found.Notes) })
	return found.Value, err
}

// prepare makes the document and takes its intent.
func (b batch) prepare(ctx context.Context, d *draft) (err error) {
	if d.doc, err = b.ledger.Document(d.inv, d.pol, d.ref, d.contact, b.runURL(d.SyncRun.ID)); err != nil {
		return err
	}
	d.taken, err = b.intend(ctx, d.hand, syncrun.WriteInvoice, d.doc.Number, d.doc.Hash())
	return err
}

// post writes the documents and records each outcome.
func (b batch) post(ctx context.Context, drafts []*draft) {
	if len(drafts) == 0 {
		return
	}
	set := make([]provider.Item[provider.Document], len(drafts))
	for i, d := range drafts {
		set[i] = provider.Item[provider.Document]{Value: d.doc, Try: provider.Try{Key: d.taken.Key(), Uncertain: d.taken.Uncertain, Shared: d.taken.Shared}}
	}
	// If the process stops here, the intents say that the documents may exist.
	outcomes := b.ledger.EnsureInvoices(ctx, set)
	// And here: they do exist, and the next attempts will find them.
	posted := 0
	for i, d := range drafts {
		if outcomes[i].Err != nil {
			d.err = errors.Join(b.forgotten(ctx, d, outcomes[i].Err), b.answered(ctx, d.taken, outcomes[i].Err))
			continue
		}
		posted++
		d.err = b.finish(ctx, d.hand, d.doc, outcomes[i].Value)
		if others := (*syncrun.OthersDocument)(nil); errors.As(d.err, &others) {
			// What bears the number is not ours: the intent must not keep it.
			d.err = b.answered(ctx, d.taken, d.err)
		}
	}
	b.Metrics.CallsPerDocument(drafts[0].Binding.Provider, b.calls.Made(), posted)
}

// forgotten answers ErrBusy where the document was held for a contact that an
// earlier run remembered: it is forgotten and made sure of anew, which follows
// a merge. A contact that this very run made sure of is left: then a person must
// act.
func (b batch) forgotten(ctx context.Context, d *draft, cause error) error {
	switch provider.AsFailure(cause).Reason {
	case "contact_not_found", "contact_archived":
	default:
		return nil
	}
	n, err := b.queries.EntityXrefForget(ctx, b.Pool, dbsqlc.EntityXrefForgetParams{
		EntityType: "contact", ShopID: d.buyer.Key, RunID: d.SyncRun.ID,
	})
	if err != nil {
		return fmt.Errorf("forget contact %q: %w", d.buyer.Key, err)
	}
	if n == 0 {
		return nil
	}
	return syncrun.ErrBusy
}
