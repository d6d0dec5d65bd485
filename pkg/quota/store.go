package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// store changes the budget of a binding's organisation: the row that call_budget_key
// names. It is locked from the read to the commit, so the rules see one change after
// another, over all processes.
//
// A change is two trips to the database, whatever it changes: one that begins and
// locks, one that writes and commits. That is why its statements are here and not
// among the generated ones, of which each is a trip of its own.
type store struct {
	pool    *pgxpool.Pool
	binding uuid.UUID
}

// mode says what a change may lose.
type mode int

const (
	// granting is on disk when it is answered: what it grants is called right after.
	granting mode = iota
	// settling need not be: where the server loses the last of them, their leases are
	// as they were, and end by themselves.
	settling
)

// lockBudgets locks the budget of a binding's organisation, and with it those that
// bindings of that organisation had of their own before it was known: their calls
// were made at it. The other key is where a lease was granted that is to be changed:
// another organisation's, where the binding's has changed meanwhile.
const lockBudgets = `
	SELECT key, state
	FROM call_budgets
	WHERE key IN (
			SELECT call_budget_key(binding) FROM bindings AS binding WHERE id = $1
			UNION ALL
			SELECT one.id::text
			FROM bindings AS me
			JOIN bindings AS one ON (one.provider, one.org_key) = (me.provider, me.org_key)
			WHERE me.id = $1 AND call_budget_key(me) <> me.id::text)
		OR key = $2
	ORDER BY key
	FOR UPDATE`

// A statement of its own, which begins when the rows are locked: the time must not
// be from before.
const budgetNow = `SELECT call_budget_key(binding), clock_timestamp() FROM bindings AS binding WHERE id = $1`

const addBudget = `INSERT INTO call_budgets (key) VALUES ($1) ON CONFLICT (key) DO NOTHING`

const setBudget = `
	UPDATE call_budgets
	SET state = $2, live_from = $3, backfill_from = $4, clients = $5
	WHERE key = $1`

// found are the locked budgets, and the one that the binding has now.
type found struct {
	key     string
	now     time.Time
	budgets map[string]Budget
}

// errNoBudget: there is no row to be locked yet.
var errNoBudget = errors.New("no budget yet")

// change applies a rule to the budget in which a lease is, or else to the binding's.
// It answers that budget's key, and the time at which the rule saw it.
func (s store) change(ctx context.Context, h *held, m mode, rule func(time.Time, Budget) Budget) (string, time.Time, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("change budget of binding %s: %w", s.binding, err)
	}
	defer conn.Release() // with a transaction that is still open it is closed
	for {
		key, now, err := s.once(ctx, conn.Conn(), h, m, rule)
		if !errors.Is(err, errNoBudget) {
			if err != nil {
				err = fmt.Errorf("change budget of binding %s: %w", s.binding, err)
			}
			return key, now, err
		}
		if m == settling {
			return key, now, nil
		}
		// Two that come first at once add one row, and lock it one after the other.
		if _, err := conn.Exec(ctx, addBudget, key); err != nil {
			return "", now, fmt.Errorf("add budget %q: %w", key, err)
		}
	}
}

func (s store) once(ctx context.Context, conn *pgx.Conn, h *held, m mode, rule func(time.Time, Budget) Budget) (string, time.Time, error) {
	f, err := s.lock(ctx, conn, h, m)
	if err != nil {
		return "", f.now, err
	}
	if b, there := f.budgets[h.key]; there && h.key != f.key && !ownKey(h.key) && b.find(h.id) >= 0 {
		// The binding has another organisation now; what was begun is the old one's.
		return h.key, f.now, write(ctx, conn, h.key, rule(f.now, b), nil)
	}
	b, there := f.budgets[f.key]
	if !there {
		_, err := conn.Exec(ctx, "ROLLBACK")
		return f.key, f.now, errors.Join(errNoBudget, err)
	}
	var over []string
	for key, own := range f.budgets {
		if key != f.key && ownKey(key) { // the organisation is known by now
			b, over = b.Join(own), append(over, key)
		}
	}
	return f.key, f.now, write(ctx, conn, f.key, rule(f.now, b), over)
}

// ownKey reports whether a budget is a binding's own, since its organisation is not
// known.
func ownKey(key string) bool { return uuid.Validate(key) == nil }

func (s store) lock(ctx context.Context, conn *pgx.Conn, h *held, m mode) (found, error) {
	f := found{budgets: map[string]Budget{}}
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	if m == settling {
		batch.Queue("SET LOCAL synchronous_commit = off")
	}
	batch.Queue(lockBudgets, s.binding, h.key).Query(func(rows pgx.Rows) error {
		var key string
		var state []byte
		_, err := pgx.ForEachRow(rows, []any{&key, &state}, func() error {
			f.budgets[key] = Decode(state)
			return nil
		})
		return err
	})
	batch.Queue(budgetNow, s.binding).QueryRow(func(row pgx.Row) error { return row.Scan(&f.key, &f.now) })
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return f, fmt.Errorf("lock budget: %w", err)
	}
	return f, nil
}

// write stores a budget and commits. Budgets that went into it are no more.
func write(ctx context.Context, conn *pgx.Conn, key string, b Budget, over []string) error {
	state, err := b.encode()
	if err != nil {
		return fmt.Errorf("encode budget: %w", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(setBudget, key, state, orNull(b.Live.From), orNull(b.Backfill.From), b.clients())
	if len(over) > 0 {
		batch.Queue("DELETE FROM call_budgets WHERE key = ANY ($1)", over)
	}
	batch.Queue("COMMIT")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write budget: %w", err)
	}
	return nil
}

func orNull(m moment) *time.Time {
	if m == 0 {
		return nil
	}
	at := m.time()
	return &at
}

// EndDead ends the leases of worker processes that are dead, as schema.sql's
// towpath_process_dead says: the calls that they had under way are over, and what
// they might have called counts as called.
func EndDead(ctx context.Context, conn *pgx.Conn, grace, frozen time.Duration) error {
	rows, _ := conn.Query(ctx, `
		SELECT budget.key, array_agg(process.client_id)
		FROM call_budgets AS budget
		JOIN worker_processes AS process ON process.client_id = ANY (budget.clients)
		WHERE towpath_process_dead(process, $1, $2)
		GROUP BY budget.key`, grace, frozen)
	type dead struct {
		Key     string
		Clients []string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dead])
	for _, d := range list {
		err = errors.Join(err, endOf(ctx, conn, d.Key, d.Clients))
	}
	if err != nil {
		return fmt.Errorf("end calls of dead processes: %w", err)
	}
	return nil
}

// endOf waits for nobody who holds the row: whoever looks for the dead must not be
// taken for dead meanwhile, and comes again.
func endOf(ctx context.Context, conn *pgx.Conn, key string, clients []string) error {
	var now time.Time
	var state []byte
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	batch.Queue("SELECT state, clock_timestamp() FROM call_budgets WHERE key = $1 FOR UPDATE SKIP LOCKED", key).
		QueryRow(func(row pgx.Row) error { return row.Scan(&state, &now) })
	err := conn.SendBatch(ctx, batch).Close()
	if err == nil {
		err = write(ctx, conn, key, Decode(state).EndOf(now, clients...), nil)
	}
	if err == nil {
		return nil
	}
	_, undone := conn.Exec(context.WithoutCancel(ctx), "ROLLBACK")
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return errors.Join(err, undone)
}
