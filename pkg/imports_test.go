// Package pkg_test checks who imports whom, in the whole module.
package pkg_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "towpath"
	river  = "github.com/riverqueue/"
)

// rule is what the files of one package may import of ours, and whether River.
// Names are relative to the module. Tests may besides import their own package,
// the simulated servers, and what is for tests.
type rule struct {
	code  []string // every file
	tests []string // files that end in _test.go, besides code
	river string   // "", "tests" or "all"
}

// rules are the table: every package of the module, the outermost last.
func rules() map[string]rule {
	return map[string]rule{
		// These import nothing of ours, but what makes others' words harmless.
		"pkg/canon":      {},
		"pkg/provider":   {code: []string{"pkg/foreign"}},
		"pkg/secret":     {},
		"pkg/logline":    {},
		"pkg/metrics":    {},
		"pkg/shopjwt":    {},
		"pkg/dbsqlc":     {},
		"pkg/outbound":   {},
		"pkg/recorder":   {code: []string{"pkg/mistake"}, tests: []string{"pkg/pgdb"}},
		"pkg/foreign":    {},
		"pkg/stack":      {},
		"pkg/monitoring": {},
		"pkg/mistake":    {},
		"pkg/completion": {},
		"pkg/audit":      {code: []string{"pkg/dbsqlc"}},
		"pkg/manpage":    {},
		"pkg/systemd":    {},

		"sql":         {tests: []string{"pkg/pgdb", "pkg/quota"}, river: "tests"},
		"pkg/pgdb":    {code: []string{"sql"}, river: "all"}, // River's migrations
		"pkg/policy":  {code: []string{"pkg/canon", "pkg/provider"}},
		"pkg/pricing": {code: []string{"pkg/canon", "pkg/foreign", "pkg/provider"}, tests: []string{"pkg/policy"}},
		"pkg/users":   {code: []string{"pkg/audit", "pkg/dbsqlc"}},
		"pkg/idp":     {code: []string{"pkg/foreign", "pkg/outbound", "pkg/secret", "pkg/users"}},
		"pkg/syncrun": {code: []string{"pkg/dbsqlc", "pkg/mistake"}, tests: []string{"pkg/policy"}},
		"pkg/quota":   {code: []string{"pkg/dbsqlc", "pkg/provider", "pkg/provider/specs"}, tests: []string{"pkg/outbound", "pkg/pgdb", "pkg/provider/xero"}},
		"pkg/oauth": {
			code:  []string{"pkg/dbsqlc", "pkg/foreign", "pkg/outbound", "pkg/provider", "pkg/provider/specs", "pkg/secret"},
			tests: []string{"pkg/policy", "pkg/pgdb"},
		},

		// The outside.
		"pkg/magento":            {code: []string{"pkg/canon", "pkg/foreign", "pkg/outbound", "pkg/provider", "pkg/provider/specs", "pkg/secret", "pkg/shopjwt"}},
		"pkg/provider/xero":      {code: []string{"pkg/canon", "pkg/foreign", "pkg/mistake", "pkg/policy", "pkg/pricing", "pkg/provider"}},
		"pkg/provider/freeagent": {code: []string{"pkg/canon", "pkg/foreign", "pkg/policy", "pkg/pricing", "pkg/provider"}},

		"pkg/provider/specs": {
			code:  []string{"pkg/provider", "pkg/provider/freeagent", "pkg/provider/xero"},
			tests: []string{"pkg/clients", "pkg/dbsqlc", "pkg/metrics", "pkg/oauth", "pkg/outbound", "pkg/policy"},
		},

		// The front door knows no job kind and no River; the jobs know no provider.
		"pkg/ingress": {
			code:  []string{"pkg/dbsqlc", "pkg/foreign", "pkg/metrics", "pkg/recorder", "pkg/secret", "pkg/shopjwt", "pkg/syncrun"},
			tests: []string{"pkg/pgdb"}, river: "tests",
		},
		"pkg/dashboard": {
			code: []string{
				"pkg/account", "pkg/actions", "pkg/audit", "pkg/dbsqlc", "pkg/magento", "pkg/find", "pkg/foreign", "pkg/form", "pkg/gaps", "pkg/idp", "pkg/policy", "pkg/provider", "pkg/provider/specs", "pkg/quota", "pkg/secret",
				"pkg/bulk",
				"pkg/syncrun", "pkg/users",
			},
			tests: []string{"pkg/clients", "pkg/outbound", "pkg/pgdb", "pkg/shopjwt", "riverjobs"},
		},
		"riverjobs": {
			code:  []string{"pkg/audit", "pkg/quota", "pkg/canon", "pkg/dbsqlc", "pkg/find", "pkg/foreign", "pkg/magento", "pkg/metrics", "pkg/mistake", "pkg/pgdb", "pkg/policy", "pkg/provider", "pkg/recorder", "pkg/syncrun"},
			tests: []string{"pkg/outbound", "pkg/provider/freeagent", "pkg/provider/xero", "pkg/secret", "pkg/shopjwt", "sql"}, river: "all",
		},

		// What people do to tenants, bindings and policies.
		"pkg/account": {
			code: []string{
				"pkg/audit", "pkg/dbsqlc", "pkg/magento", "pkg/oauth", "pkg/outbound", "pkg/pgdb", "pkg/policy", "pkg/provider", "pkg/provider/specs", "pkg/secret", "pkg/shopjwt",
				"riverjobs",
			},
			tests: []string{"pkg/pgdb"},
		},

		// What would be written, under these settings and under others.
		"pkg/explain": {code: []string{"pkg/canon", "pkg/dbsqlc", "pkg/policy", "pkg/provider"}},
		"pkg/whatif": {
			code:  []string{"pkg/dbsqlc", "pkg/explain", "pkg/policy", "pkg/provider"},
			tests: []string{"pkg/canon", "pkg/provider/xero"},
		},

		// The clients of all providers, made out of rows, and what is read by them.
		"pkg/clients": {code: []string{"pkg/dbsqlc", "pkg/magento", "pkg/metrics", "pkg/oauth", "pkg/outbound", "pkg/provider", "pkg/provider/freeagent", "pkg/provider/specs", "pkg/provider/xero", "pkg/secret", "riverjobs"}},
		"pkg/refdata": {code: []string{"pkg/clients", "pkg/dbsqlc", "pkg/metrics", "pkg/policy", "pkg/provider", "pkg/quota", "riverjobs"}},

		// What a person does with a shop or a binding, and its settings as a form.
		"pkg/actions": {code: []string{"pkg/account", "pkg/audit", "pkg/clients", "pkg/dbsqlc", "pkg/oauth", "pkg/shopjwt", "pkg/outbound", "pkg/policy", "pkg/provider", "pkg/refdata", "pkg/secret", "pkg/whatif", "riverjobs"}},
		"pkg/form":    {code: []string{"pkg/policy", "pkg/provider"}},

		// The promises, checked on a database.
		"pkg/verify": {code: []string{"pkg/dbsqlc", "pkg/pgdb"}},

		// How an installation stands: its database, its queue, its shops and ledgers.
		"pkg/doctor": {code: []string{"pkg/account", "pkg/clients", "pkg/dbsqlc", "pkg/magento", "pkg/pgdb", "pkg/policy", "pkg/provider", "pkg/quota", "pkg/refdata", "pkg/restored", "pkg/shopjwt"}},

		// What should have come and did not.
		"pkg/notify":    {code: []string{"pkg/dbsqlc", "pkg/gaps", "pkg/metrics", "pkg/outbound", "pkg/secret"}},
		"pkg/retention": {code: []string{"pkg/dbsqlc", "pkg/metrics"}, tests: []string{"pkg/verify"}},
		"pkg/find":      {code: []string{"pkg/dbsqlc"}, tests: []string{"pkg/pgdb"}},
		"pkg/gaps":      {code: []string{"pkg/dbsqlc"}, tests: []string{"pkg/policy"}},
		"pkg/bulk":      {code: []string{"pkg/dbsqlc", "pkg/syncrun"}},
		"pkg/restored":  {code: []string{"pkg/audit", "pkg/canon", "pkg/clients", "pkg/dbsqlc", "pkg/gaps", "pkg/provider"}, tests: []string{"pkg/pgdb"}},

		// What is asked of the shop by hand.
		"pkg/backfill": {
			code:  []string{"pkg/dbsqlc", "pkg/syncrun"},
			tests: []string{"pkg/policy", "riverjobs"},
		},

		// What only tests stand on, and the simulated servers.
		"pkg/canon/testdata":                  {},
		"pkg/pricing/advice":                  {code: []string{"pkg/policy", "pkg/provider"}},
		"pkg/canon/canontest":                 {code: []string{"pkg/canon", "pkg/canon/testdata", "pkg/magento/magentosim"}},
		"pkg/pgdb/pgtest":                     {code: []string{"pkg/pgdb"}},
		"pkg/loopback":                        {},
		"pkg/magento/magentosim":              {code: []string{"pkg/canon", "pkg/shopjwt"}},
		"pkg/provider/xero/xerosim":           {},
		"pkg/idp/idpsim":                      {},
		"pkg/provider/freeagent/freeagentsim": {},

		// The wiring.
		"pkg/server": {code: []string{
			"pkg/account", "pkg/clients", "pkg/dashboard", "pkg/dbsqlc", "pkg/actions", "pkg/find", "pkg/gaps", "pkg/idp", "pkg/ingress", "pkg/magento", "pkg/metrics", "pkg/monitoring", "pkg/notify", "pkg/oauth", "pkg/outbound", "pkg/pgdb",
			"pkg/provider", "pkg/quota", "pkg/refdata", "pkg/restored", "pkg/retention", "pkg/secret", "pkg/stack", "pkg/verify", "riverjobs",
			"pkg/users",
			"pkg/recorder",
		}, tests: []string{"pkg/policy", "pkg/shopjwt"}},
		"pkg/demo": {code: []string{
			"pkg/account", "pkg/canon", "pkg/clients", "pkg/dashboard", "pkg/dbsqlc", "pkg/magento/magentosim", "pkg/outbound", "pkg/pgdb", "pkg/policy",
			"pkg/provider", "pkg/provider/xero", "pkg/provider/xero/xerosim", "pkg/refdata", "pkg/secret", "pkg/server", "pkg/stack", "riverjobs",
		}},
		"pkg/bench": {code: []string{
			"pkg/canon", "pkg/dashboard", "pkg/dbsqlc", "pkg/demo", "pkg/gaps", "pkg/magento", "pkg/magento/magentosim", "pkg/outbound", "pkg/pgdb", "pkg/policy",
			"pkg/provider", "pkg/provider/xero", "pkg/provider/xero/xerosim", "pkg/quota", "pkg/retention", "pkg/secret", "pkg/server", "pkg/shopjwt", "pkg/stack",
			"pkg/verify", "riverjobs",
		}, river: "all"}, // plain River is measured beside us
		"pkg/soak": {code: []string{
			"pkg/canon", "pkg/dbsqlc", "pkg/demo", "pkg/magento/magentosim", "pkg/outbound", "pkg/pgdb", "pkg/policy", "pkg/provider",
			"pkg/provider/xero/xerosim", "pkg/secret", "pkg/shopjwt", "pkg/stack", "pkg/verify",
		}},
		"cmd/towpath": {code: []string{
			"pkg/account", "pkg/audit", "pkg/backfill", "pkg/bench", "pkg/canon", "pkg/clients", "pkg/completion", "pkg/dashboard", "pkg/dbsqlc", "pkg/demo", "pkg/actions", "pkg/doctor", "pkg/explain", "pkg/find", "pkg/foreign",
			"pkg/bulk",
			"pkg/gaps", "pkg/idp", "pkg/logline", "pkg/magento", "pkg/metrics", "pkg/monitoring", "pkg/oauth", "pkg/outbound", "pkg/pgdb", "pkg/policy", "pkg/provider", "pkg/provider/specs", "pkg/quota", "pkg/refdata",
			"pkg/secret", "pkg/server", "pkg/shopjwt", "pkg/syncrun", "pkg/verify", "pkg/whatif", "riverjobs",
			"pkg/manpage", "pkg/systemd",
			"pkg/notify", "pkg/restored", "pkg/retention",
			"pkg/users",
			"pkg/soak",
			"pkg/mistake",
		}},
		"docs": {},
		"pkg":  {},
	}
}

