package specs_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/specs"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func Test_A_spec_says_all_that_others_ask(t *testing.T) {
	t.Parallel()
	for _, s := range specs.All() {
		require.NotEmpty(t, s.Title, s.Name)
		require.NotEmpty(t, s.Wires, s.Name)
		require.True(t, strings.HasPrefix(s.PairPath, "/"), s.Name)
		require.NotNil(t, s.OAuth.Endpoints, s.Name)
		require.NotNil(t, s.OAuth.Organisations, s.Name)
		require.NotEmpty(t, s.Wires[0].APIURL, "%s: its own wire has an address", s.Name)
		for _, w := range s.Wires {
			require.NotEmpty(t, w.Title, w.Name)
			require.NotEmpty(t, w.Operations, w.Name)
			require.Positive(t, w.Batch, w.Name)
			require.Positive(t, w.Limits.PerMinute, w.Name)
			require.Positive(t, w.Limits.AtOnce, w.Name)
			require.Equal(t, w.Name, specs.Wire(s.Name, w.Name).Name)
		}
	}
}

// every answers each wire of each provider.
func every(t *testing.T, f func(s provider.Spec, w provider.Wire)) {
	t.Helper()
	for _, s := range specs.All() {
		for _, w := range s.Wires {
			f(s, w)
		}
	}
}

func Test_Every_wire_has_a_client_and_a_check_of_its_settings(t *testing.T) {
	t.Parallel()
	made := clients.New(nil, outbound.Private{}, nil)
	every(t, func(s provider.Spec, w provider.Wire) {
		_, err := made.Ledger(dbsqlc.Binding{ID: uuid.New(), Provider: s.Name, Wire: w.Name, ApiUrl: "https://ledger.example"}, provider.Unlimited)
		require.NoError(t, err, "%s %s", s.Name, w.Name)
		require.Contains(t, policy.Wires(), w.Name)
	})
	_, err := made.Ledger(dbsqlc.Binding{Provider: "xero", Wire: "v3"}, provider.Unlimited)
	require.ErrorContains(t, err, `nothing speaks wire "v3"`)
}

// Labels are a closed list of their own, since metrics import nothing of ours.
func Test_Metrics_know_every_provider_and_operation(t *testing.T) {
	t.Parallel()
	var names []string
	called := oauth.Operations()
	every(t, func(s provider.Spec, w provider.Wire) {
		names = append(names, s.Name)
		called = append(called, w.Operations...)
	})
	require.ElementsMatch(t, metrics.Providers(), slices.Compact(names))
	slices.Sort(called)
	require.ElementsMatch(t, metrics.ProviderOperations(), slices.Compact(called))
}

// The database knows of a provider what its functions and constraints ask.
func Test_The_database_agrees_with_the_specs(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	every(t, func(s provider.Spec, w provider.Wire) {
		var may bool
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT towpath_may_duplicate($1, $2)", s.Name, w.Name).Scan(&may))
		require.Equal(t, w.MayDuplicate, may, s.Name+" "+w.Name)
		require.Equal(t, w.Name == provider.WireV2, may, "wire v2 is FreeAgent's, whoever the provider is")
	})
	var constraint string
	require.NoError(t, pool.QueryRow(t.Context(), `
		SELECT string_agg(pg_get_constraintdef(oid), ' ')
		FROM pg_constraint
		WHERE conrelid = 'bindings'::regclass AND contype = 'c'`).Scan(&constraint))
	every(t, func(s provider.Spec, w provider.Wire) {
		require.Contains(t, constraint, "'"+s.Name+"'")
		require.Contains(t, constraint, "'"+w.Name+"'")
	})
}

func Test_An_unknown_provider_has_its_own_name_for_a_title(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Xero", specs.Title("xero"))
	require.Equal(t, "sage", specs.Title("sage"))
	_, known := specs.Of("sage")
	require.False(t, known)
}

func Test_What_a_token_reaches_is_read_as_each_provider_says_it(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"xero":      `[{"tenantId":"7","tenantType":"ORGANISATION","tenantName":"Ours"},{"tenantId":"8","tenantType":"PRACTICE","tenantName":"x"}]`,
		"freeagent": `{"company":{"id":7,"name":"Ours"}}`,
	} {
		s, _ := specs.Of(name)
		require.True(t, json.Valid([]byte(body)))
		found, err := s.OAuth.Organisations([]byte(body))
		require.NoError(t, err)
		require.Equal(t, []provider.Reached{{ID: "7", Name: "Ours"}}, found)
		_, err = s.OAuth.Organisations([]byte("<html>"))
		require.Error(t, err)
	}
}
