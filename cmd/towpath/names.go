package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/find"
)

// findTenant is the tenant that flag, or an argument, names.
func findTenant(ctx context.Context, pool *pgxpool.Pool, text string) (dbsqlc.Tenant, error) {
	tenant, err := account.FindTenant(ctx, pool, text)
	if errors.Is(err, account.ErrNoTenant) {
		return tenant, nobody(text, "tenant")
	}
	return tenant, ifAmbiguous(err)
}

// findBinding is the binding that flag, or an argument, names.
func findBinding(ctx context.Context, pool *pgxpool.Pool, text string) (dbsqlc.Binding, error) {
	binding, err := account.FindBinding(ctx, pool, text)
	if errors.Is(err, account.ErrNoBinding) {
		return binding, nobody(text, "binding")
	}
	return binding, ifAmbiguous(err)
}

// ifAmbiguous makes a wrong use of a name that several have.
func ifAmbiguous(err error) error {
	var several *account.AmbiguousError
	if errors.As(err, &several) {
		return usageError{several}
	}
	return err
}

// nobody is the error of an id that there is not, and the wrong use of what is neither an
// id nor the name of one.
func nobody(text, what string) error {
	if uuid.Validate(text) == nil {
		return fmt.Errorf("there is no %s %s (see: towpath %s list)", what, text, what)
	}
	return wrongUse("there is no %s %q (see: towpath %s list)", what, text, what)
}

// quoted is an id as it is, and a name as a shell takes it.
func quoted(text string) string {
	if uuid.Validate(text) == nil {
		return text
	}
	return fmt.Sprintf("%q", text)
}

// findRun is the run that an argument names by its id, or by a number that it alone has:
// the document's, or the provider's. Names of buyers and amounts, which runs show takes
// too, choose nothing that is acted on.
func findRun(ctx context.Context, pool *pgxpool.Pool, text string) (uuid.UUID, error) {
	if id, err := uuid.Parse(text); err == nil {
		return id, nil
	}
	ids, err := find.Runs(ctx, pool, find.Request{Text: text})
	if err != nil {
		return uuid.Nil, err
	}
	list, err := dbsqlc.New().SyncRunList(ctx, pool, dbsqlc.SyncRunListParams{Found: ids, MaxRows: find.Most})
	if err != nil {
		return uuid.Nil, fmt.Errorf("list runs: %w", err)
	}
	list = slices.DeleteFunc(list, func(r dbsqlc.SyncRunListRow) bool {
		return !strings.EqualFold(r.Number, text) && (r.ProviderReference == nil || !strings.EqualFold(*r.ProviderReference, text))
	})
	switch len(list) {
	case 0:
		return uuid.Nil, fmt.Errorf("no run has the id or number %q (see: towpath runs list)", text)
	case 1:
		return list[0].ID, nil
	}
	several := &account.AmbiguousError{Name: text}
	for _, r := range list {
		several.Candidates = append(several.Candidates, fmt.Sprintf("%s (%s of %s, %s)", r.ID, r.Event, r.Tenant, r.Status))
	}
	return uuid.Nil, ifAmbiguous(several)
}

// oneOf are the values of a flag in the spelling that is known, whatever case they were
// given in; nil where there is none.
func oneOf(flag string, values, known []string) ([]string, error) {
	var found []string
	for _, value := range values {
		value = strings.TrimSpace(value)
		at := slices.IndexFunc(known, func(one string) bool { return strings.EqualFold(one, value) })
		if at < 0 {
			return nil, wrongUse("%s is %q; use %s", flag, value, strings.Join(known, ", "))
		}
		found = append(found, known[at])
	}
	return found, nil
}
