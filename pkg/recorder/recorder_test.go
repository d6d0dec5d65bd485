package recorder_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/recorder"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bundle is a database with one table, and a recorder whose writes can be held up.
type bundle struct {
	pool  *pgxpool.Pool
	rec   *recorder.Recorder[int, int]
	mu    sync.Mutex
	sets  [][]int
	enter chan struct{} // a write has begun
	hold  chan struct{} // closed: writes go on
}

var errRefused = errors.New("refused")

// setup: an item below 0 breaks the transaction, one of 1000 is refused by itself.
func setup(t *testing.T, change func(cfg *recorder.Config[int, int])) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), enter: make(chan struct{}, 1000), hold: make(chan struct{})}
	_, err := b.pool.Exec(t.Context(), "CREATE TABLE noted (n int PRIMARY KEY CHECK (n >= 0))")
	require.NoError(t, err)
	cfg := recorder.Config[int, int]{Pool: b.pool, Writers: 1, Write: b.write}
	if change != nil {
		change(&cfg)
	}
	b.rec = recorder.New(cfg)
	return b
}

func (b *bundle) write(ctx context.Context, tx pgx.Tx, set []int) ([]recorder.Answer[int], error) {
	b.mu.Lock()
	b.sets = append(b.sets, slices.Clone(set))
	b.mu.Unlock()
	b.enter <- struct{}{}
	<-b.hold
	answers := make([]recorder.Answer[int], len(set))
	for i, n := range set {
		switch n {
		case 1000:
			answers[i].Err = errRefused
			continue
		case 2000:
			panic("two thousand")
		}
		if _, err := tx.Exec(ctx, "INSERT INTO noted VALUES ($1)", n); err != nil {
			return nil, fmt.Errorf("note %d: %w", n, err)
		}
		answers[i].Value = 10 * n
	}
	return answers, nil
}

// behind hands the first item over and, while it is being written, the others, in
// order; then it lets go and answers what became of each.
func (b *bundle) behind(t *testing.T, first int, others ...int) []recorder.Answer[int] {
	t.Helper()
	answers := make([]recorder.Answer[int], 1+len(others))
	var all sync.WaitGroup
	record := func(i, n int) {
		all.Go(func() { answers[i].Value, answers[i].Err = b.rec.Record(t.Context(), n) })
	}
	record(0, first)
	<-b.enter
	for i, n := range others {
		record(i+1, n)
		b.waits(t, i+1)
	}
	close(b.hold)
	all.Wait()
	return answers
}

func (b *bundle) waits(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.rec.Waiting() == n }, 10*time.Second, time.Millisecond)
}

func (b *bundle) noted(t *testing.T) []int {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT n FROM noted ORDER BY n")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	return all
}

