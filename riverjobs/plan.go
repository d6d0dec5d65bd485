package riverjobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
	"towpath/pkg/syncrun"
)

// plan is how the documents of one event come into a ledger: read from the shop,
// judged by the policy, and written step by step, each step for a set of them. D is a
// document on its way, with what the steps find out. A plan is a constant.
//
// Each document goes its own way through these crash points:
//
//   - before T3: nothing was written; the next attempt starts over.
//   - after T3, before or during the call: the intent is on record, so the next
//     attempt looks the object up by its key and adopts it before it would write.
//   - after the call, before it is recorded: the same.
//   - after T4: run, xref and next job exist together.
type plan[D any] struct {
	event  string
	kind   string // set by the table of kinds
	entity string // of what it makes, in entity_xref; empty where every run writes anew
	// operation is the write that makes it, among the intents.
	operation string
	read      func(ctx context.Context, shop Shop, id int64) (json.RawMessage, D, error)
	decode    func(raw []byte) (D, error)
	decide    func(ctx context.Context, p *pipeline, run work, doc D, pol policy.Policy) (policy.Decision, error)
	// lastFirst: of several changes only the last has to be written, so the others wait
	// for it, and are not even read before.
	lastFirst bool
	// lane is that of the document that it is about, where only its canonical form says
	// so; nil: the lane that it came with.
	lane func(doc D) string
	// about is the shop's id of the invoice that it follows, which is read from the shop
	// too where it says so; nil: it follows none.
	about func(doc D, known bool) (id int64, read bool)
	// keep gives the settings back under which a document may have been written; nil
	// where its key does not hang on settings.
	keep  func(doc D, pol policy.Policy, key string) policy.Policy
	steps []step[D]
}

// step is a part of a plan, for all documents of a batch at once. What it cannot do
// for one of them it leaves in that one's err.
type step[D any] func(ctx context.Context, b *batch[D], drafts []*draft[D])

// draft is a document on its way. Once it has ended, or err is set, it goes no further.
type draft[D any] struct {
	hand
	doc   D
	pol   policy.Policy
	ref   provider.Reference
	sale  *canon.Invoice // the invoice that it follows, as the shop had it; nil where it was not read
	ended bool
	err   error
}

// source is a plan as the stage before it sees it.
type source interface {
	// of is the event.
	of() string
	// fetch reads an event's document and asks the policy.
	fetch(ctx context.Context, p *pipeline, shop Shop, run work, pol policy.Policy) (fetched, error)
}

// fetched is what the shop says of a run.
type fetched struct {
	raw      json.RawMessage
	decision policy.Decision
	lane     string          // empty: the lane that the run came with
	invoice  json.RawMessage // that it follows; nil where it was not read
}

// decided is a decision as it is stored, with the invoice that it was made beside.
type decided struct {
	policy.Decision
	Invoice json.RawMessage `json:"invoice,omitempty"`
}

func (pl *plan[D]) of() string { return pl.event }

func (pl *plan[D]) fetch(ctx context.Context, p *pipeline, shop Shop, run work, pol policy.Policy) (fetched, error) {
	if pl.lastFirst {
		if err := syncrun.First(ctx, p.Pool, run.SyncRun.ID); err != nil {
			return fetched{}, err
		}
	}
	raw, doc, err := pl.read(ctx, shop, run.SyncRun.MagentoEntityID)
	if err != nil {
		return fetched{}, err
	}
	decision, err := pl.decide(ctx, p, run, doc, pol)
	if err != nil {
		return fetched{}, err
	}
	got := fetched{raw: raw, decision: decision}
	if pl.lane != nil {
		got.lane = pl.lane(doc)
	}
	got.invoice, err = pl.followed(ctx, p, shop, run, doc)
	return got, err
}

// followed reads the invoice that a document follows, where more must be known of it
// than is known here. Of one that the shop does not have any more nothing is.
func (pl *plan[D]) followed(ctx context.Context, p *pipeline, shop Shop, run work, doc D) (json.RawMessage, error) {
	if pl.about == nil {
		return nil, nil
	}
	id, _ := pl.about(doc, true)
	if id == 0 {
		return nil, nil
	}
	row, err := p.queries.SyncRunInvoice(ctx, p.Pool, dbsqlc.SyncRunInvoiceParams{ID: run.SyncRun.ID, InvoiceID: id})
	if err != nil {
		return nil, fmt.Errorf("read invoice %d: %w", id, err)
	}
	if _, read := pl.about(doc, row.ProviderID != "" || row.Status != ""); !read {
		return nil, nil
	}
	raw, _, err := shop.Invoice(ctx, id)
	if err != nil && provider.AsFailure(err).Kind == provider.Gone {
		return nil, nil
	}
	return canon.Storable(raw), err
}

// work is one attempt of a job, and of those that its batch takes along.
func (pl *plan[D]) work(ctx context.Context, p *pipeline, lead hand) error {
	if wait := p.paused(lead.work); wait > 0 {
		return &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: reasonPaused, RetryAfter: wait,
			Message: "the provider asked to wait"}
	}
	b := &batch[D]{pipeline: p, plan: pl}
	first, err := b.draft(ctx, lead)
	if err != nil || first.ended {
		return err
	}
	b.calls = quota.New(p.Pool, lead.Binding.ID, p.limits(lead.work), lead.SyncRun.Backfill, p.who)
	if b.ledger, err = p.Ledgers(lead.Binding, b.calls.Permit); err != nil {
		return err
	}
	return b.run(ctx, first)
}

