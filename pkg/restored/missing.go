package restored

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/canon"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/gaps"
	"towpath/pkg/provider"
)

const (
	// misses is how many ids in a row a shop may not have before it is taken to have no
	// later ones: saves that are rolled back leave ids out, and clusters count in steps.
	misses = 25
	// most is how many documents of a shop are asked for beyond the last known.
	most = 10_000
	// unpaidFor is how far before the restore an invoice may have come that was paid since.
	unpaidFor = 60 * 24 * time.Hour
)

// Missing is what a shop has and no event here names.
type Missing struct {
	Tenant    string    `json:"tenant"`
	BindingID uuid.UUID `json:"binding_id"`
	Event     string    `json:"event"`
	IDs       string    `json:"ids"` // as backfill takes them
	Command   string    `json:"command"`
	// Error is why the shop could not be asked; then nothing is known.
	Error string `json:"error,omitempty"`
}

// Search asks shops for what a restore forgot. It reads only, here and there.
type Search struct {
	Pool    *pgxpool.Pool
	Clients clients.Factory
}

// Missing asks every shop for the documents after the last that was known at a time, and
// for the state of the invoices whose payment is not known: a payment is asked for only
// where the shop says that the invoice is paid.
func (s Search) Missing(ctx context.Context, backTo time.Time) ([]Missing, error) {
	bindings, err := queries.RestoreKnown(ctx, s.Pool, backTo)
	if err != nil {
		return nil, fmt.Errorf("read what was known: %w", err)
	}
	all := []Missing{}
	for _, b := range bindings {
		found, err := s.of(ctx, b, backTo)
		if err != nil {
			found = append(found, Missing{Tenant: b.Tenant, BindingID: b.BindingID, Error: err.Error()})
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s Search) of(ctx context.Context, b dbsqlc.RestoreKnownRow, backTo time.Time) ([]Missing, error) {
	tenant, err := queries.TenantGet(ctx, s.Pool, b.TenantID)
	if err != nil {
		return nil, fmt.Errorf("read tenant: %w", err)
	}
	shop, err := s.Clients.Shop(tenant)
	if err != nil {
		return nil, err
	}
	var invoices, paid []int64
	there := func(id int64) (bool, error) {
		_, inv, err := shop.Invoice(ctx, id)
		if err == nil && inv.State == canon.StatePaid {
			paid = append(paid, id)
		}
		return exists(err)
	}
	unpaid, err := queries.RestoreUnpaid(ctx, s.Pool, dbsqlc.RestoreUnpaidParams{BindingID: b.BindingID, Since: backTo.Add(-unpaidFor), BackTo: backTo})
	if err != nil {
		return nil, fmt.Errorf("read invoices without a payment: %w", err)
	}
	for _, id := range unpaid {
		if _, err := there(id); err != nil {
			return nil, err
		}
	}
	memo := func(id int64) (bool, error) {
		_, _, err := shop.CreditMemo(ctx, id)
		return exists(err)
	}
	var unknown []error
	if invoices, err = after(b.LastInvoice, "invoice", there); errors.Is(err, errNoneKnown) {
		unknown, paid = append(unknown, err), nil
	} else if err != nil {
		return nil, err
	}
	memos, err := after(b.LastMemo, "credit memo", memo)
	if errors.Is(err, errNoneKnown) {
		unknown = append(unknown, err)
	} else if err != nil {
		return nil, err
	}
	var all []Missing
	for _, found := range []struct {
		event string
		ids   []int64
		more  string
	}{{"invoice.created", invoices, ""}, {"invoice.paid", paid, " --occurred-at " + backTo.UTC().Format(time.RFC3339)}, {"creditmemo.created", memos, ""}} {
		ids, err := s.unnamed(ctx, b.BindingID, found.event, found.ids)
		if err != nil {
			return nil, err
		}
		if len(ids) > 0 {
			of := gaps.Ranges(ids)
			all = append(all, Missing{Tenant: b.Tenant, BindingID: b.BindingID, Event: found.event, IDs: of,
				Command: fmt.Sprintf("towpath backfill --binding %s --event %s --ids %s%s", b.BindingID, found.event, of, found.more)})
		}
	}
	return all, errors.Join(unknown...)
}

// errNoneKnown is of a shop that may have begun to send long after its first document.
var errNoneKnown = errors.New("was known here then, and the shop has some: ask by their ids for those since (towpath backfill --ids)")

// after are the ids beyond last that a shop has.
func after(last int64, what string, there func(id int64) (bool, error)) ([]int64, error) {
	var ids []int64
	for id, missed := last+1, 0; missed < misses && len(ids) < most; id++ {
		found, err := there(id)
		if err != nil {
			return nil, err
		}
		if found && last == 0 {
			return nil, fmt.Errorf("no %s %w", what, errNoneKnown)
		}
		if missed++; found {
			ids, missed = append(ids, id), 0
		}
	}
	return ids, nil
}

// exists reads a shop's answer: one that cannot be understood is of a document that is there.
func exists(err error) (bool, error) {
	if err == nil {
		return true, nil
	}
	switch f := provider.AsFailure(err); f.Kind {
	case provider.Gone:
		return false, nil
	case provider.Bug:
		return true, nil
	default:
		return false, fmt.Errorf("ask the shop: %s", strings.TrimSuffix(f.Message, "."))
	}
}

// unnamed are the ids that no event names.
func (s Search) unnamed(ctx context.Context, binding uuid.UUID, event string, ids []int64) ([]int64, error) {
	named, err := queries.RestoreNamed(ctx, s.Pool, dbsqlc.RestoreNamedParams{BindingID: binding, Event: event, Ids: ids})
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", event, err)
	}
	left := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return slices.Contains(named, id) })
	slices.Sort(left)
	return left, nil
}
