package shopjwt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// maxToken is the longest token looked at; the shop's have about 430 bytes.
const maxToken = 4096

// usualHeader is {"alg":"HS256","typ":"JWT"}, which needs no second look.
const usualHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// latestTime is 9999-12-31T23:59:59Z: times beyond it are no times, and below
// it no difference of two overflows.
const latestTime = 253402300799

// header is what the first segment may say. A token that needs an extension to
// be understood (crit), or whose payload is not base64 (b64), is refused.
type header struct {
	Alg  string
	Typ  *string
	Crit json.RawMessage
	B64  json.RawMessage
}

func readHeader(raw []byte) (h header, err error) {
	members, err := exact(raw)
	if err != nil {
		return header{}, err
	}
	return h, read(members, map[string]any{"alg": &h.Alg, "typ": &h.Typ, "crit": &h.Crit, "b64": &h.B64})
}

// body is the second segment. Pointers tell a missing time from 0; a string or
// a fraction where an integer belongs does not decode.
type body struct {
	Issuer    string
	Subject   string
	Audience  audience
	IssuedAt  *int64
	NotBefore *int64
	ExpiresAt *int64
	ID        string
}

func readBody(raw []byte) (b body, err error) {
	members, err := exact(raw)
	if err != nil {
		return body{}, err
	}
	err = read(members, map[string]any{
		"iss": &b.Issuer, "sub": &b.Subject, "aud": &b.Audience, "iat": &b.IssuedAt, "nbf": &b.NotBefore, "exp": &b.ExpiresAt, "jti": &b.ID,
	})
	if err != nil {
		return body{}, errors.New("a claim has the wrong type")
	}
	return b, nil
}

// audience is a string or an array of exactly one string.
type audience string

func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience(one)
		return nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || len(list) != 1 {
		return errors.New("aud is neither a string nor an array of one")
	}
	*a = audience(list[0])
	return nil
}

// isSigned checks the signature of a token whose form was checked.
func isSigned(key []byte, token string) bool {
	_, err := jws.Verify([]byte(token), jws.WithKey(jwa.HS256, key), jws.WithCompact())
	return err == nil
}

// checkForm is ours to do: the library verifies with the algorithm that it was
// given and does not look whether the header names another.
func checkForm(token string) error {
	if len(token) > maxToken {
		return errors.New("too long")
	}
	if strings.ContainsAny(token, "\r\n") { // the base64 decoder skips them
		return errors.New("line break")
	}
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return errors.New("not three segments")
	}
	if err := checkHeader(segments[0]); err != nil {
		return err
	}
	for _, s := range segments[1:] {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(s); err != nil {
			return errors.New("not base64url")
		}
	}
	return nil
}

func checkHeader(segment string) error {
	if segment == usualHeader {
		return nil
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return errors.New("header is not base64url")
	}
	h, err := readHeader(decoded)
	switch {
	case err != nil:
		return fmt.Errorf("header: %w", err)
	case h.Alg != string(jwa.HS256):
		return errors.New("alg is not HS256")
	case h.Typ != nil && !strings.EqualFold(*h.Typ, "JWT"):
		return errors.New("typ is not JWT")
	case h.Crit != nil || h.B64 != nil:
		return errors.New("header has an extension")
	}
	return nil
}

func decodeBody(payload []byte) (body, error) {
	b, err := readBody(payload)
	if err != nil {
		return body{}, err
	}
	for _, t := range []*int64{b.IssuedAt, b.NotBefore, b.ExpiresAt} {
		if t == nil || *t <= 0 || *t > latestTime {
			return body{}, errors.New("iat, nbf or exp is missing or no time")
		}
	}
	return b, nil
}

// Subject reads the sub of a token without verifying anything: it tells whose
// key to verify with where the path has no tenant. Trust it only after Verify
// with that tenant's key.
func Subject(token string) (string, error) {
	b, err := unverified(token)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if b.Subject == "" {
		return "", fmt.Errorf("%w: sub is missing", ErrInvalid)
	}
	return b.Subject, nil
}

// unverified checks form and header of a token and decodes its claims. Its errors name
// the fault and hold nothing of the token.
func unverified(token string) (body, error) {
	if err := checkForm(token); err != nil {
		return body{}, err
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return body{}, errors.New("not base64url")
	}
	return decodeBody(payload)
}

// sign makes the compact form with the header {"alg":"HS256","typ":"JWT"}.
func sign(key []byte, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, "JWT"); err != nil {
		return "", fmt.Errorf("set token header: %w", err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return string(token), nil
}