// draft decides what is to be written for a run. It has ended where nothing is: it is
// known already, or the settings leave it out.
func (b *batch[D]) draft(ctx context.Context, h hand) (*draft[D], error) {
	d := &draft[D]{hand: h}
	var err error
	if d.pol, err = h.policy(); err != nil {
		return nil, err
	}
	if d.doc, err = b.plan.decode(h.SyncRun.Canonical); err != nil {
		return nil, err
	}
	if d.sale, err = h.followed(); err != nil {
		return nil, err
	}
	key, err := b.mayExistAs(ctx, h.work, b.plan.operation)
	if err != nil {
		return nil, err
	}
	if key != "" && b.plan.keep != nil {
		d.pol = b.plan.keep(d.doc, d.pol, key)
	}
	if key == "" {
		decision, err := b.plan.decide(ctx, b.pipeline, h.work, d.doc, d.pol)
		if err != nil {
			return nil, err
		}
		if decision.Action != policy.Post {
			return d, b.leaveOut(ctx, d, decision) // the settings changed while it was held
		}
	}
	if b.plan.entity == "" {
		return d, nil
	}
	known, err := b.known(ctx, h.work, b.plan.entity)
	if err != nil || known == nil {
		return d, err
	}
	return d, b.finish(ctx, d, result{entity: b.plan.entity, posted: *known, document: provider.Document{Number: known.Number}})
}

// followed is the invoice that was read with a run's document.
func (w work) followed() (*canon.Invoice, error) {
	var said decided
	if len(w.SyncRun.Decision) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(w.SyncRun.Decision, &said); err != nil {
		return nil, fmt.Errorf("read decision of run %s: %w", w.SyncRun.ID, err)
	}
	if len(said.Invoice) == 0 {
		return nil, nil
	}
	inv, err := canon.DecodeInvoice(said.Invoice)
	return &inv, err
}

// leaveOut ends a run that the policy leaves out, or holds it.
func (b *batch[D]) leaveOut(ctx context.Context, d *draft[D], decision policy.Decision) error {
	if decision.Action == policy.Hold {
		return heldBy(decision)
	}
	err := b.skip(ctx, d.hand, decision)
	d.ended = err == nil
	return err
}

// mayExistAs is the key under which an earlier attempt may have made the write, empty
// where none may. As long as that is open the document keeps this key and is not
// left out, whatever the settings say now: else a new prefix would look for another
// number, find nothing and write a second document.
func (p *pipeline) mayExistAs(ctx context.Context, run work, operation string) (string, error) {
	key, err := p.queries.ProviderIntentKey(ctx, p.Pool, dbsqlc.ProviderIntentKeyParams{RunID: run.SyncRun.ID, Operation: operation})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read intents of run %s: %w", run.SyncRun.ID, err)
	}
	return key, nil
}

// result is what T4 records of a draft.
type result struct {
	entity   string // of what was made, in entity_xref; empty where it is on record, or nothing was made
	posted   provider.Posted
	shown    *provider.Posted // the document that the shop shows, where it is another
	document any              // as it was sent, for the run's page
	variance map[string]difference
	why      string // empty: posted or adopted
}

// finish is T4.
func (b *batch[D]) finish(ctx context.Context, d *draft[D], r result) error {
	record, err := json.Marshal(r.document)
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	difference, err := json.Marshal(r.variance)
	if err != nil {
		return fmt.Errorf("encode variance: %w", err)
	}
	shown := r.posted
	if r.shown != nil {
		shown = *r.shown
	}
	posted := syncrun.Posted{
		Step: syncrun.Step{RunID: d.SyncRun.ID}, ProviderID: shown.ID, Reference: shown.Number, URL: shown.URL,
		Document: record, Variance: difference, Why: cmp.Or(r.why, story(r.posted)),
	}
	if r.entity != "" {
		xref := xrefOf(d.work, r.entity, r.posted)
		posted.Xref, posted.Found = &xref, found(b.plan.operation, r.posted)
	}
	err = b.end(ctx, d.hand, change{next: tellNext(d.SyncRun), posted: &posted})
	if others := (*syncrun.OthersDocument)(nil); errors.As(err, &others) {
		return b.othersDocument(ctx, d.work, r.entity, r.posted, others)
	}
	if err != nil {
		return err
	}
	if r.variance != nil {
		b.Metrics.Variance(d.Binding.Provider)
	}
	d.ended = true
	b.ended(d.work, syncrun.Succeeded)
	b.gotThrough(ctx, d.hand)
	return nil
}

func (p *pipeline) skip(ctx context.Context, h hand, decision policy.Decision) error {
	end, err := handOn(h, fetched{raw: h.SyncRun.Canonical, decision: decision})
	if err == nil {
		err = p.end(ctx, h, end)
	}
	if err == nil {
		p.handedOn(h.work, decision)
	}
	return err
}

// paused is how long the binding has still to wait.
func (p *pipeline) paused(run work) time.Duration {
	if run.Binding.PausedUntil == nil {
		return 0
	}
	return run.Binding.PausedUntil.Sub(p.Now())
}

func (p *pipeline) limits(run work) quota.Limits {
	if p.Limits != (quota.Limits{}) {
		return p.Limits
	}
	return quota.LimitsOf(run.Binding.Provider, run.Binding.Wire)
}

func story(posted provider.Posted) string {
	if posted.Adopted {
		return "adopted " + posted.Number + ", which was there already"
	}
	return "posted " + posted.Number
}

// found is what is to be asked of a document that was there already, before it is
// taken for the run's own; nil where that is proven.
func found(operation string, posted provider.Posted) *syncrun.Found {
	if !posted.Adopted || posted.Proven {
		return nil
	}
	f := &syncrun.Found{Operation: operation, Number: posted.Number}
	if id, err := uuid.Parse(posted.Source); err == nil {
		f.Source = &id
	}
	return f
}
