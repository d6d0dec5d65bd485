package notify_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"towpath/pkg/metrics"
	"towpath/pkg/notify"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/secret"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// got is a webhook whose signature was verified.
type got struct {
	id string
	notify.Message
}

// receiver is a real server that verifies what it gets by the text of the specification.
type receiver struct {
	url string
	key []byte

	mu      sync.Mutex
	answers []int // of the next calls; then 204
	all     []got
	wrong   []string
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{key: []byte("0123456789abcdef0123456789abcdef")}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	id, at := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, r.key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); req.Header.Get("webhook-signature") != want || req.Method != http.MethodPost {
		r.wrong = append(r.wrong, req.Header.Get("webhook-signature"))
	}
	g := got{id: id}
	if err := json.Unmarshal(body, &g.Message); err != nil {
		r.wrong = append(r.wrong, err.Error())
	}
	r.all = append(r.all, g)
	code := http.StatusNoContent
	if len(r.answers) > 0 {
		code, r.answers = r.answers[0], r.answers[1:]
	}
	w.WriteHeader(code)
}

// take is what came since the last time.
func (r *receiver) take(t *testing.T) []got {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.wrong, "signatures")
	all := r.all
	r.all = nil
	return all
}

type bundle struct {
	pool            *pgxpool.Pool
	to              *receiver
	now             time.Time
	cfg             notify.Config
	tenant, binding uuid.UUID
	n               int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), to: receive(t), now: time.Now().UTC(), tenant: uuid.New(), binding: uuid.New()}
	b.cfg = notify.Config{
		WebhookURL: secret.NewString(b.to.url + "/hook?token=hunter2"), WebhookSecret: secret.NewString("whsec_" + base64.StdEncoding.EncodeToString(b.to.key)),
		BaseURL: "https://towpath.example", DailyAt: -1,
	}
	b.exec(t, `INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ($1, 'Acme', 'https://shop.example', 'x')`, b.tenant)
	b.exec(t, `INSERT INTO bindings (id, tenant_id, provider, wire, api_url) VALUES ($1, $2, 'xero', 'accounting', 'https://api.xero.com')`, b.binding, b.tenant)
	b.exec(t, `INSERT INTO policies (binding_id, version, policy) VALUES ($1, 1, '{}')`, b.binding)
	return b
}

// process is another one of the worker processes.
func (b *bundle) process(t *testing.T) *notify.Notifier {
	t.Helper()
	n, err := notify.New(b.pool, b.cfg, metrics.New(prometheus.NewRegistry(), metrics.Options{}), slog.New(slog.DiscardHandler), func() time.Time { return b.now })
	require.NoError(t, err)
	return n
}

func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// run stores a run that failed or is held, a person's address in its words.
func (b *bundle) run(t *testing.T, status, reason string) {
	t.Helper()
	b.n++
	b.exec(t, `INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key, dedupe_key, lane,
			occurred_at, received_at, body, status, stage, hold_reason, error_code, error_message, finished_at, shop_told, river_job_id)
		VALUES (gen_random_uuid(), $1, $2, 1, 'invoice.created', 'invoice', $3::int, $3::text, $3::text, $3::text, now(), $6, '{}', $4::text,
			CASE $4::text WHEN 'held' THEN 'post' ELSE 'done' END, CASE $4::text WHEN 'held' THEN $5::text END, CASE $4::text WHEN 'failed' THEN $5::text END, 'ada@example.org',
			CASE $4::text WHEN 'failed' THEN $6::timestamptz - interval '1 minute' END, CASE $4::text WHEN 'failed' THEN 'told' END, CASE $4::text WHEN 'held' THEN $3::int END)`,
		b.tenant, b.binding, b.n, status, reason, b.now)
}

// pass lets a process look and send, and answers what came of it.
func (b *bundle) pass(t *testing.T, n *notify.Notifier) []got {
	t.Helper()
	require.NoError(t, n.Look(t.Context()))
	require.NoError(t, n.Send(t.Context()))
	return b.to.take(t)
}

