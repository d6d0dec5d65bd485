package outbound

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// anyURL finds URLs in the text of an error, up to a space or a quote.
var anyURL = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)

// Redact returns err with user names, passwords and queries cut out of every
// URL in its text: they hold pairing codes, e-mail addresses and the like.
// errors.Is and errors.As still find the causes below the URL's error.
func Redact(err error) error {
	if err == nil {
		return nil
	}
	text := anyURL.ReplaceAllStringFunc(err.Error(), cutURL)
	if text == err.Error() {
		return err
	}
	cause := err
	var ue *url.Error
	if errors.As(err, &ue) {
		cause = Redact(ue.Err)
	}
	return &redactedError{text: text, cause: cause}
}

// cutURL works on text, not on a parsed URL: what does not parse must be cut
// too. Where the end of a password cannot be told, nothing of the URL is left.
func cutURL(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	authority, path, hasPath := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		authority = authority[i+1:]
	}
	if hasPath {
		path = "/" + path
	}
	if u, err := url.Parse(scheme + "://" + authority); err != nil || u.Host != authority {
		return scheme + "://[redacted]"
	}
	return scheme + "://" + authority + path
}

type redactedError struct {
	text  string
	cause error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.cause }
