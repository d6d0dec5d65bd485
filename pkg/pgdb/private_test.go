package pgdb_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb"
)

// root makes a folder for servers of one test alone. t.TempDir will not do: it
// is below a folder that the server's user cannot enter where the tests are root.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(pgdb.DataRoot(), "pgdb-test-*")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func start(t *testing.T, root string) *pgdb.Private {
	t.Helper()
	server, err := pgdb.StartPrivate(t.Context(),
		pgdb.Options{BinDir: os.Getenv("PGBIN"), DataRoot: root, NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var answer string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
	return answer
}

func requireGone(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err == nil {
		conn.Close(ctx)
	}
	require.Error(t, err, "the server still answers")
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestStartPrivate(t *testing.T) {
	t.Parallel()

	t.Run("Two_run_beside_each_other", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		one, two := start(t, dir), start(t, dir)
		require.NotEqual(t, one.URL("postgres"), two.URL("postgres"))
		query(t, one.URL("postgres"), `SELECT set_config('application_name', 'x', false)`)
		require.NoError(t, one.Stop())
		requireGone(t, one.URL("postgres"))
		require.Equal(t, "1", query(t, two.URL("postgres"), `SELECT '1'`))
	})

	t.Run("Settings_are_those_asked_for", func(t *testing.T) {
		t.Parallel()
		server, err := pgdb.StartPrivate(t.Context(),
			pgdb.Options{BinDir: os.Getenv("PGBIN"), DataRoot: root(t), MaxConnections: 37})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, server.Stop()) })
		url := server.URL("postgres")
		require.Equal(t, "37", query(t, url, `SHOW max_connections`))
		require.Equal(t, "on", query(t, url, `SHOW fsync`), "durable unless told otherwise")
		require.Equal(t, "", query(t, url, `SHOW listen_addresses`), "no TCP port")
		require.Equal(t, "UTF8", query(t, url, `SHOW server_encoding`))
	})

	t.Run("Others_cannot_enter_its_folder", func(t *testing.T) {
		t.Parallel()
		info, err := os.Stat(start(t, root(t)).Dir())
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o007)
	})

	t.Run("Cancelled_start_leaves_nothing", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := pgdb.StartPrivate(ctx, pgdb.Options{BinDir: os.Getenv("PGBIN"), DataRoot: dir})
		require.ErrorIs(t, err, context.Canceled)
		requireEmpty(t, dir)
	})

	t.Run("Cancelled_initdb_ends_what_it_runs_before_its_files_go", func(t *testing.T) {
		t.Parallel()
		dir, bin := root(t), root(t)
		require.NoError(t, os.Chmod(bin, 0o777)) // the stand-ins write as the server's user
		// Like the true one: a signal takes effect after the step under way, and
		// the program of that step must find its files until its end.
		script := `#!/bin/sh
said=` + bin + `
trap 'ended=yes' TERM
ended=no
( trap '' TERM; touch "$2/used" "$said/runs"; while [ ! -e "$said/cancelled" ]; do sleep 0.01; done; sleep 0.2
  rm "$2/used" && echo in good order >"$said/child" ) &
child=$!
until wait $child; [ -e "$said/child" ] || [ ! -e "$2/used" ]; do :; done
echo $ended >"$said/told"
exit 1
`
		for _, program := range []string{"initdb", "postgres"} {
			require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := pgdb.StartPrivate(ctx, pgdb.Options{BinDir: bin, DataRoot: dir})
			done <- err
		}()
		require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(bin, "runs")); return err == nil }, patience, tick)
		cancel()
		require.NoError(t, os.WriteFile(filepath.Join(bin, "cancelled"), nil, 0o644))
		require.ErrorIs(t, <-done, context.Canceled)
		for name, want := range map[string]string{"child": "in good order\n", "told": "yes\n"} {
			said, err := os.ReadFile(filepath.Join(bin, name))
			require.NoError(t, err)
			require.Equal(t, want, string(said))
		}
		requireEmpty(t, dir)
	})

	t.Run("Cancelled_start_leaves_no_shared_memory", func(t *testing.T) {
		t.Parallel()
		if _, err := os.Stat("/dev/shm"); err != nil {
			t.Skip("the system does not show its shared memory")
		}
		dir := root(t)
		ours := watchSegments(t, dir)
		// Cut off earlier and later, until one start has had the time that it takes here: a
		// server that is up has a segment.
		up := false
		for after := 50 * time.Millisecond; after < time.Second || !up; after += 300 * time.Millisecond {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			server, err := pgdb.StartPrivate(ctx, pgdb.Options{BinDir: os.Getenv("PGBIN"), DataRoot: dir})
			cancel()
			if err == nil {
				up = true
				require.NoError(t, server.Stop())
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			requireEmpty(t, dir)
		}
		seen := ours()
		require.NotEmpty(t, seen, "no program of ours was seen with a segment")
		for segment := range seen {
			require.NoFileExists(t, segment)
		}
	})

	t.Run("Broken_programs_are_reported_with_their_own_words", func(t *testing.T) {
		t.Parallel()
		dir, bin := root(t), root(t)
		script := []byte("#!/bin/sh\necho this is no database >&2\nexit 3\n")
		for _, program := range []string{"initdb", "postgres"} {
			require.NoError(t, os.WriteFile(filepath.Join(bin, program), script, 0o755))
		}
		_, err := pgdb.StartPrivate(t.Context(), pgdb.Options{BinDir: bin, DataRoot: dir})
		require.ErrorContains(t, err, "run initdb: exit status 3: this is no database")
		requireEmpty(t, dir)
	})

	t.Run("Refused_with_too_few_connections", func(t *testing.T) {
		t.Parallel()
		_, err := pgdb.StartPrivate(t.Context(), pgdb.Options{MaxConnections: 3})
		require.ErrorContains(t, err, "max connections 3")
	})
}

