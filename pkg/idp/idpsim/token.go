package idpsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const codeLife = time.Minute

// token takes a code once, from the client that it was given to, with its secret, the
// address and the verifier that it was asked with. A code that comes twice is refused.
func (s *Sim) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := s.credentials(r)
	i := slices.IndexFunc(s.cfg.Clients, func(c Client) bool { return c.ID == id })
	if !ok || i < 0 || subtle.ConstantTimeCompare([]byte(secret), []byte(s.cfg.Clients[i].Secret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	if r.PostFormValue("grant_type") != "authorization_code" {
		answer(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.codes[r.PostFormValue("code")]
	switch {
	case g == nil, g.used, g.client != id, g.redirect != r.PostFormValue("redirect_uri"), s.cfg.Now().Sub(g.at) > codeLife,
		g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "the code is not good"})
		return
	}
	g.used = true
	access := rand.Text()
	s.tokens[access] = g.person
	answer(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": s.idToken(issuerOf(r), access, g)})
}

// credentials are the client's, in the one way that the discovery document names.
func (s *Sim) credentials(r *http.Request) (id, secret string, ok bool) {
	user, password, basic := r.BasicAuth()
	if s.cfg.Post {
		return r.PostFormValue("client_id"), r.PostFormValue("client_secret"), !basic
	}
	id, err := url.QueryUnescape(user) // RFC 6749, 2.3.1
	if err != nil {
		return "", "", false
	}
	secret, err = url.QueryUnescape(password)
	return id, secret, err == nil && basic && r.PostFormValue("client_secret") == ""
}

func (s *Sim) idToken(issuer, access string, g *grant) string {
	now, half := s.cfg.Now(), sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": issuer, "sub": g.person.Subject, "aud": g.client, "nonce": g.nonce, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
	}
	maps.Copy(claims, g.person.Claims)
	if s.change != nil {
		s.change(claims)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	if s.forged != nil {
		return s.forged.sign(claims)
	}
	return s.key.sign(claims)
}

// signer is a key with its name.
type signer struct {
	kid string
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

// rsaKeys are made once for all providers of a process: each takes a while.
var rsaKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// Rotate signs by another key from now on; the one before is not among the keys any more.
func (s *Sim) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.forged = s.nextKey(), nil
}

func (s *Sim) nextKey() signer {
	next := signer{kid: rand.Text()}
	if !s.cfg.ES256 {
		if next.rsa = rsaKeys()[0]; s.key.rsa == next.rsa {
			next.rsa = rsaKeys()[1]
		}
		return next
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	next.ec = key
	return next
}

// Forge signs by a key that is nobody's, under the name of the one that is published.
func (s *Sim) Forge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	forged := s.nextKey()
	forged.kid = s.key.kid
	s.forged = &forged
}

func (s *Sim) keys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"keys": []any{s.key.public()}})
}

func (k signer) public() map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	if k.ec != nil {
		point, err := k.ec.PublicKey.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		return map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.kid, "x": b64(point[1:33]), "y": b64(point[33:])}
	}
	return map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.kid, "n": b64(k.rsa.N.Bytes()), "e": "AQAB"}
}

func (k signer) sign(claims map[string]any) string {
	alg := "RS256"
	if k.ec != nil {
		alg = "ES256"
	}
	var parts []string
	for _, part := range []any{map[string]string{"alg": alg, "kid": k.kid, "typ": "JWT"}, claims} {
		raw, err := json.Marshal(part)
		if err != nil {
			panic(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(raw))
	}
	digest := sha256.Sum256([]byte(strings.Join(parts, ".")))
	var signature []byte
	if k.ec != nil {
		r, s, err := ecdsa.Sign(rand.Reader, k.ec, digest[:])
		if err != nil {
			panic(err)
		}
		signature = make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
	} else {
		var err error
		if signature, err = rsa.SignPKCS1v15(rand.Reader, k.rsa, crypto.SHA256, digest[:]); err != nil {
			panic(err)
		}
	}
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")
}
