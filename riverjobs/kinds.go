package riverjobs

import (
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
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

// Of one kind and share only a few jobs are with the workers at a time; see the
// shares in sql/functions.

// FetchCanonicalArgs reads the canonical document of a run from the shop.
type FetchCanonicalArgs struct {
	RunID uuid.UUID `json:"run_id"`
	Share uuid.UUID `json:"share"` // the tenant
}

// Kind is the name in river_job.
func (FetchCanonicalArgs) Kind() string { return "fetch_canonical" }

// InsertOpts puts each kind in a queue of its own: a slow shop must not take
// the workers that write to the ledger.
func (FetchCanonicalArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: "fetch_canonical", MaxAttempts: maxAttempts}
}

// PostInvoiceArgs writes a run's invoice to the ledger.
type PostInvoiceArgs struct {
	RunID uuid.UUID `json:"run_id"`
	Share uuid.UUID `json:"share"` // the binding
}

// Kind is the name in river_job.
func (PostInvoiceArgs) Kind() string { return "post_invoice" }

// InsertOpts puts each kind in a queue of its own.
func (PostInvoiceArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: "post_invoice", MaxAttempts: maxAttempts}
}

// PushSyncStateArgs tells the shop how a run ended. The SQL function
// towpath_insert_push inserts the same job where a run is ended in SQL.
type PushSyncStateArgs struct {
	RunID uuid.UUID `json:"run_id"`
	Share uuid.UUID `json:"share"` // the tenant
}

// Kind is the name in river_job.
func (PushSyncStateArgs) Kind() string { return "push_sync_state" }

// InsertOpts puts each kind in a queue of its own.
func (PushSyncStateArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: "push_sync_state", MaxAttempts: maxAttempts}
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
	args args
	// stage says what it touches, and with that its partition: see partitionOf.
	stage string
	// work adds its worker.
	work func(*river.Workers, *pipeline)
}

// args are a kind's, with its name and its options.
type args interface {
	river.JobArgs
	river.JobArgsWithInsertOpts
}

// kinds are all job kinds, in the order of the pipeline.
func kinds() []kind {
	return []kind{
		{FetchCanonicalArgs{}, stageFetch, func(all *river.Workers, p *pipeline) { river.AddWorker(all, &fetchCanonical{pipeline: p}) }},
		{PostInvoiceArgs{}, stagePost, func(all *river.Workers, p *pipeline) { river.AddWorker(all, &postInvoice{pipeline: p}) }},
		{PushSyncStateArgs{}, stagePush, func(all *river.Workers, p *pipeline) { river.AddWorker(all, &pushSyncState{pipeline: p}) }},
	}
}

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
		stages[k.args.Kind()] = k.stage
	}
	return stages
}