// watchSegments notes the shared memory segments that processes working below
// root have; servers of others make and leave theirs at the same time.
func watchSegments(t *testing.T, root string) func() map[string]bool {
	t.Helper()
	seen, end, ended := map[string]bool{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for {
			noteSegments(root, seen)
			select {
			case <-again.C:
			case <-end:
				return
			}
		}
	}()
	stop := sync.OnceFunc(func() { close(end); <-ended })
	t.Cleanup(stop)
	return func() map[string]bool { stop(); return seen }
}

var segmentName = regexp.MustCompile(`/dev/shm/PostgreSQL\.\d+`)

func noteSegments(root string, seen map[string]bool) {
	entries, _ := os.ReadDir("/proc") // a process that ends while it is looked at has nothing to note
	for _, entry := range entries {
		process := filepath.Join("/proc", entry.Name())
		if cwd, err := os.Readlink(filepath.Join(process, "cwd")); err != nil || !strings.HasPrefix(cwd, root) {
			continue
		}
		maps, _ := os.ReadFile(filepath.Join(process, "maps"))
		for _, name := range segmentName.FindAll(maps, -1) {
			seen[string(name)] = true
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()

	t.Run("Leaves_nothing_behind_and_may_be_repeated", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		server := start(t, dir)
		conn, err := pgx.Connect(t.Context(), server.URL("postgres")) // still open at the stop
		require.NoError(t, err)
		defer conn.Close(context.Background())
		require.NoError(t, server.Stop())
		require.NoError(t, server.Stop())
		requireGone(t, server.URL("postgres"))
		requireEmpty(t, dir)
		<-server.Exited()
	})

	t.Run("Works_after_the_server_died_by_itself", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		server := start(t, dir)
		pid := query(t, server.URL("postgres"), `SELECT pg_backend_pid()::text`)
		require.NotEmpty(t, pid)
		killServer(t, server.Dir())
		<-server.Exited()
		require.NoError(t, server.Stop())
		requireEmpty(t, dir)
	})
}

// killServer ends a server by the process id in its own file.
func killServer(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	pid, _, _ := strings.Cut(string(text), "\n")
	require.NoError(t, exec.Command("kill", "-QUIT", pid).Run())
}

