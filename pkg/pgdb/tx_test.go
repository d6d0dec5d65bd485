package pgdb_test

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

func Test_InTx(t *testing.T) {
	t.Parallel()

	t.Run("Of_two_that_deadlock_both_commit", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Empty(t)
		_, err := pool.Exec(t.Context(), `CREATE TABLE rows (id text PRIMARY KEY, n int DEFAULT 0); INSERT INTO rows VALUES ('a'), ('b')`)
		require.NoError(t, err)
		var both sync.WaitGroup // until each has its first row
		both.Add(2)
		errs, tries := make(chan error), make(chan string, 10)
		for _, order := range []string{"ab", "ba"} {
			go func() {
				first := true
				errs <- pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
					tries <- order
					if _, err := tx.Exec(t.Context(), `UPDATE rows SET n = n + 1 WHERE id = $1`, order[:1]); err != nil {
						return err
					}
					if first {
						first = false
						both.Done()
						both.Wait()
					}
					_, err := tx.Exec(t.Context(), `UPDATE rows SET n = n + 1 WHERE id = $1`, order[1:])
					return err
				})
			}()
		}
		require.NoError(t, <-errs)
		require.NoError(t, <-errs)
		require.GreaterOrEqual(t, len(tries), 3, "one of them was ended")
		var sum int
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT sum(n) FROM rows`).Scan(&sum))
		require.Equal(t, 4, sum)
	})

	t.Run("What_never_gets_through_is_tried_four_times", func(t *testing.T) {
		t.Parallel()
		pool, tries := pgtest.Empty(t), 0
		err := pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			tries++
			_, err := tx.Exec(t.Context(), `DO $$ BEGIN RAISE 'no' USING ERRCODE = '40001'; END $$`)
			return err
		})
		require.ErrorContains(t, err, "40001")
		require.Equal(t, 4, tries)
	})

	t.Run("Another_error_is_not_tried_again", func(t *testing.T) {
		t.Parallel()
		pool, tries := pgtest.Empty(t), 0
		err := pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			tries++
			_, err := tx.Exec(t.Context(), `SELECT 1 / 0`)
			return err
		})
		require.ErrorContains(t, err, "22012")
		require.Equal(t, 1, tries)
	})
}
