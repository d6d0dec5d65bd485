package riverjobs

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"towpath/pkg/dbsqlc"
)

// The stages of a run, as sync_runs.stage has them.
const (
	stageFetch = "fetch"
	stagePost  = "post"
	stagePush  = "push"
)

// maxAttempts with the delays of retryPolicy come to about seven days.
const maxAttempts = 180

// Timeouts of one attempt. They bound the calls made in it; RescueStuckJobsAfter
// lies above the longest.
const (
	touchTimeout = 45 * time.Second // of one call to a shop
	postTimeout  = 150 * time.Second
	rescueAfter  = 4 * time.Minute
)

// RunArgs is what a job of every kind says: its run, and the partition whose limit
// it shares, a tenant's shop or a binding's ledger.
type RunArgs struct {
	RunID uuid.UUID `json:"run_id"`
	Share uuid.UUID `json:"share"`
}

func (a RunArgs) of() RunArgs { return a }

// kindArgs are a kind's.
type kindArgs interface {
	river.JobArgs
	river.JobArgsWithInsertOpts
	of() RunArgs
}

// inQueue puts each kind in a queue of its own: a slow shop must not take the
// workers that write to the ledger.
func inQueue(args river.JobArgs) river.InsertOpts {
	return river.InsertOpts{Queue: args.Kind(), MaxAttempts: maxAttempts}
}

// options are those of a run's job: backfill goes after what happens now.
func options(backfill bool) *river.InsertOpts {
	if backfill {
		return &river.InsertOpts{Priority: 2}
	}
	return &river.InsertOpts{Priority: 1}
}

// kind is a row of the table of job kinds. Whatever must know the kinds asks the
// table; SQL has the same in towpath_stage, and a test compares the two.
type kind struct {
	name string
	// stage says what it touches, and with that its partition: see partitionOf.
	stage string
	args  func(RunArgs) kindArgs
	// source is whose documents it writes; nil for those that touch the shop.
	source source
	// work adds its worker.
	work func(*river.Workers, *pipeline)
}

// kinds are all job kinds, in the order of the pipeline.
func kinds() []kind {
	return []kind{
		touching(stageFetch, func(a RunArgs) FetchCanonicalArgs { return FetchCanonicalArgs{a} }, (*pipeline).fetch),
		writing(func(a RunArgs) PostInvoiceArgs { return PostInvoiceArgs{a} }, postInvoice()),
		writing(func(a RunArgs) PostPaymentArgs { return PostPaymentArgs{a} }, postPayment()),
		writing(func(a RunArgs) PostCreditNoteArgs { return PostCreditNoteArgs{a} }, postCreditNote()),
		writing(func(a RunArgs) UpsertContactArgs { return UpsertContactArgs{a} }, upsertContact()),
		writing(func(a RunArgs) UpsertItemArgs { return UpsertItemArgs{a} }, upsertItem()),
		touching(stagePush, func(a RunArgs) PushSyncStateArgs { return PushSyncStateArgs{a} }, (*pipeline).tell),
	}
}

// touching is a kind that makes one call to the shop for each of its runs.
func touching[A kindArgs](stage string, args func(RunArgs) A, do func(*pipeline, context.Context, hand) (change, after, error)) kind {
	return kind{
		name: args(RunArgs{}).Kind(), stage: stage, args: func(a RunArgs) kindArgs { return args(a) },
		work: func(all *river.Workers, p *pipeline) {
			river.AddWorker(all, &worker[A]{timeout: claimTimeout, do: func(ctx context.Context, job *river.Job[A]) error {
				return claim(ctx, p, job, stage, func(ctx context.Context, h hand) (change, after, error) { return do(p, ctx, h) })
			}})
		},
	}
}

// writing is a kind that brings the documents of a plan into the ledger.
func writing[A kindArgs, D any](args func(RunArgs) A, pl *plan[D]) kind {
	pl.kind = args(RunArgs{}).Kind()
	return kind{
		name: pl.kind, stage: stagePost, args: func(a RunArgs) kindArgs { return args(a) }, source: pl,
		work: func(all *river.Workers, p *pipeline) {
			river.AddWorker(all, &worker[A]{timeout: postTimeout, do: func(ctx context.Context, job *river.Job[A]) error {
				return attempt(ctx, p, job, stagePost, job.Args.of().RunID, func(ctx context.Context, h hand) error { return pl.work(ctx, p, h) })
			}})
		},
	}
}