func Test_Runs_are_told_grouped_once_a_window_and_by_one_process(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, other := b.process(t), b.process(t)
	for range 30 {
		b.run(t, "failed", "validation")
	}
	b.run(t, "failed", "not_found")
	b.run(t, "held", "period_locked")
	b.run(t, "held", "auth") // its connection is told, not each run
	all := b.pass(t, one)
	require.Len(t, all, 1)
	m := all[0].Message
	require.Equal(t, notify.TypeRuns, m.Type)
	require.Equal(t, "32 runs failed or held", m.Data.Title)
	require.Equal(t, []string{"Acme: 1 run failed, not_found", "Acme: 30 runs failed, validation", "Acme: 1 run held, period_locked"}, m.Data.Lines)
	require.Equal(t, "https://towpath.example/dashboard/sync?status=failed", m.Data.URL)
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "ada@")

	b.now = b.now.Add(2 * time.Minute)
	b.run(t, "failed", "validation")
	require.Empty(t, b.pass(t, other), "the window is not over")
	b.now = b.now.Add(14 * time.Minute)
	all = b.pass(t, other)
	require.Len(t, all, 1)
	require.Equal(t, []string{"Acme: 1 run failed, validation"}, all[0].Data.Lines, "what is held was told")
	b.now = b.now.Add(time.Hour)
	b.run(t, "held", "period_locked")
	require.Equal(t, []string{"Acme: 2 runs held, period_locked"}, b.pass(t, one)[0].Data.Lines, "twice as many as were told")
	b.now = b.now.Add(time.Hour)
	require.Empty(t, b.pass(t, one))
}

func Test_A_shops_answer_that_cannot_be_read_is_told_as_that(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t, "failed", "internal")
	b.exec(t, `UPDATE sync_runs SET error_message = 'The shop''s payment cannot be understood: increment_id is missing'`)
	b.run(t, "failed", "internal")
	m := b.pass(t, b.process(t))[0].Message
	require.Equal(t, []string{"Acme: 2 runs failed, internal (1 of them: the shop's answer cannot be read; the run's message names what to mend in the shop, then retry it)"}, m.Data.Lines)
	require.Equal(t, "internal", m.Data.Groups[0].Reason)
}

func Test_A_lost_connection_is_told_once_and_that_it_is_mended(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := b.process(t)
	require.Empty(t, b.pass(t, n))
	b.exec(t, `UPDATE bindings SET status = 'needs_consent'`)
	b.exec(t, `INSERT INTO circuits (key, reason, opened_at, probe_at) VALUES ($1, 'shop_no_answer', now() - interval '6 minutes', now())`, b.tenant.String())
	all := b.pass(t, n)
	require.Len(t, all, 1)
	require.Equal(t, "2 connections lost", all[0].Data.Title)
	require.Equal(t, "https://towpath.example/dashboard/connections", all[0].Data.URL)
	require.Empty(t, b.pass(t, b.process(t)), "another process knows that it was told")
	b.exec(t, `UPDATE bindings SET status = 'active'`)
	require.Empty(t, b.pass(t, n), "no more often than every five minutes")
	b.now = b.now.Add(6 * time.Minute)
	all = b.pass(t, n)
	require.Len(t, all, 1)
	require.Equal(t, "1 connection mended", all[0].Data.Title)
}

func Test_A_silent_shop_is_told_once_until_it_sends_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t, "held", "auth")
	require.Empty(t, b.pass(t, b.process(t)))
	b.now = b.now.Add(50 * 24 * time.Hour)
	all := b.pass(t, b.process(t))
	require.Len(t, all, 1)
	require.Equal(t, notify.TypeSilent, all[0].Type)
	require.Contains(t, all[0].Data.Lines[0], "Acme: no event since ")
	b.now = b.now.Add(time.Hour)
	require.Empty(t, b.pass(t, b.process(t)))
}

func Test_A_summary_is_told_once_a_day(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.DailyAt = 0
	n := b.process(t)
	b.pass(t, n)
	b.run(t, "held", "auth")
	b.now = b.now.Add(24 * time.Hour)
	all := b.pass(t, n)
	require.Len(t, all, 1)
	require.Equal(t, notify.TypeDay, all[0].Type)
	require.Equal(t, []string{"Acme: 1 run held"}, all[0].Data.Lines)
	require.Empty(t, b.pass(t, b.process(t)))
}

