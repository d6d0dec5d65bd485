package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
)

// AmbiguousError: a name is that of several. Each candidate begins with its id.
type AmbiguousError struct {
	Name       string
	Candidates []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is the name of %d: %s; give the id of one", e.Name, len(e.Candidates), strings.Join(e.Candidates, ", "))
}

// maxShopName is how long a shop's name may be, in characters.
const maxShopName = 200

// CheckShopName judges the name that people know a shop by, before it is stored: lines,
// terminals and commands show it.
func CheckShopName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxShopName:
		return fmt.Errorf("it has more than %d characters", maxShopName)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("it has line breaks, control or invisible characters; leave them out")
	}
	return nil
}

// FindTenant is the tenant that a person means: by its id, or by its name in whatever
// case. ErrNoTenant, an *AmbiguousError.
func FindTenant(ctx context.Context, db dbsqlc.DBTX, text string) (dbsqlc.Tenant, error) {
	queries := dbsqlc.New()
	if id, err := uuid.Parse(text); err == nil {
		tenant, err := queries.TenantGet(ctx, db, id)
		if isNoRow(err) {
			return tenant, ErrNoTenant
		}
		return tenant, read("tenant", text, err)
	}
	found, err := queries.TenantByName(ctx, db, text)
	if err != nil {
		return dbsqlc.Tenant{}, read("tenant", text, err)
	}
	candidate := func(t dbsqlc.Tenant) string { return fmt.Sprintf("%s (%s)", t.ID, t.MagentoUrl) }
	return onlyOne(text, found, candidate, ErrNoTenant)
}

// FindBinding is the binding that a person means: by its id, or by its tenant's name. A
// name means the live one where there is one. ErrNoBinding, an *AmbiguousError.
func FindBinding(ctx context.Context, db dbsqlc.DBTX, text string) (dbsqlc.Binding, error) {
	queries := dbsqlc.New()
	if id, err := uuid.Parse(text); err == nil {
		binding, err := queries.BindingGet(ctx, db, id)
		if isNoRow(err) {
			return binding, ErrNoBinding
		}
		return binding, read("binding", text, err)
	}
	found, err := queries.BindingByTenantName(ctx, db, text)
	if err != nil {
		return dbsqlc.Binding{}, read("binding", text, err)
	}
	revoked := func(b dbsqlc.Binding) bool { return b.Status == "revoked" }
	if live := slices.DeleteFunc(slices.Clone(found), revoked); len(live) > 0 {
		found = live
	}
	candidate := func(b dbsqlc.Binding) string { return fmt.Sprintf("%s (%s, %s)", b.ID, b.Provider, b.Status) }
	return onlyOne(text, found, candidate, ErrNoBinding)
}

// onlyOne is the one that was found.
func onlyOne[T any](name string, found []T, candidate func(T) string, none error) (one T, err error) {
	switch len(found) {
	case 0:
		return one, none
	case 1:
		return found[0], nil
	}
	several := &AmbiguousError{Name: name}
	for _, each := range found {
		several.Candidates = append(several.Candidates, candidate(each))
	}
	return one, several
}

func read(what, name string, err error) error {
	if err != nil {
		return fmt.Errorf("read %s %q: %w", what, name, err)
	}
	return nil
}
