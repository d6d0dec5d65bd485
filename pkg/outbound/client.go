package outbound

import (
	"cmp"
	"net"
	"net/http"
	"time"
)

// Config is how a client calls. The zero value is usable.
type Config struct {
	// AllowPrivate lets the client reach private and loopback addresses, for
	// shops and ledgers on one's own network. Link-local addresses, where
	// clouds keep their metadata, stay refused.
	AllowPrivate bool
	Private      Private // which of them, where not all

	ConnectTimeout time.Duration // to resolve and connect; default 5 s
	TLSTimeout     time.Duration // for the TLS handshake; default 5 s
	HeaderTimeout  time.Duration // from the request sent to the answer's headers; default 20 s
	Timeout        time.Duration // for all of a call, its body included; default 30 s

	MaxConnsPerHost int    // default 32; more calls wait, within Timeout
	UserAgent       string // default "towpath"
	// MaxBody is the most bytes of an answer, after decompression, for callers that read
	// it to its end by themselves, such as libraries: more is ErrTooLarge. 0: no bound.
	MaxBody int64
}

func (c Config) withDefaults() Config {
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.TLSTimeout = cmp.Or(c.TLSTimeout, 5*time.Second)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 20*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MaxConnsPerHost = cmp.Or(c.MaxConnsPerHost, 32)
	c.UserAgent = cmp.Or(c.UserAgent, "towpath")
	return c
}

// New builds a client. It uses no proxy from the environment: a proxy would
// resolve the names, and the check of addresses would see only the proxy's.
// The client's own Timeout stays unset, as its error forgets whether the
// request was sent; tracedTransport keeps the time instead.
func New(cfg Config) *http.Client {
	cfg = cfg.withDefaults()
	dialer := &net.Dialer{
		Timeout:   cfg.ConnectTimeout,
		KeepAlive: 30 * time.Second,
		Control:   checkDial(Private{All: cfg.AllowPrivate || cfg.Private.All, Ranges: cfg.Private.Ranges}),
	}
	transport := &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   cfg.TLSTimeout,
		ResponseHeaderTimeout: cfg.HeaderTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       30 * time.Second, // below the keep-alive of common servers
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   cfg.MaxConnsPerHost,
		MaxConnsPerHost:       cfg.MaxConnsPerHost,
		ForceAttemptHTTP2:     true,
		// An error of the transport quotes the header that it could not read.
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{
		Transport:     &tracedTransport{next: transport, timeout: cfg.Timeout, userAgent: cfg.UserAgent, maxBody: cfg.MaxBody},
		CheckRedirect: checkRedirect,
	}
}
