package pgtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestNew(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(fmt.Sprintf("Database_of_its_own_%d", i), func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t)
			require.NoError(t, pgdb.Ready(context.Background(), pool))
			_, err := pool.Exec(context.Background(), `CREATE TABLE mine (n int)`)
			require.NoError(t, err, "another test's table is here")
		})
	}
}
