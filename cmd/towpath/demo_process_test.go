package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
)

// privateServer is what a demo's Postgres leaves to be seen: its folder and its
// process.
type privateServer struct {
	folder string
	pid    int
}

// findServer finds the private Postgres of a process by the lock file that the
// process has open; false where there is none yet.
func findServer(pid int) (privateServer, bool) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || filepath.Base(target) != "owner.lock" {
			continue
		}
		folder := filepath.Dir(target)
		text, err := os.ReadFile(filepath.Join(folder, "data", "postmaster.pid"))
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), "\n")
		server, err := strconv.Atoi(first)
		// A negative number is a step of initdb; a server of another's is one whose lock
		// the process has tried, to see whether its owner is dead.
		if parent, _, ok := processOf(server); err == nil && ok && parent == pid {
			return privateServer{folder: folder, pid: server}, true
		}
	}
	return privateServer{}, false
}

// gone: neither the process nor the folder is there.
func (s privateServer) gone() bool {
	_, err := os.Stat(s.folder)
	return os.IsNotExist(err) && !running(s.pid)
}

// running is whether a process runs. One that has ended and that its parent has
// not asked about yet (a zombie) does not; how soon an orphan is asked about is up
// to the machine's process 1.
func running(pid int) bool {
	_, state, ok := processOf(pid)
	return ok && state != "Z" && state != "X"
}

// processOf is a process's parent and state, which stand after its name in
// parentheses; false where there is none.
func processOf(pid int) (parent int, state string, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0, "", false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[0], err == nil
}

// left tells what there still is of it.
func (s privateServer) left() string {
	files, _ := filepath.Glob(filepath.Join(s.folder, "*"))
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	return fmt.Sprintf("files %v, process %q", files, stat)
}

// serverOf waits for the private Postgres of a process.
func serverOf(t *testing.T, p *process) privateServer {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	var found privateServer
	until(t, "its Postgres", func() bool {
		require.False(t, p.ended(), p.output())
		var ok bool
		found, ok = findServer(p.cmd.Process.Pid)
		return ok
	})
	return found
}

func Test_Demo_once_prints_the_trace_and_leaves_nothing(t *testing.T) {
	t.Parallel()
	p := (&desk{}).start(t, "demo", "--once", "--listen", "127.0.0.1:0")
	server := serverOf(t, p)
	require.Equal(t, exitDone, p.wait(t, 2*time.Minute), p.output())
	out := p.output()
	for _, text := range []string{"raised invoice", "webhook answered 202", "chip synced M-", "status succeeded", "about to write invoice", "the shop was told"} {
		require.Contains(t, out, text)
	}
	require.Regexp(t, `(?m)^\+\d+\.\d ms +accept `, out)
	require.True(t, server.gone(), server.left())
}

// demoProcess starts the demo and waits until its page is served.
func demoProcess(t *testing.T) (*process, privateServer, string) {
	t.Helper()
	p := (&desk{}).start(t, "demo", "--listen", "127.0.0.1:0")
	server := serverOf(t, p)
	page := regexp.MustCompile(`(?m)^Open (http://\S+)$`)
	until(t, "the page", func() bool {
		require.False(t, p.ended(), p.output())
		return page.MatchString(p.output())
	})
	return p, server, page.FindStringSubmatch(p.output())[1]
}

func Test_Ctrl_C_ends_the_demo_and_leaves_nothing(t *testing.T) {
	t.Parallel()
	p, server, page := demoProcess(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	resp, err := loopback.Browser(jar).Get(page)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	p.signal(t, syscall.SIGINT)
	require.Equal(t, exitDone, p.wait(t, time.Minute), p.output())
	require.True(t, server.gone(), server.left())
}

func Test_A_killed_demo_takes_its_Postgres_along(t *testing.T) {
	t.Parallel()
	p, server, _ := demoProcess(t)
	p.signal(t, syscall.SIGKILL)
	p.wait(t, time.Minute)
	defer func() {
		if t.Failed() {
			t.Log("left:", server.left())
		}
	}()
	until(t, "its Postgres is gone", server.gone)
}
