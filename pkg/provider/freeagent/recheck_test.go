package freeagent

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// stale is a reference of which every part differs from the ledger's.
func stale() provider.Reference {
	return provider.Reference{
		Organisation: provider.Organisation{ID: "1", Name: "Old", Timezone: "UTC"},
		TaxRates:     []provider.TaxRate{taxRate(dec("17.5"))},
		Categories:   []provider.IncomeCategory{{URL: "old"}},
		Accounts:     []provider.Account{{ID: "old"}},
		FetchedAt:    testNow().AddDate(0, 0, -1),
	}
}

func TestRecheck_reads_the_part_that_the_reason_is_about(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	withCategories, withCompany := stale(), stale()
	withCategories.Categories = b.ref.Categories
	withCompany.Organisation, withCompany.TaxRates = b.ref.Organisation, b.ref.TaxRates
	for reason, row := range map[string]struct {
		want       provider.Reference
		company    int
		categories int
	}{
		"account_archived":    {withCategories, 0, 1},
		"missing_mapping":     {withCategories, 0, 1},
		"tax_rate_not_mapped": {withCompany, 1, 0},
		"tax_type_invalid":    {withCompany, 1, 0},
		"period_locked":       {stale(), 0, 0},
		"contact_archived":    {stale(), 0, 0},
		"number_taken":        {stale(), 0, 0},
		"total_mismatch":      {stale(), 0, 0},
		"":                    {stale(), 0, 0},
	} {
		company, categories := b.sim.Count(freeagentsim.Company), b.sim.Count(freeagentsim.Categories)
		old := stale()
		got, err := b.client.Recheck(t.Context(), old, reason)
		require.NoError(t, err, reason)
		require.Equal(t, row.want, got, reason)
		require.Equal(t, stale(), old, reason)
		require.Equal(t, row.company, b.sim.Count(freeagentsim.Company)-company, reason)
		require.Equal(t, row.categories, b.sim.Count(freeagentsim.Categories)-categories, reason)
		require.Equal(t, 1, b.sim.Count(freeagentsim.BankAccounts), reason)
	}
}

func TestRecheck_part_that_the_server_lacks_becomes_unknown(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.Company, Status: 404})
	got, err := b.client.Recheck(t.Context(), stale(), "tax_rate_not_mapped")
	require.NoError(t, err)
	require.Nil(t, got.TaxRates)
	require.Empty(t, got.Organisation)
	require.Equal(t, stale().Categories, got.Categories)
}

func TestRecheck_leaves_everything_where_it_cannot_be_read(t *testing.T) {
	t.Parallel()
	b := setup(t, freeagentsim.Config{})
	b.sim.Inject(freeagentsim.Fault{Operation: freeagentsim.Categories, Status: 503})
	got, err := b.client.Recheck(t.Context(), stale(), "account_archived")
	require.Equal(t, provider.Temporary, failureIn(t, err).Kind)
	require.Equal(t, stale(), got)
}