// helper is another process with a private server.
type helper struct {
	cmd *exec.Cmd
	url string
}

func startHelper(t *testing.T, root string) helper {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperRoot+"="+root)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	process := helper{cmd: cmd}
	t.Cleanup(process.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.False(t, strings.HasPrefix(line, "error:"), line)
	process.url = strings.TrimSpace(line)
	return process
}

// kill ends the process without a chance to clean up, and returns when it holds
// nothing any more.
func (h helper) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

func TestKilledProcess(t *testing.T) {
	t.Parallel()

	t.Run("Takes_its_server_and_files_with_it", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		process := startHelper(t, dir)
		require.Equal(t, "1", query(t, process.url, `SELECT '1'`))
		process.kill()
		require.Eventually(t, func() bool {
			left, err := os.ReadDir(dir)
			return err == nil && len(left) == 0
		}, patience, tick)
		requireGone(t, process.url)
	})

	t.Run("Takes_its_server_with_it_even_without_the_watcher", func(t *testing.T) {
		t.Parallel()
		if !kernelKills {
			t.Skip("the kernel does not tell children here")
		}
		dir := root(t)
		process := startHelper(t, dir)
		killWatcher(t, dir)
		process.kill()
		require.Eventually(t, func() bool {
			conn, err := pgx.Connect(context.Background(), process.url)
			if err == nil {
				conn.Close(context.Background())
			}
			return err != nil
		}, patience, tick)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, left, 1, "nobody was left to remove the folder")

		server := start(t, dir) // sweeps
		require.NoError(t, server.Stop())
		requireEmpty(t, dir)
	})

	t.Run("Of_the_living_nothing_is_swept", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		process := startHelper(t, dir)
		start(t, dir)
		require.Equal(t, "1", query(t, process.url, `SELECT '1'`))
	})
}

// kernelKills says whether the kernel takes a killed process's server down.
var kernelKills = func() bool { _, err := os.Stat("/proc/self/stat"); return err == nil }()

// killWatcher kills the shell that watches over the server below root.
func killWatcher(t *testing.T, root string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte("\x00towpath-watch\x00"+root)) {
			continue
		}
		process := filepath.Base(filepath.Dir(file))
		require.NoError(t, exec.Command("kill", "-KILL", process).Run())
		return
	}
	t.Fatal("no watcher found")
}

func TestSweep(t *testing.T) {
	t.Parallel()

	t.Run("Ends_a_server_that_outlived_its_process", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		server := start(t, dir)
		// To others the process is dead when its lock is gone.
		require.NoError(t, os.Remove(filepath.Join(server.Dir(), "owner.lock")))
		require.NoError(t, os.WriteFile(filepath.Join(server.Dir(), "owner.lock"), nil, 0o600))
		start(t, dir)
		select {
		case <-server.Exited():
		case <-time.After(5 * time.Second): // long after it a server notices by itself that its files are gone
			t.Error("the server was left running")
		}
		require.NoDirExists(t, server.Dir())
	})

	t.Run("Spares_a_folder_that_is_just_being_made", func(t *testing.T) {
		t.Parallel()
		dir := root(t)
		fresh, old := filepath.Join(dir, pgdb.FolderPrefix+"fresh"), filepath.Join(dir, pgdb.FolderPrefix+"old")
		require.NoError(t, os.Mkdir(fresh, 0o700))
		require.NoError(t, os.Mkdir(old, 0o700))
		long := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(old, long, long))
		start(t, dir)
		require.DirExists(t, fresh)
		require.NoDirExists(t, old)
	})

	t.Run("Spares_what_another_user_owns", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root can give a folder away")
		}
		dir := root(t)
		foreign := filepath.Join(dir, pgdb.FolderPrefix+"foreign")
		require.NoError(t, os.Mkdir(foreign, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(foreign, "owner.lock"), nil, 0o600))
		require.NoError(t, syscall.Chown(foreign, 65534, -1))
		start(t, dir)
		require.DirExists(t, foreign)
	})
}
