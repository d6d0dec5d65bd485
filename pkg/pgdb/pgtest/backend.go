package pgtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// backend is a connection to the server, past its start.
type backend struct {
	conn     net.Conn
	began    string // the settings that it was started with
	greeting []byte // what the server answered to them
	pid      uint32
}

// begin starts a connection with a client's own words.
func begin(words []byte, began string) (*backend, error) {
	conn, err := net.Dial("unix", serverSocket())
	if err != nil {
		return nil, err
	}
	b := &backend{conn: conn, began: began}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(words); err != nil {
		conn.Close()
		return b, err
	}
	for {
		kind, message, err := readMessage(conn)
		b.greeting = append(b.greeting, message...) // a refusal too is the client's to read
		if err != nil {
			conn.Close()
			return b, err
		}
		switch kind {
		case 'K':
			b.pid = binary.BigEndian.Uint32(message[5:])
		case 'Z':
			return b, conn.SetDeadline(time.Time{})
		}
	}
}

// plain reports whether the session began with no settings of its database or role:
// RESET ALL would lead back to them, also after they are gone.
func (b *backend) plain() bool {
	_ = b.conn.SetDeadline(time.Now().Add(patience))
	defer b.conn.SetDeadline(time.Time{})
	settings, err := b.ask("SELECT count(*) FROM pg_settings WHERE source IN ('database', 'user', 'database user', 'global')")
	return err == nil && settings == "0"
}

// silent reports whether the server has said nothing since: a connection that it has
// ended, or has news for, is no new one.
func (b *backend) silent() bool {
	raw, err := b.conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	var heard error
	err = raw.Read(func(fd uintptr) bool {
		_, _, heard = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err == nil && errors.Is(heard, syscall.EAGAIN)
}

// current reports whether a new connection would begin with the same settings: a test
// may have changed those of its database meanwhile.
func (b *backend) current() bool {
	_ = b.conn.SetDeadline(time.Now().Add(patience))
	defer b.conn.SetDeadline(time.Time{})
	settings, err := b.ask(ownSettings)
	return err == nil && settings == "0"
}

// afresh ends what a session leaves behind, like the end of the connection. What the
// backend has learned stays: catalogs, and the plans of functions.
const afresh = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"

// ask runs statements and gives the first field of the last row.
func (b *backend) ask(statements string) (answer string, err error) {
	query, err := (&pgproto3.Query{String: statements}).Encode(nil)
	if err != nil {
		return "", err
	}
	if _, err := b.conn.Write(query); err != nil {
		return "", err
	}
	for {
		kind, message, readErr := readMessage(b.conn)
		if readErr != nil {
			return "", readErr
		}
		switch kind {
		case 'D':
			var row pgproto3.DataRow
			if err := row.Decode(message[5:]); err != nil {
				return "", err
			}
			answer = string(row.Values[0])
		case 'E':
			var refusal pgproto3.ErrorResponse
			_ = refusal.Decode(message[5:])
			err = fmt.Errorf("%s: %s", refusal.Code, refusal.Message)
		case 'Z':
			return answer, err
		}
	}
}

// readMessage reads one message of the server, its head included.
func readMessage(r io.Reader) (kind byte, message []byte, err error) {
	message = make([]byte, 5)
	if _, err := io.ReadFull(r, message); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(message[1:])) - 4
	if n < 0 || n > 1<<24 {
		return 0, nil, errors.New("no message of Postgres")
	}
	message = append(message, make([]byte, n)...)
	_, err = io.ReadFull(r, message[5:])
	return message[0], message, err
}

// frames follows the messages of one direction, to see where each begins and ends.
type frames struct {
	head [6]byte // kind, length, and the first byte of the body
	have int     // bytes of head
	left int     // bytes of the body to come
}

// between reports whether the last message is complete.
func (f *frames) between() bool { return f.have == 0 }

// follow calls ended for each message that ends in p, with its kind and the first byte
// of its body.
func (f *frames) follow(p []byte, ended func(kind, first byte)) {
	for len(p) > 0 {
		if f.have < 5 {
			n := copy(f.head[f.have:5], p)
			f.have, p = f.have+n, p[n:]
			if f.have == 5 {
				f.left = int(binary.BigEndian.Uint32(f.head[1:5])) - 4
				f.head[5] = 0
			}
		} else {
			if f.have == 5 {
				f.head[5], f.have = p[0], 6
			}
			n := min(f.left, len(p))
			f.left, p = f.left-n, p[n:]
		}
		if f.have >= 5 && f.left == 0 {
			f.have = 0
			ended(f.head[0], f.head[5])
		}
	}
}
