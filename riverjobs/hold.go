package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
)

// A held run looks again by itself. Where many wait for the same thing (a lock
// date, the plan's cap), one of them looks every five minutes, after half an hour
// every quarter of an hour, and the others hourly; as soon as one gets through, all
// that were held for the same reason go on. So a hold costs few calls, however many
// runs are in it and however long it lasts.
const (
	holdRecheck = 5 * time.Minute
	laterLook   = 15 * time.Minute
	firstLooks  = 6
	restRecheck = time.Hour
)

// nextLook is when a run that is being held looks again: soon for the one that
// claims the look, in about an hour for the others. If the claim fails it looks
// soon, which only costs a call.
func (p *pipeline) nextLook(ctx context.Context, h hand, v verdict) time.Duration {
	look := v.snooze
	if snoozes(h.job.metadata()) >= firstLooks {
		look = max(look, laterLook)
	}
	_, err := p.queries.HoldLookClaim(ctx, p.Pool, dbsqlc.HoldLookClaimParams{
		BindingID: h.Binding.ID, Stage: h.stage, Reason: v.report.Reason, RunID: h.SyncRun.ID, Seconds: (look + time.Minute).Seconds(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return max(look, jittered(restRecheck))
	}
	return look
}

// heldFor is the reason for which a job's run was held last before this attempt;
// empty where it never was. What it met on its way since does not matter.
func heldFor(metadata []byte) string {
	var said map[string]json.RawMessage
	var before report
	if json.Unmarshal(metadata, &said) != nil || json.Unmarshal(said[reportKey], &before) != nil {
		return ""
	}
	if before.Outcome == outcomeHeld && !before.Parked {
		return before.Reason
	}
	return before.HeldFor
}

// gotThrough lets the runs go on that are held for what this one was held for. If
// it is lost, they look by themselves.
func (p *pipeline) gotThrough(ctx context.Context, h hand) {
	reason := heldFor(h.job.metadata())
	if reason == "" {
		return
	}
	err := pgdb.InTx(ctx, p.Pool, func(tx pgx.Tx) error {
		if err := p.queries.HoldLookEnd(ctx, tx, dbsqlc.HoldLookEndParams{BindingID: h.Binding.ID, RunID: h.SyncRun.ID}); err != nil {
			return fmt.Errorf("end the look: %w", err)
		}
		binding, err := p.queries.BindingGet(ctx, tx, h.Binding.ID)
		if err != nil {
			return fmt.Errorf("read binding: %w", err)
		}
		_, err = releaseHeld(ctx, tx, binding, &reason, p.who)
		return err
	})
	if err != nil {
		p.Logger.WarnContext(ctx, "runs held for the same reason not released", "reason", reason, "error", err)
	}
}

// releaseHeld lets a binding's held runs (of one reason, or of all) wait for their
// turn again, under the settings as they are now.
func releaseHeld(ctx context.Context, tx pgx.Tx, binding dbsqlc.Binding, reason *string, who string) (int, error) {
	jobs, err := dbsqlc.New().SyncRunHeldJobs(ctx, tx, dbsqlc.SyncRunHeldJobsParams{BindingID: binding.ID, HoldReason: reason})
	if err != nil {
		return 0, fmt.Errorf("find held runs: %w", err)
	}
	return len(jobs), release(ctx, tx, binding, jobs, who)
}

// release puts jobs that wait for a time in line for their turn, and admits those
// for which there is room. The jobs are locked.
func release(ctx context.Context, tx pgx.Tx, binding dbsqlc.Binding, jobs []int64, who string) error {
	if len(jobs) == 0 {
		return nil
	}
	queries := dbsqlc.New()
	if err := queries.QueuePark(ctx, tx, jobs); err != nil {
		return fmt.Errorf("park %d jobs: %w", len(jobs), err)
	}
	_, err := queries.SyncRunUnhold(ctx, tx, dbsqlc.SyncRunUnholdParams{PolicyVersion: binding.PolicyVersion, JobIds: jobs, Who: who})
	if err != nil {
		return fmt.Errorf("release %d runs: %w", len(jobs), err)
	}
	for _, k := range kinds() {
		if k.stage == stagePush {
			continue // its runs have ended, and are not held
		}
		share := partitionOf(k.stage, binding.TenantID, binding.ID)
		if _, err := queries.QueueAdmit(ctx, tx, dbsqlc.QueueAdmitParams{Kind: k.name, Share: share.String()}); err != nil {
			return fmt.Errorf("admit %s: %w", k.name, err)
		}
	}
	return nil
}

// ReleaseHeld lets every held run of a binding look again now, under the given
// policy version. It is part of the transaction that changed the settings.
func (o *Operator) ReleaseHeld(ctx context.Context, tx pgx.Tx, bindingID uuid.UUID, policyVersion int32) (int, error) {
	binding, err := lookAgain(ctx, tx, bindingID)
	if err != nil {
		return 0, err
	}
	binding.PolicyVersion = policyVersion
	return releaseHeld(ctx, tx, binding, nil, o.Who)
}

// ReleaseReason lets every run that is held for a reason look again now, a transaction a
// binding: where one fails, those before it are released, and a repeat goes on. What still
// cannot go on is held again, without a call where the settings are at fault.
func (o *Operator) ReleaseReason(ctx context.Context, reason string) error {
	bindings, err := dbsqlc.New().SyncRunHeldBindings(ctx, o.Pool, reason)
	if err != nil {
		return fmt.Errorf("find what is held for %q: %w", reason, err)
	}
	for _, id := range bindings {
		err := pgdb.InTx(ctx, o.Pool, func(tx pgx.Tx) error {
			binding, err := lookAgain(ctx, tx, id)
			if err != nil {
				return err
			}
			n, err := releaseHeld(ctx, tx, binding, &reason, o.Who)
			if err != nil || n == 0 {
				return err
			}
			return audit.Write(ctx, tx, o.Who, audit.Entry{Action: audit.RunsReleased, Tenant: binding.TenantID, Binding: id,
				Before: map[string]any{"hold_reason": reason, "runs": n}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lookAgain reads a binding, whose next look at the ledger's settings is a fresh one.
func lookAgain(ctx context.Context, tx pgx.Tx, id uuid.UUID) (dbsqlc.Binding, error) {
	binding, err := dbsqlc.New().BindingGet(ctx, tx, id)
	if err != nil {
		return binding, fmt.Errorf("read binding %s: %w", id, err)
	}
	if err := dbsqlc.New().BindingLookAgain(ctx, tx, id); err != nil {
		return binding, fmt.Errorf("let binding %s look again: %w", id, err)
	}
	return binding, nil
}
