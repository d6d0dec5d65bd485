package pgdb_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
)

// helperRoot, in the environment, makes the test binary a process that only
// starts a private server below that folder and waits to be killed.
const helperRoot = "PGDB_TEST_HELPER_ROOT"

// patience and tick are for what another process does in its own time.
const (
	patience = time.Minute
	tick     = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	if root := os.Getenv(helperRoot); root != "" {
		serveUntilKilled(root)
	}
	pgtest.Main(m)
}

func serveUntilKilled(root string) {
	server, err := pgdb.StartPrivate(context.Background(),
		pgdb.Options{BinDir: os.Getenv("PGBIN"), DataRoot: root, NoSync: true})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(server.URL("postgres"))
	<-server.Exited()
	os.Exit(1)
}
