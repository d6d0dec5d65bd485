//go:build unix

package pgdb

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPrograms says that this machine has no Postgres server programs and
// that they could not be fetched either.
var ErrNoPrograms = errors.New("no Postgres server programs (initdb, postgres) found")

// installHint ends every error that installing Postgres would mend.
const installHint = "install them (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql) " +
	"or set PGBIN to the folder that holds them"

// oldestMajor is the oldest server that a private cluster is made with.
const oldestMajor = 14

// programFolders are the places where packagers put server programs, one folder
// a version; within a line the highest version wins, between lines the first.
var programFolders = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // postgresql.org's RPMs
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// finder looks for server programs below root ("/", or a test's folder).
type finder struct {
	root     string
	lookPath func(string) (string, error)
}

// find returns the folder that holds initdb and postgres. A binDir that was
// asked for is the only one looked at.
func (f finder) find(binDir string) (string, error) {
	if binDir != "" {
		if !holdsPrograms(binDir) {
			return "", fmt.Errorf("find Postgres programs: %q does not hold initdb and postgres", binDir)
		}
		return filepath.Abs(binDir)
	}
	for _, pattern := range programFolders {
		if dir, ok := f.highest(pattern); ok {
			return dir, nil
		}
	}
	if dir, ok := f.onPath(); ok {
		return dir, nil
	}
	return "", ErrNoPrograms
}

// highest returns the folder of the highest version that pattern matches.
func (f finder) highest(pattern string) (string, bool) {
	dirs, _ := filepath.Glob(filepath.Join(f.root, pattern)) // the only error is a bad pattern
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		return folderVersion(dir)[0] < oldestMajor || !holdsPrograms(dir)
	})
	if len(dirs) == 0 {
		return "", false
	}
	return slices.MaxFunc(dirs, func(a, b string) int {
		return slices.Compare(folderVersion(a), folderVersion(b))
	}), true
}

// onPath finds the programs through PATH. What is there is often a symlink
// into the folder that holds the rest, so it is resolved.
func (f finder) onPath() (string, bool) {
	program, err := f.lookPath("postgres")
	if err != nil {
		return "", false
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return "", false
	}
	dir, err := filepath.Abs(filepath.Dir(program))
	return dir, err == nil && holdsPrograms(dir)
}

var versionDigits = regexp.MustCompile(`\d+(\.\d+)*$`)

// folderVersion reads the version from a folder like /usr/lib/postgresql/15/bin;
// [0] where it has none.
func folderVersion(binDir string) []int {
	var version []int
	digits := versionDigits.FindString(filepath.Base(filepath.Dir(binDir)))
	for part := range strings.SplitSeq(digits, ".") {
		n, _ := strconv.Atoi(part)
		version = append(version, n)
	}
	return version
}

func holdsPrograms(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, program))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// systemFinder looks at this machine.
func systemFinder() finder { return finder{root: "/", lookPath: exec.LookPath} }
