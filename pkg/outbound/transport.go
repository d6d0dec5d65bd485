package outbound

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// tracedTransport limits a call's time from start to the end of the body, and
// marks the errors that came before a connection was there: of those, and only
// those, it is certain that nothing was sent.
type tracedTransport struct {
	next      *http.Transport
	timeout   time.Duration
	userAgent string
	maxBody   int64
}

// RoundTrip may send a request twice where net/http does: a GET, or a write
// with an Idempotency-Key, on a kept connection that the server was just
// closing.
func (t *tracedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	out := req.WithContext(ctx)
	if req.Header.Get("User-Agent") == "" {
		out.Header = req.Header.Clone()
		out.Header.Set("User-Agent", t.userAgent)
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		cancel()
		err = Plain(err)
		if !connected.Load() {
			return nil, &notSentError{cause: err}
		}
		return nil, err
	}
	resp.Body = &timedBody{ReadCloser: resp.Body, cancel: cancel}
	if t.maxBody > 0 {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: t.maxBody}
	}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections work.
func (t *tracedTransport) CloseIdleConnections() { t.next.CloseIdleConnections() }

// timedBody ends the call's timer when the body is closed.
type timedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *timedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

// boundedBody fails where an answer is longer than its caller takes.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, ErrTooLarge
	}
	return n, err
}