func Test_What_is_not_taken_is_sent_again_under_its_id_and_given_up_in_the_end(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := b.process(t)
	b.run(t, "failed", "validation")
	b.to.answers = []int{500}
	first := b.pass(t, n)
	require.Len(t, first, 1)
	require.Empty(t, b.pass(t, b.process(t)), "it is not due, and nobody puts it in again")
	due := func() { b.exec(t, `UPDATE notifications SET next_attempt_at = now() WHERE state = 'pending'`) }
	due()
	// As if the process had died behind the call: the attempt is on record, its end is not.
	second := b.pass(t, b.process(t))
	require.Len(t, second, 1)
	require.Equal(t, first[0], second[0], "who gets it twice knows it by its id")
	due()
	require.Empty(t, b.pass(t, n), "it was sent")

	state := func() (s string, failed *string) {
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT state, last_error FROM notifications ORDER BY created_at DESC LIMIT 1`).Scan(&s, &failed))
		return s, failed
	}
	b.now = b.now.Add(time.Hour)
	b.run(t, "failed", "validation")
	b.to.answers = []int{503, 503, 503, 503, 503, 503, 503, 503, 503, 503}
	attempts := len(b.pass(t, n))
	for s, _ := state(); s == "pending"; s, _ = state() {
		due()
		attempts += len(b.pass(t, n))
		require.Less(t, attempts, 10)
	}
	require.Equal(t, 8, attempts)
	s, failed := state()
	require.Equal(t, "given_up", s)
	require.NotContains(t, *failed, "hunter2")
	b.to.answers = []int{410}
	b.now = b.now.Add(time.Hour)
	b.run(t, "failed", "validation")
	b.pass(t, n)
	s, _ = state()
	require.Equal(t, "given_up", s, "gone is gone")
}

// mailbox is a small SMTP server; it answers the mails that came.
func mailbox(t *testing.T) (addr string, mails <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	got := make(chan string, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveMail(conn, got)
		}
	}()
	return listener.Addr().String(), got
}

func serveMail(conn net.Conn, got chan<- string) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
	say("220 mail.example ESMTP")
	var envelope strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
		case "EHLO", "HELO", "NOOP", "RSET":
			say("250 ok")
		case "MAIL", "RCPT":
			envelope.WriteString(line)
			say("250 ok")
		case "DATA":
			say("354 go on")
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				envelope.WriteString(line)
			}
			got <- envelope.String()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 not known")
		}
	}
}

func Test_Mail_has_the_words_the_link_and_the_id(t *testing.T) {
	t.Parallel()
	b := setup(t)
	addr, mails := mailbox(t)
	b.cfg.SMTPURL, b.cfg.From, b.cfg.To = secret.NewString("smtp://"+addr+"?tls=off"), "Towpath <towpath@example.org>", []string{"ops@example.org", "books@example.org"}
	n := b.process(t)
	b.run(t, "failed", "validation")
	all := b.pass(t, n)
	require.Len(t, all, 1)
	text := <-mails
	for _, part := range []string{"MAIL FROM:<towpath@example.org>", "RCPT TO:<ops@example.org>", "RCPT TO:<books@example.org>", "Subject: Towpath: 1 run failed or held",
		"Acme: 1 run failed, validation", "https://towpath.example/dashboard/sync?status=3Dfailed", all[0].id + "@example.org", "Auto-Submitted: auto-generated"} {
		require.Contains(t, text, part)
	}
	sent, err := notify.Test(t.Context(), b.cfg, time.Now)
	require.NoError(t, err)
	require.Len(t, sent, 2)
	require.Empty(t, sent[0].Error+sent[1].Error)
	require.Contains(t, <-mails, "a test")
	require.Equal(t, notify.TypeTest, b.to.take(t)[0].Type)
	b.cfg.SMTPURL = secret.NewString("smtp://" + addr)
	sent, err = notify.Test(t.Context(), b.cfg, time.Now)
	require.NoError(t, err)
	require.NotEmpty(t, sent[1].Error, "a server without STARTTLS gets nothing in clear unless ?tls=off says so")
}

func Test_Settings_that_could_not_be_used_are_refused_by_name(t *testing.T) {
	t.Parallel()
	good := secret.NewString("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	for name, c := range map[string]struct {
		cfg  notify.Config
		says string
	}{
		"no secret":      {notify.Config{WebhookURL: secret.NewString("https://x.example/")}, "TOWPATH_NOTIFY_WEBHOOK_SECRET"},
		"short secret":   {notify.Config{WebhookURL: secret.NewString("https://x.example/"), WebhookSecret: secret.NewString("whsec_aGk=")}, "TOWPATH_NOTIFY_WEBHOOK_SECRET"},
		"no address":     {notify.Config{WebhookURL: secret.NewString("ftp://x"), WebhookSecret: good}, "TOWPATH_NOTIFY_WEBHOOK_URL"},
		"no mail server": {notify.Config{SMTPURL: secret.NewString("mail.example:25")}, "TOWPATH_NOTIFY_SMTP_URL"},
		"in clear":       {notify.Config{SMTPURL: secret.NewString("smtp://u:hunter2@mail.example?tls=off")}, "TOWPATH_NOTIFY_SMTP_URL"},
		"no sender":      {notify.Config{SMTPURL: secret.NewString("smtps://mail.example")}, "TOWPATH_NOTIFY_FROM"},
		"nobody":         {notify.Config{SMTPURL: secret.NewString("smtps://mail.example"), From: "a@b.example"}, "TOWPATH_NOTIFY_TO"},
	} {
		err := c.cfg.Check()
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
	require.NoError(t, notify.Config{}.Check())
}
