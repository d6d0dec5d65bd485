package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
)

// A claim is what one job of River's stands for at a stage that touches the shop:
// itself, and some that wait for their turn in its partition. Their calls go one
// after the other, so a shop never has more of them at once than there are claims;
// what they bring is recorded meanwhile, with whatever else ends.
const (
	// claimSize is the most that one claim works, its own job included.
	claimSize = 20
	// claimTime is when a claim begins no further call: what is left waits again.
	claimTime = 20 * time.Second
	// claimTimeout bounds a claim: the last call may begin at claimTime.
	claimTimeout = claimTime + touchTimeout + 3*commitTimeout
)

// touch is the part of an attempt at the outside; what it answers is the end to be
// recorded, and what to do once it is; that has the claim's context, since the call's
// has ended by then.
type touch func(ctx context.Context, h hand) (change, after, error)

type after func(ctx context.Context)

// claim works a job and those that it takes along. River's own job goes last: while
// it is worked, the claim holds its place in the partition, and its end admits the
// next. If the process stops anywhere, all of them are a dead process's jobs.
func claim[A kindArgs](ctx context.Context, p *pipeline, job *river.Job[A], stage string, do touch) error {
	runID, share := job.Args.of().RunID, job.Args.of().Share
	taken, err := p.queries.QueueTake(ctx, p.Pool, dbsqlc.QueueTakeParams{
		ClientID: p.who, Kind: job.Kind, Share: share.String(), Most: claimSize - 1, Priority: int16(job.Priority),
	})
	if err != nil {
		return fmt.Errorf("take waiting jobs: %w", err)
	}
	ids := []uuid.UUID{runID}
	for _, t := range taken {
		ids = append(ids, t.RunID)
	}
	works, err := p.worksOf(ctx, stage, ids)
	c := &claimed{pipeline: p, stage: stage, do: do, until: time.Now().Add(claimTime)}
	for _, t := range taken {
		c.begin(ctx, hand{work: works[t.RunID], job: takenJob{t, p}}, err)
	}
	own := c.own(ctx, riverJob[A]{job}, works, runID, err)
	c.back.Wait()
	c.all.Wait()
	return own
}

// worksOf reads the runs of a claim.
func (p *pipeline) worksOf(ctx context.Context, stage string, ids []uuid.UUID) (map[uuid.UUID]work, error) {
	rows, err := p.queries.SyncRunClaimed(ctx, p.Pool, dbsqlc.SyncRunClaimedParams{Writes: stage == stagePost, Ids: ids})
	if err != nil {
		return nil, fmt.Errorf("read %d runs: %w", len(ids), err)
	}
	works := make(map[uuid.UUID]work, len(rows))
	for _, r := range rows {
		works[r.ID] = workOf(r, stage)
	}
	return works, nil
}

// claimed is a claim under way.
type claimed struct {
	*pipeline
	stage string
	do    touch
	until time.Time
	// back are those that are being given back: the claim's own job, whose end
	// admits the next, ends after them.
	back sync.WaitGroup
	// broken: the other side did not answer as it should. Whoever has not begun
	// waits again, for a probe by fewer.
	broken atomic.Bool
	// timedOut: and that was a call which timed out.
	timedOut atomic.Bool
	all      sync.WaitGroup
}

// own works River's job: its answer is the worker's to River.
func (c *claimed) own(ctx context.Context, job heldJob, works map[uuid.UUID]work, runID uuid.UUID, err error) error {
	if err != nil {
		return err
	}
	w, ok := works[runID]
	if !ok {
		return river.JobCancel(fmt.Errorf("run %s does not exist", runID))
	}
	h := hand{work: w, job: job}
	if !h.waitsForIt() {
		// The run went on without this job; there is nothing to do for it.
		c.Logger.InfoContext(ctx, "job is of no run", "job_id", job.id(), "run_id", runID)
		return nil
	}
	if c.timedOut.Load() {
		// Another call of this claim has just timed out: this one would wait as long.
		say := c.report(h)
		say.Message = "waits, since another call to the shop was not answered"
		c.back.Wait()
		return job.putBack(ctx, verdict{snooze: busyWait, report: say}, errNoAnswer)
	}
	finish := c.call(ctx, h)
	c.back.Wait()
	return finish()
}