func Test_Record(t *testing.T) {
	t.Parallel()

	t.Run("What_comes_during_a_commit_shares_the_next", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		answers := b.behind(t, 1, 2, 3, 4)
		for i, a := range answers {
			require.NoError(t, a.Err)
			require.Equal(t, 10*(i+1), a.Value)
		}
		require.Equal(t, [][]int{{1}, {2, 3, 4}}, b.sets)
		require.Equal(t, []int{1, 2, 3, 4}, b.noted(t))
	})

	t.Run("A_set_holds_at_most_so_many", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(cfg *recorder.Config[int, int]) { cfg.Most = 2 })
		b.behind(t, 1, 2, 3, 4)
		require.Equal(t, [][]int{{1}, {2, 3}, {4}}, b.sets)
	})

	t.Run("One_that_breaks_the_transaction_harms_no_other", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		answers := b.behind(t, 1, 2, -3, 4)
		require.ErrorContains(t, answers[2].Err, "check constraint")
		for _, i := range []int{0, 1, 3} {
			require.NoError(t, answers[i].Err)
		}
		require.Equal(t, []int{1, 2, 4}, b.noted(t))
	})

	t.Run("One_that_panics_harms_no_other", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		answers := b.behind(t, 1, 2, 2000, 4)
		said, ok := errors.AsType[recorder.Panic](answers[2].Err)
		require.True(t, ok)
		require.Equal(t, "two thousand", said.Said)
		require.Equal(t, []int{1, 2, 4}, b.noted(t))
	})

	t.Run("One_that_is_refused_leaves_the_set_as_it_is", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		answers := b.behind(t, 1, 2, 1000, 4)
		require.ErrorIs(t, answers[2].Err, errRefused)
		require.Equal(t, [][]int{{1}, {2, 1000, 4}}, b.sets)
		require.Equal(t, []int{1, 2, 4}, b.noted(t))
	})

	t.Run("One_that_waits_for_a_lock_keeps_no_other_waiting", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		other, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = other.Exec(t.Context(), "INSERT INTO noted VALUES (3)") // a unique key that is not committed
		require.NoError(t, err)
		close(b.hold)
		third := make(chan error, 1)
		done := make(chan error, 2)
		b.hold = make(chan struct{})
		go func() { _, err := b.rec.Record(t.Context(), 1); done <- err }()
		<-b.enter
		go func() { _, err := b.rec.Record(t.Context(), 3); third <- err }()
		b.waits(t, 1)
		go func() { _, err := b.rec.Record(t.Context(), 2); done <- err }()
		b.waits(t, 2)
		close(b.hold)
		require.NoError(t, <-done)
		// The set of 3 and 2 gives up its shared wait; 2 is on record while 3 waits on.
		require.Eventually(t, func() bool { return slices.Contains(b.noted(t), 2) }, 20*time.Second, 5*time.Millisecond)
		require.NoError(t, other.Rollback(t.Context()))
		require.NoError(t, <-third)
		require.NoError(t, <-done)
		require.Equal(t, []int{1, 2, 3}, b.noted(t))
	})

	t.Run("A_second_try_alone_where_it_is_worth_one", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int64
		b := setup(t, func(cfg *recorder.Config[int, int]) {
			write := cfg.Write
			cfg.Again = func(err error) bool { return errors.Is(err, errRefused) }
			cfg.Write = func(ctx context.Context, tx pgx.Tx, set []int) ([]recorder.Answer[int], error) {
				if calls.Add(1) == 1 {
					return nil, errRefused
				}
				return write(ctx, tx, set)
			}
		})
		close(b.hold)
		value, err := b.rec.Record(t.Context(), 5)
		require.NoError(t, err)
		require.Equal(t, 50, value)
		require.EqualValues(t, 2, calls.Load())
	})
}

func Test_Record_caller_goes_away(t *testing.T) {
	t.Parallel()

	t.Run("Nothing_is_done_for_one_that_still_waited", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		first := make(chan error, 1)
		go func() { _, err := b.rec.Record(t.Context(), 1); first <- err }()
		<-b.enter
		ctx, leave := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() { _, err := b.rec.Record(ctx, 2); second <- err }()
		b.waits(t, 1)
		leave()
		err := <-second
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, recorder.ErrUnknown)
		close(b.hold)
		require.NoError(t, <-first)
		require.Equal(t, []int{1}, b.noted(t))
	})

	t.Run("Unknown_for_one_that_is_being_written", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { _, err := b.rec.Record(ctx, 1); gone <- err }()
		<-b.enter
		leave()
		require.ErrorIs(t, <-gone, recorder.ErrUnknown)
		close(b.hold) // what was begun is finished
		require.Eventually(t, func() bool { return slices.Equal([]int{1}, b.noted(t)) }, 10*time.Second, time.Millisecond)
	})

	t.Run("Full_when_more_wait_than_the_bound", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(cfg *recorder.Config[int, int]) { cfg.Bound = 1 })
		done := make(chan error, 2)
		go func() { _, err := b.rec.Record(t.Context(), 1); done <- err }()
		<-b.enter
		go func() { _, err := b.rec.Record(t.Context(), 2); done <- err }()
		b.waits(t, 1)
		_, err := b.rec.Record(t.Context(), 3)
		require.ErrorIs(t, err, recorder.ErrFull)
		close(b.hold)
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	})
}

