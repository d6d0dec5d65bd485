package pgdb_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
)

func TestFindPrograms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		programs []string // files made below the root
		onPath   string   // where PATH leads
		binDir   string
		want     string // folder below the root, or
		refused  string
	}{
		"Highest_version_by_number": {
			programs: []string{
				"usr/lib/postgresql/9.6/bin/initdb", "usr/lib/postgresql/9.6/bin/postgres",
				"usr/lib/postgresql/15/bin/initdb", "usr/lib/postgresql/15/bin/postgres",
				"usr/lib/postgresql/17/bin/initdb", "usr/lib/postgresql/17/bin/postgres",
			},
			want: "usr/lib/postgresql/17/bin",
		},
		"Version_without_a_server_is_passed_over": {
			programs: []string{
				"usr/lib/postgresql/17/bin/psql", "usr/lib/postgresql/17/bin/postgres",
				"usr/lib/postgresql/15/bin/initdb", "usr/lib/postgresql/15/bin/postgres",
			},
			want: "usr/lib/postgresql/15/bin",
		},
		"Version_too_old_is_passed_over": {
			programs: []string{"usr/lib/postgresql/13/bin/initdb", "usr/lib/postgresql/13/bin/postgres"},
			refused:  pgdb.ErrNoPrograms.Error(),
		},
		"Red_Hat": {
			programs: []string{"usr/pgsql-16/bin/initdb", "usr/pgsql-16/bin/postgres"},
			want:     "usr/pgsql-16/bin",
		},
		"Homebrew": {
			programs: []string{
				"opt/homebrew/opt/postgresql@14/bin/initdb", "opt/homebrew/opt/postgresql@14/bin/postgres",
				"opt/homebrew/opt/postgresql@17/bin/initdb", "opt/homebrew/opt/postgresql@17/bin/postgres",
			},
			want: "opt/homebrew/opt/postgresql@17/bin",
		},
		"Postgres_app": {
			programs: []string{
				"Applications/Postgres.app/Contents/Versions/16/bin/initdb",
				"Applications/Postgres.app/Contents/Versions/16/bin/postgres",
			},
			want: "Applications/Postgres.app/Contents/Versions/16/bin",
		},
		"Symlink_on_PATH_is_resolved": {
			programs: []string{"store/pg/bin/initdb", "store/pg/bin/postgres"},
			onPath:   "store/pg/bin/postgres",
			want:     "store/pg/bin",
		},
		"Folder_asked_for_comes_first": {
			programs: []string{
				"mine/initdb", "mine/postgres",
				"usr/lib/postgresql/17/bin/initdb", "usr/lib/postgresql/17/bin/postgres",
			},
			binDir: "mine",
			want:   "mine",
		},
		"Refused_when_the_folder_asked_for_holds_none": {
			programs: []string{"usr/lib/postgresql/17/bin/initdb", "usr/lib/postgresql/17/bin/postgres"},
			binDir:   "mine",
			refused:  "does not hold initdb and postgres",
		},
		"Refused_when_there_are_none": {refused: pgdb.ErrNoPrograms.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			for _, program := range test.programs {
				path := filepath.Join(root, program)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, nil, 0o755))
			}
			lookPath := func(string) (string, error) { return "", errors.New("not on PATH") }
			if test.onPath != "" {
				link := filepath.Join(t.TempDir(), "postgres")
				require.NoError(t, os.Symlink(filepath.Join(root, test.onPath), link))
				lookPath = func(string) (string, error) { return link, nil }
			}
			binDir := test.binDir
			if binDir != "" {
				binDir = filepath.Join(root, binDir)
			}
			got, err := pgdb.FindIn(root, lookPath, binDir)
			if test.refused != "" {
				require.ErrorContains(t, err, test.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, filepath.Join(root, test.want), got)
		})
	}
}