// begin works one of the taken jobs: its call here and now, its end behind it.
func (c *claimed) begin(ctx context.Context, h hand, err error) {
	switch {
	case err != nil, c.broken.Load(), time.Now().After(c.until), ctx.Err() != nil:
		c.back.Go(func() { _ = c.giveBack(ctx, h, c.report(h)) })
	case !h.waitsForIt():
		nothing := c.end(ctx, h, change{})
		c.Logger.InfoContext(ctx, "job is of no run", "job_id", h.job.id(), "error", nothing)
	default:
		finish := c.call(ctx, h)
		c.all.Go(func() { _ = finish() }) // on record and logged
	}
}

func (c *claimed) report(h hand) report {
	return report{Attempt: h.job.attempt(), Outcome: outcomeWait, HeldFor: heldFor(h.job.metadata())}
}

// call makes one call, in the time of one job; finish records what came of it.
func (c *claimed) call(ctx context.Context, h hand) (finish func() error) {
	started := c.Now()
	limited, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	var end change
	var then after
	err := h.connected()
	if err == nil {
		err = recovering(func() (err error) {
			end, then, err = c.do(limited, h)
			return err
		})
		c.judge(ctx, h.work, err)
	}
	return func() error {
		if err == nil {
			err = recovering(func() error { return c.end(ctx, h, end) })
			c.toldLate(ctx, h, end.told, err)
		}
		if err == nil && then != nil {
			then(ctx)
		}
		return c.concluded(ctx, h, started, err)
	}
}

// errNoAnswer is why a claim's own job is not worked.
var errNoAnswer = errors.New("another call of the claim was not answered")

// judge notes a failure that is the other side's and not the document's. That the shop
// did what was asked the jobs note themselves.
func (c *claimed) judge(ctx context.Context, w work, err error) {
	if err == nil {
		return
	}
	f := failureOf(err)
	if provider.Halts(f) {
		c.broken.Store(true)
	}
	switch f.Kind {
	case provider.Temporary:
		if f.NoAnswer != "" {
			c.timedOut.Store(true)
			c.noAnswer(ctx, w, f)
		}
	case provider.RateLimited, provider.Auth, provider.Refused, provider.Gone, provider.Held:
		c.reached(ctx, w)
	}
}

// waitsForIt reports whether the run waits for exactly this job.
func (h hand) waitsForIt() bool {
	return h.SyncRun.RiverJobID != nil && *h.SyncRun.RiverJobID == h.job.id()
}

// workOf is a row as the rest of the pipeline reads it.
func workOf(r dbsqlc.SyncRunClaimedRow, stage string) work {
	return work{stage: stage, others: r.Others, SyncRunWorkRow: dbsqlc.SyncRunWorkRow{
		SyncRun: dbsqlc.SyncRun{
			ID: r.ID, TenantID: r.TenantID, BindingID: r.BindingID, PolicyVersion: r.PolicyVersion, Event: r.Event,
			EntityType: r.EntityType, MagentoEntityID: r.MagentoEntityID, WebsiteID: r.WebsiteID, StoreID: r.StoreID, Lane: r.Lane,
			OccurredAt: r.OccurredAt, ReceivedAt: r.ReceivedAt, Backfill: r.Backfill, Status: r.Status, Stage: r.Stage,
			RiverJobID: r.RiverJobID, Attempt: r.Attempt, HoldReason: r.HoldReason, SkipReason: r.SkipReason, ErrorCode: r.ErrorCode,
			ProviderEntityID: r.ProviderEntityID, ProviderReference: r.ProviderReference, FinishedAt: r.FinishedAt, Canonical: r.Canonical, Decision: r.Decision,
		},
		Tenant: r.Tenant, Unanswered: r.Unanswered,
		Binding: dbsqlc.Binding{
			ID: r.BindingID, TenantID: r.TenantID, Provider: r.Provider, Wire: r.Wire, Status: r.BindingStatus, ApiUrl: r.ApiUrl, OrgID: r.OrgID, OrgKey: r.OrgKey,
			TokenSealed: r.TokenSealed, PolicyVersion: r.BindingPolicyVersion, PausedUntil: r.PausedUntil, Reference: r.Reference, ReferenceAt: r.ReferenceAt,
		},
		Policy: r.Policy,
	}}
}
