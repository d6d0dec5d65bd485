package pgdb

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
)

// What the tests of package pgdb_test see of the inside. They are outside since
// pgtest imports pgdb.

func StatusFrom(ctx context.Context, pool *pgxpool.Pool, files fs.FS) (Status, error) {
	return readStatus(ctx, pool, files)
}

func ReadyFrom(ctx context.Context, pool *pgxpool.Pool, files fs.FS) error {
	return ready(ctx, pool, files)
}

func FindIn(root string, lookPath func(string) (string, error), binDir string) (string, error) {
	return finder{root: root, lookPath: lookPath}.find(binDir)
}

func FetchInto(ctx context.Context, cacheDir, npm string) (string, error) {
	return fetcher{cacheDir: cacheDir, npm: npm, log: slog.New(slog.DiscardHandler)}.fetch(ctx)
}

func FetchTarget(cacheDir string) (pkg, binDir string, err error) {
	return fetcher{cacheDir: cacheDir}.target()
}

func (p *Private) Dir() string { return p.dir }

func DataRoot() string { return dataRoot() }

const FolderPrefix = folderPrefix

const MigrateLock = int64(migrateLock)
