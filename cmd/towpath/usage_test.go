package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
)

// flagsOf are the commands and what each must offer beside --help.
func flagsOf() map[string][]string {
	db, list := []string{"--database-url"}, []string{"--database-url", "--json"}
	filters := []string{"--status", "--event", "--tenant", "--error", "--since", "--limit"}
	more := func(flags []string, others ...string) []string { return slices.Concat(flags, others) }
	return map[string][]string{
		"demo":              {"--once", "--listen", "--pg-bin"},
		"serve":             more(db, "--listen", "--base-url", "--roles", "--migrate", "--workers", "--metrics-per-tenant", "--metrics-listen"),
		"migrate up":        more(list, "--beside-others"),
		"migrate status":    list,
		"tenant pair":       more(list, "--magento-url", "--provider", "--code", "--code-file", "--name", "--tenant", "--base-url"),
		"tenant create":     more(list, "--name", "--magento-url", "--id", "--api-key", "--api-key-file", "--force"),
		"tenant delete":     more(list, "--yes"),
		"tenant list":       list,
		"tenant change":     more(list, "--name", "--magento-url"),
		"binding create":    more(list, "--tenant", "--provider", "--wire", "--api-url", "--org-id", "--token", "--token-file"),
		"tenant rotate-key": {"--database-url", "--json", "--api-key", "--api-key-file", "--by-hand"},
		"binding change":    more(list, "--api-url", "--org-id", "--client-id", "--client-secret", "--client-secret-file", "--grant", "--identity-url"),
		"binding list":      list, "binding revoke": more(list, "--yes"),
		"binding token":          more(list, "--token", "--token-file", "--keep"),
		"binding refresh":        list,
		"binding status":         list,
		"binding connect":        more(list, "--base-url", "--org-id"),
		"binding policy get":     list,
		"binding policy set":     more(list, "--file", "--dry-run", "--yes"),
		"binding policy edit":    more(list, "--yes"),
		"binding policy diff":    more(list, "--file"),
		"binding policy history": list,
		"binding policy restore": more(list, "--dry-run", "--yes"),
		"secrets rotate":         list,
		"secrets forget":         more(list, "--yes"),
		"runs list":              more(list, filters...),
		"runs show":              list,
		"runs retry":             more(list, append(filters, "--dry-run", "--all")...),
		"runs cancel":            more(list, append(filters, "--dry-run", "--all")...),
		"explain":                more(list, "--binding", "--file", "--event", "--run"),
		"verify":                 more(list, "--since"),
		"prune":                  more(list, "--dry-run", "--older-than", "--yes"),
		"forget":                 more(list, "--email", "--dry-run", "--yes"),
		"notify test":            {"--json"},
		"config check":           {"--json"},
		"doctor":                 more(list, "--base-url"),
		"health":                 {"--json", "--listen", "--live", "--timeout"},
		"monitoring rules":       {"--json", "--base-url"},
		"monitoring dashboard":   {},
		"monitoring runbook":     {"--json", "--base-url"},
		"restored show":          list,
		"restored tell":          more(list, "--at"),
		"restored acknowledge":   list,
		"gaps":                   more(list, "--tenant", "--since", "--limit"),
		"what-if":                more(list, "--binding", "--file", "--since", "--limit", "--pinned"),
		"backfill":               {"--database-url", "--json", "--binding", "--event", "--ids", "--file", "--occurred-at", "--store", "--dry-run", "--wait"},
		"completion":             {},
		"user add":               {"--database-url", "--json", "--role", "--tenant", "--password-file", "--generate"},
		"user list":              {"--database-url", "--json"},
		"user passwd":            {"--database-url", "--json", "--password-file", "--generate"},
		"user role":              {"--database-url", "--json"},
		"user disable":           {"--database-url", "--json"},
		"user enable":            {"--database-url", "--json"},
		"user sign-out":          {"--database-url", "--json"},
		"user delete":            {"--database-url", "--json"},
		"audit list":             more(list, "--who", "--action", "--tenant", "--since", "--until", "--limit"),
		"soak":                   {"--json", "--minutes", "--seed", "--rate", "--pg-bin"},
		"bench":                  {"--json", "--seconds", "--clients", "--samples", "--backlog", "--ended", "--pg-bin", "--data-root"},
	}
}

