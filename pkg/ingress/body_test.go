package ingress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw sends bytes on a connection of its own, with the headers of a good
// webhook and framing as given; hangUp ends the sending side.
func (d *door) raw(t testing.TB, framing, body string, hangUp bool) answer {
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: towpath\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Idempotency-Key: %s:42\r\n%s\r\n\r\n%s", d.path(event), d.token(t), event, framing, body)
	require.NoError(t, err)
	if hangUp {
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return readAnswer(t, response)
}

func TestBody_that_is_too_large_is_413(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	large := func(size int) string { return goodBody + strings.Repeat(" ", size-len(goodBody)) }
	for name, q := range map[string]request{
		"Of_known_length":               {body: large(300 << 10)},
		"Of_known_length_without_token": {body: large(300 << 10), token: "-"},
		"One_byte_too_many":             {body: large(maxBody + 1)},
		"In_chunks":                     {reader: nonSeeker{strings.NewReader(large(300 << 10))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := d.send(t, q)
			require.Equal(t, 413, a.status)
			require.Equal(t, codeBodyTooLarge, a.code())
			require.Contains(t, a.body["detail"], "256 KiB")
		})
	}
	t.Run("Accepted_at_the_limit", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 202, d.send(t, request{body: large(maxBody)}).status)
	})
	t.Run("Answered_before_it_is_sent", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 413, d.raw(t, "Content-Length: 300000", "", false).status)
	})
}

// A 4xx would dead-letter the event for a fault of the network.
func TestBody_that_does_not_arrive_is_503(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *Config) { c.BodyTimeout = 300 * time.Millisecond })
	length := fmt.Sprintf("Content-Length: %d", len(goodBody))
	for name, c := range map[string]struct {
		framing, body string
		hangUp        bool
	}{
		"Half_written":              {length, goodBody[:60], true},
		"Not_written":               {length, "", true},
		"Half_written_chunk":        {"Transfer-Encoding: chunked", "40\r\n" + goodBody[:20], true},
		"Last_chunk_missing":        {"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", len(goodBody), goodBody), true},
		"Chunks_badly_framed":       {"Transfer-Encoding: chunked", "zz\r\n" + goodBody, false},
		"Stalled":                   {length, goodBody[:60], false},
		"Stalled_before_first_byte": {length, "", false},
		"Stalled_chunk":             {"Transfer-Encoding: chunked", "40\r\n" + goodBody[:20], false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := d.raw(t, c.framing, c.body, c.hangUp)
			require.Equal(t, 503, a.status, a.raw)
			require.Equal(t, codeBodyIncomplete, a.code())
		})
	}
	t.Run("Accepted_when_it_comes_whole", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 202, d.raw(t, length, goodBody, false).status)
		require.Equal(t, 202, d.raw(t, length, goodBody, true).status)
	})
}

// The server reads a refused request's body too; a stalled one must not hold
// the connection for ever.
func TestBody_that_stalls_behind_a_refused_token_ends(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *Config) { c.BodyTimeout = 200 * time.Millisecond })
	d.apiKey = strings.Repeat("0", 64)
	require.Equal(t, 401, d.raw(t, "Content-Length: 100", "{", false).status)
	d.in.Drain()
	require.Equal(t, 503, d.raw(t, "Content-Length: 100", "{", false).status)
}

// The deadline of one request is none of the next on the same connection.
func TestBody_deadline_does_not_outlive_its_request(t *testing.T) {
	t.Parallel()
	const patience = 150 * time.Millisecond
	d := setup(t, func(c *Config) { c.BodyTimeout = patience })
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for range 3 {
		r := d.request(t, request{})
		require.NoError(t, r.Write(conn))
		response, err := http.ReadResponse(reader, r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.Equal(t, 202, response.StatusCode)
		// Nothing comes for longer than the deadline, and nothing breaks.
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*patience)))
		_, err = reader.Peek(1)
		require.ErrorContains(t, err, "i/o timeout")
		require.NoError(t, conn.SetReadDeadline(time.Time{}))
		reader.Reset(conn)
	}
}
