// Package audit records who changed what: a row for each change that a person made, by a
// page or by the command line, written in the change's own transaction, so that neither is
// there without the other. A row holds no secret and no data of the shops' customers.
//
// Changes that nobody made (a worker that finds a token refused, a shop that disconnects)
// are in the log and the run's history, not here.
package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
)

// What was done: a closed list.
const (
	TenantCreated  = "tenant.created"
	TenantPaired   = "tenant.paired"
	TenantChanged  = "tenant.changed"
	KeyReplaced    = "tenant.key_replaced"
	TenantDeleted  = "tenant.deleted"
	BindingCreated = "binding.created"
	BindingChanged = "binding.changed"
	TokenReplaced  = "binding.token_replaced"
	AppReplaced    = "binding.app_replaced"
	BindingRevoked = "binding.revoked"
	SettingsSaved  = "settings.saved"
	RunRetried     = "run.retried"
	RunCancelled   = "run.cancelled"
	RunsReleased   = "runs.released"
	UserAdded      = "user.added"
	UserChanged    = "user.changed"
	UserDeleted    = "user.deleted"

	RestoreTold         = "restore.told"
	RestoreAcknowledged = "restore.acknowledged"
)

// Actions are all of them.
func Actions() []string {
	return []string{
		TenantCreated, TenantPaired, TenantChanged, KeyReplaced, TenantDeleted, BindingCreated, BindingChanged, TokenReplaced, AppReplaced,
		BindingRevoked, SettingsSaved, RunRetried, RunCancelled, RunsReleased, UserAdded, UserChanged, UserDeleted, RestoreTold, RestoreAcknowledged,
	}
}

// Entry is one change. Ids that are zero are not said; nothing refers to them, so that a
// row outlives what it is about.
type Entry struct {
	Action               string
	Tenant, Binding, Run uuid.UUID
	// Before and After are what was changed, of the changed parts only; nil: nothing.
	Before, After map[string]any
}

type personKey struct{}

// As says who acts in what is done with the context. Each command and each request says
// it once, where it knows.
func As(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, personKey{}, who)
}

// Who acts; empty where no person does.
func Who(ctx context.Context) string {
	who, _ := ctx.Value(personKey{}).(string)
	return who
}

// Write records a change inside the transaction that makes it. Where no person acts there
// is nothing to record.
func Write(ctx context.Context, tx dbsqlc.DBTX, who string, e Entry) error {
	if who == "" {
		return nil
	}
	before, err := encode(e.Before)
	if err != nil {
		return err
	}
	after, err := encode(e.After)
	if err != nil {
		return err
	}
	err = dbsqlc.New().AuditInsert(ctx, tx, dbsqlc.AuditInsertParams{
		Who: who, Action: e.Action, TenantID: id(e.Tenant), BindingID: id(e.Binding), RunID: id(e.Run), Before: before, After: after,
	})
	if err != nil {
		return fmt.Errorf("record %s for the audit: %w", e.Action, err)
	}
	return nil
}

func encode(values map[string]any) (json.RawMessage, error) {
	if len(values) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode for the audit: %w", err)
	}
	return raw, nil
}

func id(v uuid.UUID) *uuid.UUID {
	if v == uuid.Nil {
		return nil
	}
	return &v
}