// commitLoser is a connection on which the answer of the first COMMIT is lost, or
// the COMMIT itself.
type commitLoser struct {
	net.Conn
	lose   *atomic.Int64 // 1: the answer, 2: the COMMIT
	broken atomic.Bool
}

func (c *commitLoser) Write(p []byte) (int, error) {
	if strings.Contains(strings.ToLower(string(p)), "commit\x00") {
		switch c.lose.Swap(0) {
		case 1:
			c.broken.Store(true)
		case 2:
			_ = c.Conn.Close()
			return 0, net.ErrClosed
		}
	}
	return c.Conn.Write(p)
}

// Read waits for the answer before it loses it: the commit is certainly done.
func (c *commitLoser) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.broken.Load() {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func Test_Record_connection_lost_in_commit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose  int64
		noted []int
	}{
		"Unknown_where_it_took_effect":    {1, []int{1, 2, 3}},
		"Unknown_where_it_took_no_effect": {2, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lose atomic.Int64
			b := setup(t, func(cfg *recorder.Config[int, int]) {
				pc, err := pgxpool.ParseConfig(cfg.Pool.Config().ConnString())
				require.NoError(t, err)
				pc.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
					return &commitLoser{Conn: conn, lose: &lose}, err
				}
				cfg.Pool, err = pgxpool.NewWithConfig(t.Context(), pc)
				require.NoError(t, err)
				t.Cleanup(cfg.Pool.Close)
				write := cfg.Write
				cfg.Write = func(ctx context.Context, tx pgx.Tx, set []int) ([]recorder.Answer[int], error) {
					answers, err := write(ctx, tx, set)
					if len(set) > 1 {
						lose.Store(c.lose)
					}
					return answers, err
				}
			})
			answers := b.behind(t, 1, 2, 3)
			require.NoError(t, answers[0].Err)
			require.ErrorIs(t, answers[1].Err, recorder.ErrUnknown)
			require.ErrorIs(t, answers[2].Err, recorder.ErrUnknown)
			require.Equal(t, [][]int{{1}, {2, 3}}, b.sets, "no second write of what may be there")
			require.Equal(t, c.noted, b.noted(t))
		})
	}
}

func Test_Record_no_connection(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *recorder.Config[int, int]) { cfg.Acquire = 50 * time.Millisecond })
	close(b.hold)
	b.pool.Close()
	_, err := b.rec.Record(t.Context(), 1)
	require.ErrorIs(t, err, recorder.ErrNoConnection)
}

// Two writers that begin at one moment may find that the first has taken all, and callers
// go away before anybody came: nothing is done for nobody.
func Test_Gatherer_does_no_empty_set(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	g := &recorder.Gatherer[int, int]{AtOnce: 4, Do: func(_ context.Context, set []int, _ func()) []recorder.Answer[int] {
		assert.NotEmpty(t, set)
		done.Add(int64(len(set)))
		return make([]recorder.Answer[int], len(set))
	}}
	gone, leave := context.WithCancel(t.Context())
	leave()
	var all sync.WaitGroup
	var left atomic.Int64
	for n := range 2000 {
		all.Go(func() {
			ctx := t.Context()
			if n%3 == 0 {
				ctx = gone
			}
			if _, err := g.Hand(ctx, n); errors.Is(err, context.Canceled) && !errors.Is(err, recorder.ErrUnknown) {
				left.Add(1)
			}
		})
	}
	all.Wait()
	require.Equal(t, int64(2000), done.Load()+left.Load(), "each is done once, or was withdrawn")
}

