package pgtest_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// Stop leaves no goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	if err := goleak.Find(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

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
