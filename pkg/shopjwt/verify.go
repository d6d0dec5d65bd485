package shopjwt

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrInvalid is any fault of a token; the text behind it names the fault for a
// log or a counter and holds nothing of the token. The caller answers 401 with
// one body for all of them.
var ErrInvalid = errors.New("token is invalid")

// ErrClockSkew is a token of which everything is right, the signature too, but
// the times, which are off by more than Leeway. The caller answers 503: a
// mended clock makes the shop's next attempt good, a 401 would dead-letter its event.
var ErrClockSkew = errors.New("token is good but for its times: a clock is off")

const (
	// Leeway is how far the shop's clock may be off from ours.
	Leeway = 120 * time.Second
	// MaxLifetime is the most that exp may be after iat, in both directions.
	MaxLifetime = 300 * time.Second
	// maxID is the longest jti accepted; the shop's are UUIDs of 36 bytes.
	maxID = 64
)

// Claims is what a verified token says.
type Claims struct {
	JTI       string
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Skew is the shop's clock minus ours, as far as the token tells: it
	// includes the time the request was on its way.
	Skew time.Duration
}

// SpentUntil is how long the jti must be remembered as used: after it, the
// token is refused by its times.
func (c Claims) SpentUntil() time.Time { return c.ExpiresAt.Add(Leeway) }

// Verifier checks the webhook tokens of one tenant. It is safe for concurrent
// use and may be kept: deriving the subkey is about a sixth of the work.
type Verifier struct {
	key      []byte
	tenantID string
}

// NewVerifier derives the tenant's subkey.
func NewVerifier(apiKey, tenantID string) (*Verifier, error) {
	if tenantID == "" {
		return nil, errors.New("tenant id is empty")
	}
	key, err := subkey(apiKey, outbound)
	if err != nil {
		return nil, err
	}
	return &Verifier{key: key, tenantID: tenantID}, nil
}

// String keeps the key out of logs.
func (v *Verifier) String() string { return "shopjwt.Verifier(" + v.tenantID + ")" }

// GoString is String: %#v would print the key.
func (v *Verifier) GoString() string { return v.String() }

// Verify accepts a token that the shop signed for this tenant and whose times
// are within Leeway of now. The error is ErrInvalid or ErrClockSkew; with the
// latter the claims are returned too, for the skew to be measured.
func (v *Verifier) Verify(token string, now time.Time) (Claims, error) {
	t, err := Parse(token, v.tenantID)
	if err != nil {
		return Claims{}, err
	}
	return v.VerifyParsed(t, now)
}

// VerifyParsed is Verify for a token that was parsed for this verifier's tenant.
func (v *Verifier) VerifyParsed(t Token, now time.Time) (Claims, error) {
	if !strings.EqualFold(t.tenantID, v.tenantID) || !isSigned(v.key, t.text) {
		return Claims{}, fmt.Errorf("%w: signature", ErrInvalid)
	}
	claims := t.body.claims(now)
	if t.body.offBy(now, Leeway) {
		return claims, fmt.Errorf("%w by about %s", ErrClockSkew, claims.Skew.Round(time.Second))
	}
	return claims, nil
}

// Token is a token of which everything is right but perhaps its signature and its
// times: nothing of it may be trusted before VerifyParsed.
type Token struct {
	text, tenantID string
	body           body
}

// String shows nothing of the token.
func (t Token) String() string { return "shopjwt.Token for " + t.tenantID }

// GoString is String.
func (t Token) GoString() string { return t.String() }

// Parse refuses, with ErrInvalid, what Verify would refuse whatever the tenant's key and
// the time are. It costs no key, so it is asked before one is looked for.
func Parse(token, tenantID string) (Token, error) {
	b, err := unverified(token)
	if err == nil {
		err = b.check("magento", "byte8-ledger", tenantID)
	}
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Token{token, tenantID, b}, nil
}

// Verify is NewVerifier and its Verify in one.
func Verify(apiKey, tenantID, token string, now time.Time) (Claims, error) {
	v, err := NewVerifier(apiKey, tenantID)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return v.Verify(token, now)
}

// check judges everything but the times' distance from now.
func (b body) check(issuer, aud, tenantID string) error {
	lifetime := *b.ExpiresAt - *b.IssuedAt
	switch {
	case b.Issuer != issuer:
		return errors.New("iss")
	case string(b.Audience) != aud:
		return errors.New("aud")
	case !strings.EqualFold(b.Subject, tenantID): // a UUID is the same in both cases
		return errors.New("sub is not the tenant")
	case b.ID == "":
		return errors.New("jti is missing")
	case len(b.ID) > maxID || strings.ContainsFunc(b.ID, notPrintable):
		return errors.New("jti is too long or not printable ASCII")
	case lifetime <= 0 || lifetime > int64(MaxLifetime/time.Second):
		return errors.New("exp - iat is out of range")
	case *b.NotBefore >= *b.ExpiresAt:
		return errors.New("nbf is not before exp")
	}
	return nil
}

// notPrintable keeps out what a database's text cannot hold.
func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

// offBy reports whether iat, nbf or exp miss now by more than the leeway.
func (b body) offBy(now time.Time, leeway time.Duration) bool {
	return unix(b.IssuedAt).After(now.Add(leeway)) ||
		unix(b.NotBefore).After(now.Add(leeway)) ||
		!unix(b.ExpiresAt).Add(leeway).After(now)
}

func (b body) claims(now time.Time) Claims {
	return Claims{
		JTI:       b.ID,
		IssuedAt:  unix(b.IssuedAt),
		ExpiresAt: unix(b.ExpiresAt),
		Skew:      unix(b.IssuedAt).Sub(now),
	}
}

func unix(seconds *int64) time.Time { return time.Unix(*seconds, 0).UTC() }