func Test_Gatherer_with_patience(t *testing.T) {
	t.Parallel()

	// stuck does sets that wait for a word each, and tells of each that has begun.
	stuck := func(patience time.Duration) (g *recorder.Gatherer[int, int], begun chan []int, goOn chan struct{}) {
		begun, goOn = make(chan []int, 10), make(chan struct{})
		return &recorder.Gatherer[int, int]{AtOnce: 2, Patience: patience, Do: func(_ context.Context, set []int, _ func()) []recorder.Answer[int] {
			begun <- set
			<-goOn
			answers := make([]recorder.Answer[int], len(set))
			for i, v := range set {
				answers[i].Value = v
			}
			return answers
		}}, begun, goOn
	}

	t.Run("What_comes_while_a_set_is_under_way_is_one_set", func(t *testing.T) {
		t.Parallel()
		g, begun, goOn := stuck(time.Hour)
		var all sync.WaitGroup
		hand := func(v int) {
			all.Go(func() {
				answer, err := g.Hand(context.Background(), v)
				require.NoError(t, err)
				require.Equal(t, v, answer)
			})
		}
		hand(1)
		require.Equal(t, []int{1}, <-begun)
		for v := 2; v <= 5; v++ {
			hand(v)
		}
		require.Eventually(t, func() bool { return g.Waiting() == 4 }, time.Minute, time.Millisecond)
		goOn <- struct{}{}
		require.ElementsMatch(t, []int{2, 3, 4, 5}, <-begun)
		goOn <- struct{}{}
		all.Wait()
	})

	t.Run("A_set_of_which_only_the_end_is_left_keeps_nobody_waiting", func(t *testing.T) {
		t.Parallel()
		begun, nearly, end := make(chan []int, 10), make(chan func(), 10), make(chan struct{})
		g := &recorder.Gatherer[int, int]{AtOnce: 2, Patience: time.Hour, Do: func(_ context.Context, set []int, letGo func()) []recorder.Answer[int] {
			begun <- set
			nearly <- letGo
			<-end
			return make([]recorder.Answer[int], len(set))
		}}
		var all sync.WaitGroup
		hand := func(v int) { all.Go(func() { _, _ = g.Hand(context.Background(), v) }) }
		hand(1)
		require.Equal(t, []int{1}, <-begun)
		hand(2)
		require.Eventually(t, func() bool { return g.Waiting() == 1 }, time.Minute, time.Millisecond, "the first is at its work")
		letGo := <-nearly
		letGo()
		require.Equal(t, []int{2}, <-begun, "beside the end of the first")
		letGo() // a second time lets nobody in: it is the second set's turn to say so
		hand(3)
		require.Eventually(t, func() bool { return g.Waiting() == 1 }, time.Minute, time.Millisecond)
		(<-nearly)()
		require.Equal(t, 1, g.Waiting(), "two at once are the most")
		end <- struct{}{}
		require.Equal(t, []int{3}, <-begun)
		close(end)
		all.Wait()
	})

	t.Run("Of_a_set_that_is_stuck_nobody_waits_for_the_end", func(t *testing.T) {
		t.Parallel()
		g, begun, goOn := stuck(time.Millisecond)
		answers := make(chan int, 3)
		hand := func(v int) {
			go func() {
				answer, _ := g.Hand(context.Background(), v)
				answers <- answer
			}()
		}
		hand(1)
		require.Equal(t, []int{1}, <-begun)
		hand(2)
		require.Equal(t, []int{2}, <-begun, "beside the first")
		hand(3)
		require.Eventually(t, func() bool { return g.Waiting() == 1 }, time.Minute, time.Millisecond, "two at once are the most")
		goOn <- struct{}{}
		require.Equal(t, []int{3}, <-begun, "one of them ended, the other is stuck still")
		close(goOn)
		require.ElementsMatch(t, []int{1, 2, 3}, []int{<-answers, <-answers, <-answers})
	})
}