func Test_Help_of_every_command_names_its_flags(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{}, variables())
	require.NoError(t, err)
	table := flagsOf()
	for _, leaf := range parser.Model.Leaves(true) {
		path := strings.Split(leaf.Path(), " <")[0]
		path = strings.Split(path, " [")[0]
		require.Contains(t, table, path, "a command that the table does not have")
	}
	d := &desk{}
	for path, flags := range table {
		t.Run(strings.ReplaceAll(path, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := d.run(t, append(strings.Fields(path), "--help")...)
			require.Zero(t, s.code)
			require.Empty(t, s.err)
			require.Contains(t, s.out, "Usage: towpath "+path)
			for _, flag := range flags {
				require.Regexp(t, `(?m)^\s+`+flag+`\b`, s.out)
			}
		})
	}
}

func Test_Help_lists_the_commands(t *testing.T) {
	t.Parallel()
	s := (&desk{}).run(t, "--help")
	require.Zero(t, s.code)
	for path := range flagsOf() {
		require.Regexp(t, `(?m)^  `+path+`\b`, s.out)
	}
}

// Nothing here reaches a database: what is wrong is told before.
func Test_Wrong_use_exits_2_and_says_what_to_do(t *testing.T) {
	t.Parallel()
	const id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	d := &desk{env: map[string]string{
		"DATABASE_URL": "postgres://towpath:open-sesame@127.0.0.1:1/none?connect_timeout=1", "TOWPATH_SECRET_KEY": testKey,
	}}
	create := []string{"tenant", "create", "--name", "A", "--magento-url", "https://shop.example"}
	bind := []string{"binding", "create", "--tenant", id, "--provider", "xero"}
	private := map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS": "true"}
	missing := file(t, "gone", "x") + ".not"
	empty := file(t, "empty", "\n")
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want []string
	}{
		"no_command":              {nil, nil, []string{"demo", "serve", "towpath --help"}},
		"unknown_command":         {[]string{"sync"}, nil, []string{"sync", "towpath --help"}},
		"half_a_command":          {[]string{"runs"}, nil, []string{`"list"`, `"show"`, "towpath runs --help"}},
		"unknown_flag":            {[]string{"runs", "list", "--stat", "failed"}, nil, []string{"--stat", "towpath runs list --help"}},
		"missing_flags":           {[]string{"tenant", "create"}, nil, []string{"--name", "--magento-url", "towpath tenant create --help"}},
		"missing_argument":        {[]string{"runs", "show"}, nil, []string{"<id>", "towpath runs show --help"}},
		"no_database":             {[]string{"tenant", "list"}, map[string]string{"DATABASE_URL": ""}, []string{"DATABASE_URL", "--database-url", "postgres://"}},
		"unreadable_address":      {[]string{"tenant", "list"}, map[string]string{"DATABASE_URL": "postgres://towpath:open/sesame@127.0.0.1:1/none"}, []string{"DATABASE_URL", "not a Postgres address"}},
		"bad_sslmode":             {[]string{"tenant", "list"}, map[string]string{"DATABASE_URL": "postgres://a@b/c?sslmode=on"}, []string{"DATABASE_URL", "sslmode", "verify-full"}},
		"bad_database_port":       {[]string{"serve"}, map[string]string{"DATABASE_URL": "postgres://a@b:99999/c"}, []string{"DATABASE_URL", "1 to 65535"}},
		"bad_listen_port":         {[]string{"serve", "--listen", "127.0.0.1:99999"}, nil, []string{"--listen", "99999"}},
		"bad_demo_listen":         {[]string{"demo", "--listen", "foo"}, nil, []string{"--listen", "foo", "host:port"}},
		"unknown_error":           {[]string{"runs", "list", "--error", "nope"}, nil, []string{"--error", "nope", "validation", "period_locked"}},
		"no_secret_key":           {create, map[string]string{"TOWPATH_SECRET_KEY": ""}, []string{"TOWPATH_SECRET_KEY", "openssl rand -base64 32"}},
		"bad_secret_key":          {create, map[string]string{"TOWPATH_SECRET_KEY": "hunter2hunter2"}, []string{"TOWPATH_SECRET_KEY", "openssl rand -base64 32"}},
		"unreadable_file":         {create, map[string]string{"TOWPATH_SECRET_KEY": "", "TOWPATH_SECRET_KEY_FILE": missing}, []string{"TOWPATH_SECRET_KEY_FILE", missing, "no such file"}},
		"empty_file":              {create, map[string]string{"TOWPATH_SECRET_KEY": "", "TOWPATH_SECRET_KEY_FILE": empty}, []string{"TOWPATH_SECRET_KEY_FILE", empty, "is empty"}},
		"bad_switch":              {create, map[string]string{"TOWPATH_ALLOW_PRIVATE_URLS": "maybe"}, []string{"TOWPATH_ALLOW_PRIVATE_URLS", "maybe", "true or false"}},
		"empty_name":              {[]string{"tenant", "create", "--name", " ", "--magento-url", "https://shop.example"}, nil, []string{"--name"}},
		"plain_http":              {[]string{"tenant", "create", "--name", "A", "--magento-url", "http://shop.example"}, nil, []string{"--magento-url", "https://", "TOWPATH_ALLOW_PRIVATE_URLS"}},
		"private_shop":            {[]string{"tenant", "create", "--name", "A", "--magento-url", "https://10.0.0.1"}, nil, []string{"--magento-url", "10.0.0.1", "TOWPATH_ALLOW_PRIVATE_URLS"}},
		"metadata_shop":           {[]string{"tenant", "create", "--name", "A", "--magento-url", "http://169.254.169.254"}, private, []string{"--magento-url", "169.254.169.254"}},
		"password_in_url":         {[]string{"tenant", "create", "--name", "A", "--magento-url", "https://u:hunter2hunter2@shop.example"}, nil, []string{"--magento-url", "user name or password"}},
		"bad_tenant_id":           {append(slices.Clone(create), "--id", "7"), nil, []string{"--id", `"7"`, "UUID"}},
		"bad_api_key":             {append(slices.Clone(create), "--api-key", "hunter2hunter2"), nil, []string{"--api-key", "64"}},
		"bad_provider":            {[]string{"binding", "create", "--tenant", id, "--provider", "sage", "--token", "t"}, nil, []string{"--provider", "xero", "freeagent"}},
		"bad_wire":                {append(slices.Clone(bind), "--wire", "v3", "--token", "t"), nil, []string{"--wire", "accounting or v2"}},
		"bad_org_id":              {append(slices.Clone(bind), "--org-id", "7", "--token", "t"), nil, []string{"--org-id", "UUID"}},
		"private_provider":        {append(slices.Clone(bind), "--api-url", "https://127.0.0.1:9", "--token", "t"), nil, []string{"--api-url", "TOWPATH_ALLOW_PRIVATE_URLS"}},
		"v2_of_xero_nowhere":      {append(slices.Clone(bind), "--wire", "v2", "--token", "t"), nil, []string{"--api-url"}},
		"no_token":                {bind, nil, []string{"--token-file"}},
		"two_tokens":              {append(slices.Clone(bind), "--token", "hunter2hunter2", "--token-file", "f"), nil, []string{"--token and --token-file"}},
		"unreadable_token":        {append(slices.Clone(bind), "--token-file", missing), nil, []string{"--token-file", missing}},
		"empty_token":             {append(slices.Clone(bind), "--token-file", empty), nil, []string{"--token-file", "is empty"}},
		"two_new_tokens":          {[]string{"binding", "token", id, "--token", "hunter2hunter2", "--token-file", "f"}, nil, []string{"--token and --token-file"}},
		"unreadable_policy":       {[]string{"binding", "policy", "set", id, "--file", missing}, nil, []string{"--file", missing}},
		"policy_is_no_json":       {[]string{"binding", "policy", "set", id, "--file", file(t, "p", "[")}, nil, []string{"--file"}},
		"bad_status":              {[]string{"runs", "list", "--status", "done"}, nil, []string{"--status", "queued", "skipped_by_policy"}},
		"bad_event":               {[]string{"runs", "list", "--event", "order.created"}, nil, []string{"--event", "invoice.created"}},
		"bad_since":               {[]string{"runs", "list", "--since", "yesterday"}, nil, []string{"--since", "24h"}},
		"verify_since_when":       {[]string{"verify", "--since", "yesterday"}, nil, []string{"--since", "24h"}},
		"bad_limit":               {[]string{"runs", "list", "--limit", "0"}, nil, []string{"--limit"}},
		"no_run_to_show":          {[]string{"runs", "show", " "}, nil, []string{"id or a number", "towpath runs list"}},
		"retry_what":              {[]string{"runs", "retry"}, nil, []string{"--status failed"}},
		"retry_both":              {[]string{"runs", "retry", id, "--status", "failed"}, nil, []string{"do not go together", "leave out", id}},
		"retry_one_and_all":       {[]string{"runs", "retry", id, "--all"}, nil, []string{"do not go together"}},
		"cancel_what":             {[]string{"runs", "cancel"}, nil, []string{"one run by its id or number", "--status queued,held"}},
		"cancel_all_of_what":      {[]string{"runs", "cancel", "--all"}, nil, []string{"--status queued,held"}},
		"cancel_both":             {[]string{"runs", "cancel", id, "--event", "invoice.paid"}, nil, []string{"do not go together"}},
		"one_bad_of_two":          {[]string{"runs", "list", "--status", "failed,done"}, nil, []string{`--status is "done"`, "skipped_by_policy"}},
		"retry_what_dry":          {[]string{"runs", "retry", "--dry-run"}, nil, []string{"--status failed"}},
		"unreadable_invoice":      {[]string{"explain", "--binding", id, "--file", missing}, nil, []string{"--file", missing}},
		"invoice_is_none":         {[]string{"explain", "--binding", id, "--file", file(t, "i", "{}")}, nil, []string{"--file", "magento_id"}},
		"unknown_alert":           {[]string{"monitoring", "runbook", "Lost"}, nil, []string{`"Lost"`, "TowpathHeld", "TowpathWebhookBuried"}},
		"bad_runbook_url":         {[]string{"monitoring", "rules", "--base-url", "towpath.example"}, nil, []string{"https://"}},
		"bad_role":                {[]string{"serve", "--roles", "ingress,cron"}, nil, []string{"--roles", "cron", "ingress, worker, dashboard"}},
		"user_role":               {[]string{"user", "add", "ada", "--role", "root"}, nil, []string{"--role", "viewer"}},
		"user_of_one_shop":        {[]string{"user", "add", "ada", "--role", "admin", "--tenant", id}, nil, []string{"--tenant is for viewers"}},
		"user_name":               {[]string{"user", "add", "a b", "--role", "admin"}, nil, []string{`"a b"`, "letters"}},
		"short_password":          {[]string{"user", "passwd", "ada", "--password-file", file(t, "pw", "elevenchars")}, nil, []string{"11 characters", "at least 12"}},
		"two_passwords":           {[]string{"user", "passwd", "ada", "--generate", "--password-file", missing}, nil, []string{"--generate"}},
		"no_workers":              {[]string{"serve", "--workers", "0"}, nil, []string{"--workers"}},
		"bad_listen":              {[]string{"serve", "--listen", "8080"}, nil, []string{"--listen", "TOWPATH_LISTEN", "host:port"}},
		"bad_health_listen":       {[]string{"health", "--listen", "8080"}, nil, []string{"TOWPATH_LISTEN", "host:port"}},
		"bad_metrics_listen":      {[]string{"serve"}, map[string]string{"TOWPATH_METRICS_LISTEN": "9090"}, []string{"--metrics-listen", "TOWPATH_METRICS_LISTEN", "host:port"}},
		"bad_base_url":            {[]string{"serve"}, map[string]string{"TOWPATH_BASE_URL": "towpath.example"}, []string{"TOWPATH_BASE_URL", "https://"}},
		"bad_log_level":           {[]string{"serve"}, map[string]string{"TOWPATH_LOG_LEVEL": "loud"}, []string{"TOWPATH_LOG_LEVEL", "loud", "debug, info, warn or error"}},
		"bad_log_format":          {[]string{"serve"}, map[string]string{"TOWPATH_LOG_FORMAT": "xml"}, []string{"TOWPATH_LOG_FORMAT", "text or json"}},
		"serve_without_key":       {[]string{"serve"}, map[string]string{"TOWPATH_SECRET_KEY": ""}, []string{"TOWPATH_SECRET_KEY"}},
		"bench_without_time":      {[]string{"bench", "--seconds", "0"}, nil, []string{"--seconds is 0; use 1 to 600"}},
		"bench_with_half_clients": {[]string{"bench", "--clients", "a"}, nil, []string{"--clients", "towpath bench --help"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := d.with(c.env).run(t, c.args...)
			require.Equal(t, exitUsage, s.code, s.err)
			require.Empty(t, s.out)
			for _, text := range c.want {
				require.Contains(t, s.err, text)
			}
			require.NotContains(t, s.err, "hunter2", "a secret")
			require.NotContains(t, s.err, testKey)
		})
	}
}

