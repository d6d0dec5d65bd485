package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
)

const (
	lookEvery = time.Minute
	sendEvery = 10 * time.Second
	keep      = 30 * 24 * time.Hour // of what was sent or given up
)

// backoff is how long after an attempt the next one comes, in seconds, which is also how
// long an attempt is nobody else's: about a day in all. Then it is given up.
func backoff() []int32 { return []int32{60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 8 * 3600, 8 * 3600} }

// Notifier finds what is to be told and sends it. Several processes may run one.
type Notifier struct {
	pool     *pgxpool.Pool
	cfg      Config
	channels []channel
	metrics  *metrics.Metrics
	logger   *slog.Logger
	now      func() time.Time
}

// New checks the settings.
func New(pool *pgxpool.Pool, cfg Config, m *metrics.Metrics, logger *slog.Logger, now func() time.Time) (*Notifier, error) {
	channels, err := cfg.channels(now)
	if err != nil {
		return nil, err
	}
	return &Notifier{pool: pool, cfg: cfg, channels: channels, metrics: m, logger: logger, now: now}, nil
}

func (c Config) channels(now func() time.Time) ([]channel, error) {
	var all []channel
	for _, build := range []func() (channel, error){func() (channel, error) { return c.webhook(now) }, c.email} {
		one, err := build()
		if err != nil {
			return nil, err
		}
		if one != nil {
			all = append(all, one)
		}
	}
	return all, nil
}

// Run works until the context ends.
func (n *Notifier) Run(ctx context.Context) {
	ticker := time.NewTicker(sendEvery)
	defer ticker.Stop()
	for looked := (time.Time{}); ; {
		if time.Since(looked) >= lookEvery {
			looked = time.Now()
			if err := n.Look(ctx); err != nil && ctx.Err() == nil {
				n.logger.WarnContext(ctx, "look for what is to be told", "error", err)
			}
		}
		if err := n.Send(ctx); err != nil && ctx.Err() == nil {
			n.logger.WarnContext(ctx, "send notifications", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// put writes a message into the outbox, once for each channel.
func (n *Notifier) put(ctx context.Context, tx pgx.Tx, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make id: %w", err)
	}
	err = dbsqlc.New().NotificationInsert(ctx, tx, dbsqlc.NotificationInsertParams{ID: id, Channels: n.names(), Type: m.Type, Body: body})
	if err != nil {
		return fmt.Errorf("put %s: %w", m.Type, err)
	}
	return nil
}

func (n *Notifier) names() []string {
	var names []string
	for _, c := range n.channels {
		names = append(names, c.name())
	}
	return names
}

// Send sends all that is due. A process that dies behind an attempt has put the next one
// off: it is made again by whoever is there then, under the same id.
func (n *Notifier) Send(ctx context.Context) error {
	for ctx.Err() == nil {
		one, err := dbsqlc.New().NotificationClaim(ctx, n.pool, dbsqlc.NotificationClaimParams{Backoff: backoff(), Channels: n.names()})
		if errors.Is(err, pgx.ErrNoRows) || isReadOnly(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("claim notification: %w", err)
		}
		if err := n.deliver(ctx, one); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// deliver makes one attempt and notes what became of it.
func (n *Notifier) deliver(ctx context.Context, one dbsqlc.NotificationClaimRow) error {
	var failed error
	for _, c := range n.channels {
		if c.name() == one.Channel {
			failed = c.send(ctx, parcel{id: idOf(one.ID), body: one.Body})
		}
	}
	queries := dbsqlc.New()
	if failed == nil {
		n.metrics.Notified(one.Channel, "sent")
		return queries.NotificationSent(ctx, n.pool, dbsqlc.NotificationSentParams{ID: one.ID, Channel: one.Channel})
	}
	if ctx.Err() != nil { // the process stops: whether it was sent is not known, so it is sent again
		return ctx.Err()
	}
	final := int(one.Attempts) > len(backoff()) || errors.Is(failed, errRefusedForGood)
	words, outcome := failed.Error(), "failed"
	if final {
		outcome = "given_up"
	}
	n.metrics.Notified(one.Channel, outcome)
	n.logger.WarnContext(ctx, "notification not sent", "channel", one.Channel, "type", one.Type, "attempt", one.Attempts, "given_up", final, "error", words)
	return queries.NotificationFailed(ctx, n.pool, dbsqlc.NotificationFailedParams{ID: one.ID, Channel: one.Channel, LastError: &words, Final: final})
}

// Sent is what became of a test by one channel.
type Sent struct {
	Channel string `json:"channel"`
	ID      string `json:"id"`
	Error   string `json:"error,omitempty"`
}

// Test sends one message by each channel, past the outbox, and answers at once.
func Test(ctx context.Context, cfg Config, now func() time.Time) ([]Sent, error) {
	channels, err := cfg.channels(now)
	if err != nil {
		return nil, err
	}
	if len(channels) == 0 {
		return nil, ErrNobody
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make id: %w", err)
	}
	body, err := json.Marshal(Message{Type: TypeTest, Timestamp: now().UTC(), Data: Data{
		Title: "a test", Lines: []string{"This is a test: notifications of this Towpath arrive here."}, URL: cfg.BaseURL + "/dashboard/sync",
	}})
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	var all []Sent
	for _, c := range channels {
		s := Sent{Channel: c.name(), ID: idOf(id)}
		if err := c.send(ctx, parcel{id: s.ID, body: body}); err != nil {
			s.Error = err.Error()
		}
		all = append(all, s)
	}
	return all, nil
}
