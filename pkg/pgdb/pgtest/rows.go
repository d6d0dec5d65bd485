package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// RowsRead is how many rows of the table that it reads most do reads in tx. Postgres'
// own count of a transaction holds what the connection has read before and not handed in
// yet, so the difference is taken.
func RowsRead(t testing.TB, tx pgx.Tx, do func() error) (rows int, of string) {
	t.Helper()
	before := rowsCounted(t, tx)
	require.NoError(t, do())
	for table, n := range rowsCounted(t, tx) {
		if n -= before[table]; n >= rows {
			rows, of = n, table
		}
	}
	return rows, of
}

func rowsCounted(t testing.TB, tx pgx.Tx) map[string]int {
	t.Helper()
	rows, err := tx.Query(t.Context(), `
		SELECT relname, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int
		FROM pg_stat_xact_user_tables`)
	require.NoError(t, err)
	counted, table, n := map[string]int{}, "", 0
	_, err = pgx.ForEachRow(rows, []any{&table, &n}, func() error {
		counted[table] = n
		return nil
	})
	require.NoError(t, err)
	return counted
}