// worker is River's worker of a kind.
type worker[A kindArgs] struct {
	river.WorkerDefaults[A]
	timeout time.Duration
	do      func(ctx context.Context, job *river.Job[A]) error
}

// Timeout bounds one attempt.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.timeout }

// Work is one attempt.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error { return w.do(ctx, job) }

// FetchCanonicalArgs reads the canonical document of a run from the shop.
type FetchCanonicalArgs struct{ RunArgs }

// Kind is the name in river_job.
func (FetchCanonicalArgs) Kind() string { return "fetch_canonical" }

// InsertOpts names the kind's queue.
func (a FetchCanonicalArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// PostInvoiceArgs writes a run's invoice to the ledger.
type PostInvoiceArgs struct{ RunArgs }

// Kind is the name in river_job.
func (PostInvoiceArgs) Kind() string { return "post_invoice" }

// InsertOpts names the kind's queue.
func (a PostInvoiceArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// PostPaymentArgs writes that a run's invoice was paid.
type PostPaymentArgs struct{ RunArgs }

// Kind is the name in river_job.
func (PostPaymentArgs) Kind() string { return "post_payment" }

// InsertOpts names the kind's queue.
func (a PostPaymentArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// PostCreditNoteArgs writes a run's credit memo to the ledger.
type PostCreditNoteArgs struct{ RunArgs }

// Kind is the name in river_job.
func (PostCreditNoteArgs) Kind() string { return "post_credit_note" }

// InsertOpts names the kind's queue.
func (a PostCreditNoteArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// UpsertContactArgs writes a customer's contact.
type UpsertContactArgs struct{ RunArgs }

// Kind is the name in river_job.
func (UpsertContactArgs) Kind() string { return "upsert_contact" }

// InsertOpts names the kind's queue.
func (a UpsertContactArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// UpsertItemArgs writes a product to the price list.
type UpsertItemArgs struct{ RunArgs }

// Kind is the name in river_job.
func (UpsertItemArgs) Kind() string { return "upsert_item" }

// InsertOpts names the kind's queue.
func (a UpsertItemArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// PushSyncStateArgs tells the shop how a run ended. The SQL function
// towpath_insert_push inserts the same job where a run is ended in SQL.
type PushSyncStateArgs struct{ RunArgs }

// Kind is the name in river_job.
func (PushSyncStateArgs) Kind() string { return "push_sync_state" }

// InsertOpts names the kind's queue.
func (a PushSyncStateArgs) InsertOpts() river.InsertOpts { return inQueue(a) }

// partitionOf names the jobs of a stage that share a limit: those of one shop, or
// those of one binding's ledger.
func partitionOf(stage string, tenantID, bindingID uuid.UUID) uuid.UUID {
	if stage == stagePost {
		return bindingID
	}
	return tenantID
}

// Stages are all job kinds and the stage of each.
func Stages() map[string]string {
	stages := map[string]string{}
	for _, k := range kinds() {
		stages[k.name] = k.stage
	}
	return stages
}

// writerOf is the kind that writes an event's documents; false where this version has
// none.
func writerOf(event string) (kind, bool) {
	for _, k := range kinds() {
		if k.source != nil && k.source.of() == event {
			return k, true
		}
	}
	return kind{}, false
}

// next is a run's job of this kind.
func (k kind) next(run dbsqlc.SyncRun) *nextJob {
	share := partitionOf(k.stage, run.TenantID, run.BindingID)
	return &nextJob{RunArgs: RunArgs{RunID: run.ID, Share: share}, kind: k.name, backfill: run.Backfill}
}

// tellNext tells the shop how the run ended.
func tellNext(run dbsqlc.SyncRun) *nextJob {
	return &nextJob{RunArgs: RunArgs{RunID: run.ID, Share: run.TenantID}, kind: PushSyncStateArgs{}.Kind(), backfill: run.Backfill}
}
