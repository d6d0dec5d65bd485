package magento

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"towpath/pkg/foreign"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// bearer finds what follows the word in an echoed header; token finds the rest
// of a JSON Web Token that was cut, or that is an earlier request's.
var (
	bearer = regexp.MustCompile(`(?i)\b(bearer)(?:[\s:="'\\]|%20)+[^\s"'<>“”]+`)
	token  = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}(\.[A-Za-z0-9_-]*)*`)
)

// secrets are those of one request: a shop, or the firewall before it, may echo
// them in its answer, and an answer's words are kept and shown.
type secrets []string

// secretsOf are the request's token, the shop's key and the request's own.
func (c *Client) secretsOf(req *http.Request, r request) secrets {
	_, minted, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	return append(secrets{minted, c.cfg.APIKey}, r.secrets...)
}

// redact takes the secrets out of a text, and whatever looks like a token.
func (s secrets) redact(text string) string {
	for _, secret := range s {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return token.ReplaceAllString(bearer.ReplaceAllString(text, "$1 "+redacted), redacted)
}

// excerpt is a text of the shop's, fit to be kept, in at most most bytes. What is
// invisible goes before the redaction, which a secret with a mark inside would
// pass; and where the text was cut its end goes too, as it may be the beginning of
// a secret that the redaction did not know by it.
func (s secrets) excerpt(text string, most int) string {
	kept := foreign.Text(text, maxWords)
	said := s.redact(kept)
	if len(kept) > maxWords-2*utf8.UTFMax {
		said = said[:max(0, len(said)-s.longest())]
	}
	return foreign.Text(said, most)
}

func (s secrets) longest() (bytes int) {
	for _, secret := range s {
		bytes = max(bytes, len(secret))
	}
	return bytes
}

// redactBody takes only the token and the key out: the body is a document, of
// which nothing else may change. Neither needs an escape in JSON. What is short
// enough to be a word of the document stays: no real key is.
func (s secrets) redactBody(body []byte) []byte {
	for _, secret := range s[:2] {
		if len(secret) >= 16 {
			body = bytes.ReplaceAll(body, []byte(secret), []byte(redacted))
		}
	}
	return body
}

// redactError is the error with its text fit to be kept: it may quote the answer
// (a malformed status line, a certificate's names, an amount that is none). Its
// causes are still found below it.
func (s secrets) redactError(err error) error {
	if err == nil {
		return nil
	}
	text := s.excerpt(err.Error(), maxDetail)
	if text == err.Error() {
		return err
	}
	return &redactedError{text: text, cause: err}
}

type redactedError struct {
	text  string
	cause error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.cause }
