package bench

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dashboard"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/gaps"
	"towpath/pkg/retention"
	"towpath/pkg/secret"
	"towpath/pkg/server"
	"towpath/pkg/verify"
)

// ReadFigure is how long a page, a scrape, or what a command asks takes.
type ReadFigure struct {
	What    string  `json:"what"`
	FirstMS float64 `json:"first_ms"` // of a process that has just started
	ThenMS  float64 `json:"then_ms"`  // the quickest of two more
}

// read is something that reads ended runs.
type read struct {
	what string
	do   func(ctx context.Context) error
}

const readToken = "bench-reads"

// reads measures each three times. What is kept from one time to the next (the numbers
// beside a list) is part of the later two.
func (b *measurement) reads(ctx context.Context, s *site) ([]ReadFigure, error) {
	s.gate = dashboard.NewGate(secret.NewString(readToken), "")
	if err := s.serve(ctx, server.Roles{Ingress: true, Dashboard: true}); err != nil {
		return nil, err
	}
	list, err := s.readers(ctx)
	if err != nil {
		return nil, err
	}
	var figures []ReadFigure
	for _, r := range list {
		f := ReadFigure{What: r.what}
		for n := range 3 {
			began := time.Now()
			if err := r.do(ctx); err != nil {
				return nil, fmt.Errorf("read %s: %w", r.what, err)
			}
			took := float64(time.Since(began)) / float64(time.Millisecond)
			switch {
			case n == 0:
				f.FirstMS = took
			case n == 1 || took < f.ThenMS:
				f.ThenMS = took
			}
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// known is a run in the middle of all, with what it is searched by.
type known struct {
	ID, TenantID, BindingID         uuid.UUID
	ReceivedAt                      time.Time
	Entity                          int64
	Number, Order, Customer, Amount string
	Reference                       *string
}

func (s *site) middle(ctx context.Context) (known, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT run.id, run.tenant_id, run.binding_id, run.received_at, run.magento_entity_id, search.number, run.canonical ->> 'order_increment_id',
			split_part(search.customer, ' ', 1), search.amount, run.provider_reference
		FROM sync_runs AS run
		JOIN run_search AS search ON search.run_id = run.id
		WHERE run.event = 'invoice.created' AND run.status = 'succeeded'
			AND run.received_at > (SELECT min(received_at) + (max(received_at) - min(received_at)) / 2 FROM sync_runs)
		ORDER BY run.received_at
		LIMIT 1`)
	if err != nil {
		return known{}, fmt.Errorf("choose a run: %w", err)
	}
	run, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[known])
	if err != nil {
		return known{}, fmt.Errorf("choose a run: %w", err)
	}
	return run, nil
}

// readers are the pages, the scrape, and what commands and the leader ask.
func (s *site) readers(ctx context.Context) ([]read, error) {
	run, err := s.middle(ctx)
	if err != nil {
		return nil, err
	}
	browser, err := newBrowser(ctx, s.base)
	if err != nil {
		return nil, err
	}
	day := run.ReceivedAt.Format(time.DateOnly)
	list := []read{{"scrape", browser.page("/metrics")}}
	for _, p := range []struct{ what, path string }{
		{"Overview", ""}, {"Held", "/held"}, {"Shops", "/shops"}, {"Connections", "/connections"}, {"Gaps", "/gaps"}, {"Audit", "/audit"},
		{"a run", "/sync/" + run.ID.String()}, {"Runs", "/sync"}, {"Runs: failed", "/sync?status=failed"}, {"Runs: skipped", "/sync?status=skipped_by_policy"},
		{"Runs: cancelled (none)", "/sync?status=cancelled"}, {"Runs: held (none)", "/sync?status=held"}, {"Runs: error rate_limited (none)", "/sync?error=rate_limited"},
		{"Runs: credit memos", "/sync?event=creditmemo.created"}, {"Runs: of a shop", "/sync?tenant=" + run.TenantID.String()},
		{"Runs: a day in the middle", "/sync?since=" + day + "&until=" + day}, {"Runs: everything since half-way", "/sync?since=" + day},
		{"search: invoice", "/sync?q=" + run.Number}, {"search: order", "/sync?q=" + run.Order}, {"search: buyer", "/sync?q=" + url.QueryEscape(run.Customer)},
		{"search: e-mail", "/sync?q=" + url.QueryEscape(run.Customer+"@example.com")}, {"search: amount", "/sync?q=" + run.Amount},
		{"search: number at the ledger", "/sync?q=" + *run.Reference}, {"search: run", "/sync?q=" + run.ID.String()},
		{"search: a word of every buyer", "/sync?q=chandlers"}, {"search: nobody", "/sync?q=nobody-at-all"},
		{"search: a word of every buyer, a day", "/sync?q=chandlers&since=" + day + "&until=" + day},
	} {
		list = append(list, read{p.what, browser.page("/dashboard" + p.path)})
	}
	deep, err := browser.deep(ctx, 20)
	if err != nil {
		return nil, err
	}
	list = append(list, read{"Runs: page 20", browser.page(deep)})
	return append(list, s.asked(run)...), nil
}

// asked is what commands, the leader and the worker processes ask.
func (s *site) asked(run known) []read {
	queries, now := dbsqlc.New(), time.Now()
	none := func(int64) {}
	list := []read{
		{"runs list", func(ctx context.Context) error {
			_, err := queries.SyncRunList(ctx, s.pool, dbsqlc.SyncRunListParams{MaxRows: 100})
			return err
		}},
		{"runs list --status cancelled (none)", func(ctx context.Context) error {
			_, err := queries.SyncRunList(ctx, s.pool, dbsqlc.SyncRunListParams{MaxRows: 100, Statuses: []string{"cancelled"}})
			return err
		}},
		{"runs list --error not_found", func(ctx context.Context) error {
			_, err := queries.SyncRunList(ctx, s.pool, dbsqlc.SyncRunListParams{MaxRows: 100, Reasons: []string{"not_found"}})
			return err
		}},
		{"gaps", func(ctx context.Context) error {
			_, err := gaps.List(ctx, gaps.Request{Pool: s.pool, Most: 1000})
			return err
		}},
		{"gaps --since 30d", func(ctx context.Context) error {
			_, err := gaps.List(ctx, gaps.Request{Pool: s.pool, Most: 1000, Since: now.AddDate(0, 0, -30)})
			return err
		}},
		{"silent shops", func(ctx context.Context) error {
			_, err := gaps.Shops(ctx, s.pool, now)
			return err
		}},
		{"backfill, known of 500 ids", func(ctx context.Context) error {
			keys := make([]string, 500)
			for n := range keys {
				keys[n] = fmt.Sprintf("invoice.created:%d", run.Entity+int64(n))
			}
			_, err := queries.SyncRunOfKeys(ctx, s.pool, dbsqlc.SyncRunOfKeysParams{BindingID: run.BindingID, IdempotencyKeys: keys})
			return err
		}},
		{"what-if --since 30d, its documents", func(ctx context.Context) error { return s.stored(ctx, run, now.AddDate(0, 0, -30)) }},
		{"prune --dry-run", func(ctx context.Context) error {
			_, err := retention.Measure(ctx, s.pool, now.AddDate(0, 0, -400), none)
			return err
		}},
		{"forget --email, looking through all", func(ctx context.Context) error {
			_, err := retention.Find(ctx, s.pool, run.Customer+"@example.com", none)
			return err
		}},
		{"summary of a day", func(ctx context.Context) error {
			_, err := queries.NotificationDayList(ctx, s.pool, dbsqlc.NotificationDayListParams{Since: now.AddDate(0, 0, -1), Until: now})
			return err
		}},
		{"heartbeat of the partitions", func(ctx context.Context) error {
			_, err := queries.QueueKeepShares(ctx, s.pool)
			return err
		}},
		{"the shop's tile", func(ctx context.Context) error {
			_, err := queries.IngressTileCounts(ctx, s.pool, dbsqlc.IngressTileCountsParams{TenantID: run.TenantID, Since: now.AddDate(0, 0, -1)})
			return err
		}},
		{"status of an invoice", func(ctx context.Context) error {
			_, err := queries.IngressEntityStatus(ctx, s.pool, dbsqlc.IngressEntityStatusParams{TenantID: run.TenantID, EntityType: "invoice", MagentoEntityID: run.Entity})
			return err
		}},
	}
	for _, p := range verify.Promises() {
		list = append(list, read{"verify: " + p.Name, s.promise(p, time.Time{})}, read{"verify --since 35d: " + p.Name, s.promise(p, now.AddDate(0, 0, -35))})
	}
	return list
}

func (s *site) promise(p verify.Promise, since time.Time) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		found, err := p.Check(ctx, s.pool, since)
		if err == nil && (found.Broken > 0 || found.Error != "") {
			err = fmt.Errorf("%s is broken: %v %s", p.Name, found.Samples, found.Error)
		}
		return err
	}
}

// stored reads the documents that what-if compares.
func (s *site) stored(ctx context.Context, run known, since time.Time) error {
	page := dbsqlc.SyncRunStoredListParams{TenantID: run.TenantID, BindingID: run.BindingID, Since: since, BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max, MaxRows: 200}
	for {
		rows, err := dbsqlc.New().SyncRunStoredList(ctx, s.pool, page)
		if err != nil || len(rows) == 0 {
			return err
		}
		last := rows[len(rows)-1]
		page.BeforeAt, page.BeforeID = last.ReceivedAt, last.ID
	}
}

// browser is one that the dashboard has let in.
type browser struct {
	client *http.Client
	base   string
}

func newBrowser(ctx context.Context, base string) (browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return browser{}, fmt.Errorf("make a cookie jar: %w", err)
	}
	b := browser{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute, Jar: jar}, base: base}
	_, err = b.get(ctx, "/dashboard/sync?q="+uuid.NewString()+"&token="+readToken)
	return b, err
}

func (b browser) page(path string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := b.get(ctx, path)
		return err
	}
}

func (b browser) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("get page: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New("answered " + resp.Status)
	}
	return string(body), err
}

var older = regexp.MustCompile(`href="([^"]*before=[^"]*)"`)

// deep follows the link to older runs so many times, and answers the way to that page.
func (b browser) deep(ctx context.Context, pages int) (string, error) {
	path := "/dashboard/sync"
	for range pages {
		body, err := b.get(ctx, path)
		if err != nil {
			return "", err
		}
		link := older.FindStringSubmatch(body)
		if link == nil {
			break
		}
		path = html.UnescapeString(link[1])
	}
	return path, nil
}
