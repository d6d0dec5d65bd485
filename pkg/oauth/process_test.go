package oauth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
)

// otherProcess tells this test binary, started once more by itself, what to do.
const otherProcess = "TOWPATH_TEST_CUSTODY"

type orders struct {
	DatabaseURL string
	Binding     uuid.UUID
	Goroutines  int
	HoldAnswer  bool // keep the identity server's answer back for ever
}

// actAsOtherProcess says "ready", waits for a line, lets its goroutines ask for
// the token at once, and prints the tokens. It ends with its input.
func actAsOtherProcess(raw string) {
	var o orders
	if json.Unmarshal([]byte(raw), &o) != nil {
		os.Exit(3)
	}
	pool, err := pgxpool.New(context.Background(), o.DatabaseURL)
	if err != nil || pool.Ping(context.Background()) != nil {
		os.Exit(4)
	}
	client := outbound.New(outbound.Config{AllowPrivate: true})
	if o.HoldAnswer {
		client = &http.Client{Transport: holdAnswer{client.Transport}}
	}
	keeper, err := oauth.New(oauth.Config{Pool: pool, Box: boxOf(exits{}, key), HTTP: client})
	if err != nil {
		os.Exit(5)
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	_, _ = input.ReadString('\n')
	var group sync.WaitGroup
	var out sync.Mutex
	for range o.Goroutines {
		group.Go(func() {
			token, err := keeper.Source(o.Binding).Token(context.Background())
			out.Lock()
			defer out.Unlock()
			fmt.Println("token", token, err)
		})
	}
	group.Wait()
	os.Exit(0)
}

// holdAnswer has the new tokens and never lets them through: the moment between
// the answer and the commit.
type holdAnswer struct{ next http.RoundTripper }

func (h holdAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.next.RoundTrip(req)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
	}
	fmt.Println("answered", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(6)
	return nil, err
}

// exits is a require.TestingT of a process that is no test.
type exits struct{}

func (exits) Errorf(string, ...any) {}
func (exits) FailNow()              { os.Exit(2) }

// process is another process and its lines.
type process struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Scanner
}

func (b *bundle) startProcess(t *testing.T, o orders) *process {
	t.Helper()
	o.DatabaseURL, o.Binding = b.pool.Config().ConnString(), b.binding
	raw, err := json.Marshal(o)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), otherProcess+"="+string(raw))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.input, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	p.lines = bufio.NewScanner(out)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	require.Equal(t, "ready", p.line(t))
	return p
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	require.True(t, p.lines.Scan(), "the other process ended: %v", p.lines.Err())
	return p.lines.Text()
}

// begin lets the goroutines go.
func (p *process) begin(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(p.input, "go\n")
	require.NoError(t, err)
}

// kill is SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func contextOf(t *testing.T) (context.Context, func()) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func (b *bundle) spoilRefreshToken(t *testing.T) {
	t.Helper()
	require.NoError(t, b.keeper.SpoilRefreshToken(t.Context(), b.binding))
}

func Test_Two_processes(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]time.Duration{"expired": minutes(31), "due": minutes(26)} {
		t.Run("With_fifty_goroutines_each_renew_once_a_token_that_is_"+name, func(t *testing.T) {
			t.Parallel()
			b := connected(t)
			old := b.token(t)
			b.pass(t, age)
			processes := []*process{b.startProcess(t, orders{Goroutines: 50}), b.startProcess(t, orders{Goroutines: 50})}
			for _, p := range processes {
				p.begin(t)
			}
			seen := map[string]int{}
			for _, p := range processes {
				for range 50 {
					said := strings.Fields(p.line(t))
					require.Equal(t, []string{"token", "<nil>"}, []string{said[0], said[2]})
					seen[said[1]]++
				}
			}
			if name == "expired" {
				require.Equal(t, 2, b.identity.Calls(getToken), "the code's, and one refresh")
				require.Equal(t, map[string]int{b.token(t): 100}, seen)
				return
			}
			// Who asks while it is renewed gets the old one; a process may be done
			// before its refresh is, and this one then does it.
			fresh := b.tokenAfter(t, old)
			require.LessOrEqual(t, b.identity.Calls(getToken), 4)
			require.Equal(t, 100, seen[old]+seen[fresh])
		})
	}
}

func Test_Killed_between_the_answer_and_the_commit_the_connection_lives(t *testing.T) {
	t.Parallel()
	b := connected(t)
	b.pass(t, minutes(31))
	before := b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`)
	p := b.startProcess(t, orders{Goroutines: 5, HoldAnswer: true})
	p.begin(t)
	require.Equal(t, "answered <nil>", p.line(t))
	require.Equal(t, 2, b.identity.Calls(getToken), "the old refresh token is spent")
	require.Equal(t, before, b.row(t, `SELECT tokens_sealed::text FROM oauth_grants`))

	p.kill()
	killed := time.Now()
	b.token(t)
	t.Logf("a new token %s after the kill", time.Since(killed).Round(time.Millisecond))
	require.Less(t, time.Since(killed), 10*time.Second)
	require.Equal(t, 3, b.identity.Calls(getToken))

	b.pass(t, minutes(31)) // beyond the grace of the first one
	b.token(t)
	require.Equal(t, "active", b.status(t))
}
