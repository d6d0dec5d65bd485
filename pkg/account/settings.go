package account

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
	"towpath/pkg/policy"
	"towpath/riverjobs"
)

// Proposal is settings beside those that are in force.
type Proposal struct {
	Version int32 // the one in force, which they are compared with
	Policy  policy.Policy
	Changes []policy.Change
	Dropped []string // set in force, not named by the file: back to their defaults
	Held    int64    // runs that are tried again under them
}

// Propose compares settings with a binding's in force. raw is the file that p was read
// from; nil: every setting is meant as it stands in p.
func Propose(ctx context.Context, db dbsqlc.DBTX, binding dbsqlc.Binding, raw []byte, p policy.Policy) (Proposal, error) {
	made := Proposal{Version: binding.PolicyVersion, Policy: p, Dropped: []string{}}
	before, err := Settings(ctx, db, binding.ID, binding.PolicyVersion)
	if err != nil {
		return made, err
	}
	made.Changes = policy.Changes(before, p)
	if raw != nil {
		made.Dropped = policy.Dropped(raw, before)
	}
	_, made.Held, err = WaitingRuns(ctx, db, binding.ID)
	return made, err
}

// StoredSettings is a version of a binding's settings as it was saved. ErrNoVersion.
func StoredSettings(ctx context.Context, db dbsqlc.DBTX, id uuid.UUID, version int32) (json.RawMessage, error) {
	row, err := dbsqlc.New().PolicyGet(ctx, db, dbsqlc.PolicyGetParams{BindingID: id, Version: version})
	if isNoRow(err) {
		return nil, ErrNoVersion
	}
	if err != nil {
		return nil, fmt.Errorf("read policy version %d: %w", version, err)
	}
	return row.Policy, nil
}

// Settings reads a version of a binding's settings; what an older program took and this
// one would refuse has its default. ErrNoVersion.
func Settings(ctx context.Context, db dbsqlc.DBTX, id uuid.UUID, version int32) (policy.Policy, error) {
	raw, err := StoredSettings(ctx, db, id, version)
	if err != nil {
		return policy.Policy{}, err
	}
	p, _, err := policy.Parse(raw)
	if err != nil {
		return p, fmt.Errorf("read policy version %d: %w", version, err)
	}
	return p, nil
}

// SettingsVersion is one version of a binding's settings, and what it changed.
type SettingsVersion struct {
	Version   int32           `json:"version"`
	CreatedAt time.Time       `json:"created_at"`
	Who       *string         `json:"who"` // nil: nobody, or not known
	InForce   bool            `json:"in_force"`
	Changes   []policy.Change `json:"changes"` // against the version before, the first against the defaults
}

// SettingsHistory are all versions of a binding's settings, the newest first.
func SettingsHistory(ctx context.Context, db dbsqlc.DBTX, binding dbsqlc.Binding) ([]SettingsVersion, error) {
	rows, err := dbsqlc.New().PolicyList(ctx, db, binding.ID)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	history, before := []SettingsVersion{}, policy.Default()
	for _, row := range rows {
		p, _, err := policy.Parse(row.Policy)
		if err != nil {
			return nil, fmt.Errorf("read policy version %d: %w", row.Version, err)
		}
		history = append(history, SettingsVersion{
			Version: row.Version, CreatedAt: row.CreatedAt, Who: row.Who, InForce: row.Version == binding.PolicyVersion,
			Changes: policy.Changes(before, p),
		})
		before = p
	}
	slices.Reverse(history)
	return history, nil
}

// SavePolicy stores a new version of the settings, makes it the binding's and
// releases the held runs. The caller has checked p, and compared it with version over:
// where another one is in force by now nothing is saved. ErrSettingsMoved,
// ErrBindingRevoked.
func SavePolicy(ctx context.Context, op *riverjobs.Operator, id uuid.UUID, p policy.Policy, over int32) (version int32, released int, err error) {
	queries := dbsqlc.New()
	err = pgdb.InTx(ctx, op.Pool, func(tx pgx.Tx) error {
		locked, err := queries.BindingLock(ctx, tx, id)
		switch {
		case err != nil:
			return fmt.Errorf("lock binding: %w", err)
		case locked.Status == "revoked":
			return ErrBindingRevoked
		case locked.PolicyVersion != over:
			return ErrSettingsMoved
		}
		version = over + 1
		err = queries.PolicyInsert(ctx, tx, dbsqlc.PolicyInsertParams{BindingID: id, Version: version, Policy: policy.Encode(p), Who: &op.Who})
		if err != nil {
			return fmt.Errorf("store policy: %w", err)
		}
		err = queries.BindingSetPolicyVersion(ctx, tx, dbsqlc.BindingSetPolicyVersionParams{ID: id, PolicyVersion: version})
		if err != nil {
			return fmt.Errorf("set policy version: %w", err)
		}
		if released, err = op.ReleaseHeld(ctx, tx, id, version); err != nil {
			return err
		}
		was, err := Settings(ctx, tx, id, over)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, op.Who, settingsEntry(locked, version, policy.Changes(was, p)))
	})
	return version, released, err
}

// settingsEntry is what a new version changed. The shared contact may be a person's: its
// name and address are in the version only.
func settingsEntry(binding dbsqlc.Binding, version int32, changes []policy.Change) audit.Entry {
	e := audit.Entry{Action: audit.SettingsSaved, Tenant: binding.TenantID, Binding: binding.ID,
		Before: map[string]any{"policy_version": version - 1}, After: map[string]any{"policy_version": version}}
	for _, c := range changes {
		if strings.HasPrefix(c.Field, "b2c_consolidation.fallback_") {
			e.Before[c.Field], e.After[c.Field] = "not recorded", "not recorded"
			continue
		}
		if c.Before != nil {
			e.Before[c.Field] = c.Before
		}
		if c.After != nil {
			e.After[c.Field] = c.After
		}
	}
	return e
}
