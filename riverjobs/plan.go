package riverjobs

import (
	"context"
	"encoding/json"
	"fmt"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
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
	keep func(doc D, pol policy.Policy, key string) policy.Policy
	// seeks: what an earlier attempt may have written is looked for before it is left out,
	// or held. Else writing it again, or not, is harmless.
	seeks bool
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
	sale  *canon.Invoice     // the invoice that it follows, as the shop had it; nil where it was not read
	known *dbsqlc.EntityXref // the contact, as it was remembered when the steps began
	calls []provider.Call    // made for it, oldest first
	// key is what an earlier attempt may have written it under; empty: none has.
	key string
	// instead is what becomes of it where it is only looked for, and not there: the
	// settings leave it out by now, or something holds it.
	instead func(ctx context.Context) error
	// invoiced: its contact is that of the invoice that it follows.
	invoiced bool
	ended    bool
	err      error
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
		if err := p.first(ctx, run.SyncRun.ID); err != nil {
			return fetched{}, err
		}
	}
	raw, doc, err := pl.read(ctx, shop, run.SyncRun.MagentoEntityID)
	if err != nil {
		return fetched{}, err
	}
	decision, err := pl.decide(ctx, p, run, doc, pol)
	if err == nil && decision.Action != policy.Post && pl.seeks {
		decision, err = p.sought(ctx, run, pl.operation, decision)
	}
	if err != nil {
		return fetched{}, err
	}
	got := fetched{raw: raw, decision: decision}
	if pl.lane != nil {
		got.lane = pl.lane(doc)
	}
	if decision.Action == policy.Post {
		got.invoice, err = pl.followed(ctx, p, shop, run, doc)
	}
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
	if lead.Binding.Reference == nil {
		// Read by one and alone: others who reserve calls meanwhile would be in its way.
		err := first.tracing(ctx, func(ctx context.Context) error {
			_, err := p.reference(ctx, lead.work, b.ledger)
			return err
		})
		if err != nil {
			if f := failureOf(err); f.NoAnswer != "" {
				p.noAnswer(ctx, lead.work, f)
			}
			return called(err, first.calls)
		}
	}
	return b.run(ctx, first)
}
