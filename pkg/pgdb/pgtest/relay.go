package pgtest

import (
	"errors"
	"net"
	"os"
	"time"
)

// relay carries bytes both ways until one side ends. It reports whether the client took
// its leave while nothing was under way, and so the connection to the server, which is
// then still open, is good for another. Otherwise that is closed, as the client would
// have: the server ends what was under way.
func relay(client, server net.Conn) (left bool) {
	var up, down frames
	asked, unasked := 0, false // requests that end in a "ready", and messages that wait for one
	answered, idle := 0, true
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Its end is the client's end, but for the deadline.
		if err := carry(client, server, func(p []byte) int {
			down.follow(p, func(kind, status byte) {
				if kind == 'Z' {
					answered++
					idle = status == 'I'
				}
			})
			return len(p)
		}); !errors.Is(err, os.ErrDeadlineExceeded) {
			client.Close()
		}
	}()
	leaves := false
	_ = carry(server, client, func(p []byte) int {
		n := len(p)
		up.follow(p, func(kind, _ byte) {
			switch kind {
			case 'Q', 'S', 'F':
				asked, unasked = asked+1, false
			case 'X':
				leaves = n >= 5 // it lies in one piece
				n -= 5
			default:
				unasked = true
			}
		})
		return n
	})
	if !leaves {
		server.Close()
		<-done
		return false
	}
	_ = server.SetReadDeadline(time.Now())
	<-done
	_ = server.SetReadDeadline(time.Time{})
	return asked == answered && !unasked && idle && up.between() && down.between()
}

// carry copies what comes, as far as follow lets it, until an end.
func carry(to, from net.Conn, follow func([]byte) int) error {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			pass := follow(buffer[:n])
			if pass > 0 {
				if _, err := to.Write(buffer[:pass]); err != nil {
					return err
				}
			}
			if pass < n {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}