func Test_Failures_exit_1_and_tell_no_password(t *testing.T) {
	t.Parallel()
	const id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	d := newDesk(t)
	away := map[string]string{"DATABASE_URL": "postgres://towpath:open-sesame@127.0.0.1:1/none?connect_timeout=1"}
	empty := map[string]string{"DATABASE_URL": pgtest.EmptyURL(t)}
	canonical := file(t, "invoice.json", string(sample(t, "plain_vat")))
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"unknown_tenant":           {[]string{"binding", "create", "--tenant", id, "--provider", "xero", "--token", "t"}, nil, "there is no tenant " + id},
		"unknown_binding":          {[]string{"binding", "revoke", id}, nil, "there is no binding " + id},
		"unknown_binding_policy":   {[]string{"binding", "policy", "get", id}, nil, "there is no binding " + id},
		"unknown_binding_explain":  {[]string{"explain", "--binding", id, "--file", canonical}, nil, "there is no binding " + id},
		"no_number_to_cancel":      {[]string{"runs", "cancel", "7"}, nil, `no run has the id or number "7" (see: towpath runs list)`},
		"unknown_run":              {[]string{"runs", "show", id}, nil, "there is no run " + id},
		"database_away":            {[]string{"tenant", "list"}, away, "connection refused"},
		"database_away_for_serve":  {[]string{"serve"}, away, "connection refused"},
		"database_away_for_verify": {[]string{"verify"}, away, "connection refused"},
		"not_migrated":             {[]string{"tenant", "list"}, empty, "towpath migrate up"},
		"not_migrated_for_verify":  {[]string{"verify"}, empty, "towpath migrate up"},
		"not_migrated_for_serve":   {[]string{"serve"}, empty, "towpath migrate up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := d.with(c.env).run(t, c.args...)
			want := exitFailed
			if c.args[0] == "verify" { // of which 1 is that something is broken
				want = exitUnseen
			}
			require.Equal(t, want, s.code, s.err)
			require.Contains(t, s.err, c.want)
			require.NotContains(t, s.out+s.err, "sesame")
			require.NotContains(t, s.err, "panic")
		})
	}
	for _, word := range []string{"retry", "cancel"} {
		t.Run("unknown_run_to_"+word, func(t *testing.T) {
			t.Parallel()
			s := d.run(t, "runs", word, id)
			require.Equal(t, exitFailed, s.code)
			require.Contains(t, s.out, id+" error: there is no such run")
		})
	}
}