// simulators are imported by tests, demo, bench and soak.
var simulators = []string{"pkg/magento/magentosim", "pkg/provider/xero/xerosim", "pkg/provider/freeagent/freeagentsim", "pkg/idp/idpsim"}

// testOnly are packages that no product file imports.
var testOnly = []string{"pkg/canon/canontest", "pkg/pricing/advice", "pkg/canon/testdata", "pkg/pgdb/pgtest", "pkg/loopback"}

// file is one Go file: its folder and name, and what it imports.
type file struct {
	dir, name string
	imports   []string
}

func (f file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

// mayUseSimulators: tests, the packages for tests, demo, bench and soak.
func (f file) mayUseSimulators() bool {
	return f.isTest() || slices.Contains(testOnly, f.dir) ||
		f.dir == "pkg/demo" || f.dir == "pkg/bench" || f.dir == "pkg/soak"
}

// complaints are what the table does not allow.
func complaints(files []file, table map[string]rule) []string {
	var found []string
	for _, f := range files {
		r, listed := table[f.dir]
		if !listed {
			found = append(found, fmt.Sprintf("package %s is not in the table: add it, with what it may import", f.dir))
			continue
		}
		for _, imported := range f.imports {
			if problem := r.problem(f, imported); problem != "" {
				found = append(found, fmt.Sprintf("%s/%s imports %s: %s", f.dir, f.name, imported, problem))
			}
		}
	}
	for dir := range table {
		if !slices.ContainsFunc(files, func(f file) bool { return f.dir == dir }) {
			found = append(found, fmt.Sprintf("package %s is in the table and not in the module", dir))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (r rule) problem(f file, imported string) string {
	if strings.HasPrefix(imported, river) {
		if r.river == "all" || r.river == "tests" && f.isTest() {
			return ""
		}
		return "River is for riverjobs, and for the migrations"
	}
	name, ours := strings.CutPrefix(imported, module+"/")
	switch {
	case !ours:
		return ""
	case slices.Contains(simulators, name) && !f.mayUseSimulators():
		return "simulated servers are for tests, demo and bench"
	case slices.Contains(testOnly, name) && !f.isTest() && !slices.Contains(testOnly, f.dir):
		return "it is for tests"
	case slices.Contains(r.code, name):
		return ""
	case f.isTest() && (name == f.dir || slices.Contains(slices.Concat(r.tests, simulators, testOnly), name)):
		return ""
	}
	return "not in the table"
}

// moduleFiles reads the imports of every Go file, whatever system it is for.
func moduleFiles(t *testing.T, root string) []file {
	t.Helper()
	var files []file
	require.NoError(t, filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && p != root && (strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "_")) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		dir, name := path.Split(filepath.ToSlash(relative))
		f := file{dir: strings.TrimSuffix(dir, "/"), name: name}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	}))
	return files
}

func Test_Everybody_imports_what_the_table_allows(t *testing.T) {
	t.Parallel()
	files := moduleFiles(t, "..")
	require.Greater(t, len(files), 100, "the module was found")
	require.Empty(t, complaints(files, rules()))
}

func Test_The_check_finds_what_is_not_allowed(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]file{
		"canon_imports_ours":              {"pkg/canon", "x.go", []string{"towpath/pkg/secret"}},
		"ingress_imports_riverjobs":       {"pkg/ingress", "x.go", []string{"towpath/riverjobs"}},
		"ingress_imports_river":           {"pkg/ingress", "x.go", []string{"github.com/riverqueue/river"}},
		"riverjobs_imports_a_provider":    {"riverjobs", "x.go", []string{"towpath/pkg/provider/xero"}},
		"product_imports_a_simulator":     {"cmd/towpath", "serve.go", []string{"towpath/pkg/provider/xero/xerosim"}},
		"client_imports_its_simulator":    {"pkg/magento", "x.go", []string{"towpath/pkg/magento/magentosim"}},
		"product_imports_the_test_server": {"riverjobs", "x.go", []string{"towpath/pkg/pgdb/pgtest"}},
		"a_test_of_canon_imports_secret":  {"pkg/canon", "x_test.go", []string{"towpath/pkg/secret"}},
		"a_test_of_metrics_imports_river": {"pkg/metrics", "x_test.go", []string{"github.com/riverqueue/river"}},
		"a_package_nobody_listed":         {"pkg/util", "x.go", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Len(t, complaints([]file{made}, onlyOf(made.dir)), 1)
		})
	}
	t.Run("nothing_about_what_is_allowed", func(t *testing.T) {
		t.Parallel()
		for _, made := range []file{
			{"pkg/ingress", "x_test.go", []string{"github.com/riverqueue/river", "towpath/pkg/pgdb/pgtest"}},
			{"pkg/bench", "runs.go", []string{"towpath/pkg/magento/magentosim", "net/http"}},
			{"riverjobs", "x_test.go", []string{"towpath/pkg/provider/xero/xerosim", "towpath/pkg/provider/xero"}},
		} {
			require.Empty(t, complaints([]file{made}, onlyOf(made.dir)), made.dir)
		}
	})
	t.Run("a_package_that_went_away", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"package pkg/gone is in the table and not in the module"}, complaints(nil, map[string]rule{"pkg/gone": {}}))
	})
}

// onlyOf is the table's entry of one package, if it has one.
func onlyOf(dir string) map[string]rule {
	table := maps.Clone(rules())
	maps.DeleteFunc(table, func(name string, _ rule) bool { return name != dir })
	return table
}
