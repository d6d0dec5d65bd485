package account

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
)

// Neighbour is another live binding that writes to a binding's organisation.
type Neighbour struct {
	BindingID uuid.UUID `json:"binding_id"`
	TenantID  uuid.UUID `json:"tenant_id"`
	Shop      string    `json:"shop"`
	// SameNumbers: a prefix of its settings is one of the binding's too ("" is one),
	// so that an invoice of each may get one number.
	SameNumbers bool `json:"same_numbers"`
}

// Neighbours are the other live bindings of a binding's organisation, oldest first.
// One whose organisation is not known yet has none.
func Neighbours(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) ([]Neighbour, error) {
	queries := dbsqlc.New()
	rows, err := queries.BindingNeighbours(ctx, pool, binding.ID)
	if err != nil {
		return nil, fmt.Errorf("read who shares the organisation of binding %s: %w", binding.ID, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	own, err := queries.PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
	if err != nil {
		return nil, fmt.Errorf("read policy of binding %s: %w", binding.ID, err)
	}
	ours, err := prefixes(own.Policy)
	if err != nil {
		return nil, fmt.Errorf("read policy of binding %s: %w", binding.ID, err)
	}
	found := make([]Neighbour, len(rows))
	for i, row := range rows {
		theirs, err := prefixes(row.Policy)
		if err != nil {
			return nil, fmt.Errorf("read policy of binding %s: %w", row.ID, err)
		}
		same := slices.ContainsFunc(theirs, func(p string) bool { return slices.Contains(ours, p) })
		found[i] = Neighbour{BindingID: row.ID, TenantID: row.TenantID, Shop: row.Shop, SameNumbers: same}
	}
	return found, nil
}

// Advice is who else writes to a binding's organisation, and what to do so that
// their numbers do not clash; empty where nobody does.
func Advice(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) ([]Neighbour, string, error) {
	neighbours, err := Neighbours(ctx, pool, binding)
	if err != nil || len(neighbours) == 0 {
		return nil, "", err
	}
	tenant, err := dbsqlc.New().TenantGet(ctx, pool, binding.TenantID)
	if err != nil {
		return nil, "", fmt.Errorf("read tenant %s: %w", binding.TenantID, err)
	}
	return neighbours, NumberAdvice(tenant.Name, neighbours), nil
}

// prefixes are what may stand before the numbers of a binding's documents.
func prefixes(settings []byte) ([]string, error) {
	pol, _, err := policy.Parse(settings)
	if err != nil {
		return nil, err
	}
	all := slices.Collect(maps.Values(pol.NumberPrefixByStore))
	if pol.InvoiceNumberPrefix != nil {
		return append(all, *pol.InvoiceNumberPrefix), nil
	}
	return append(all, ""), nil
}

// NumberAdvice says that a binding shares its organisation, and what to set so that
// its numbers are its own; empty where it is alone. shop is its tenant's name.
func NumberAdvice(shop string, neighbours []Neighbour) string {
	if len(neighbours) == 0 {
		return ""
	}
	var names []string
	same := false
	for _, n := range neighbours {
		names = append(names, n.Shop+" (binding "+n.BindingID.String()+")")
		same = same || n.SameNumbers
	}
	text := "the organisation is also written to by " + strings.Join(names, ", ") + ", with which it shares its budget of calls"
	if !same {
		return text
	}
	return text + "; shops number alike, so give this one a number prefix of its own, for instance {\"invoice_number_prefix\":" +
		strconv.Quote(suggested(shop, len(neighbours)+1)) + "}, or its invoices will be held number_taken"
}

// suggested is a prefix made of the shop's name; it is an example, and the shop
// may choose another.
func suggested(shop string, nth int) string {
	letters := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, shop)
	if letters == "" {
		letters = "S"
	}
	return letters[:min(len(letters), 4)] + strconv.Itoa(nth) + "-"
}
