package idp

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"towpath/pkg/foreign"
	"towpath/pkg/secret"
	"towpath/pkg/users"
)

// Life is how long a sign-in may take, from the browser's leaving to its coming back.
const Life = 10 * time.Minute

// Begun is a sign-in on which a browser is sent away.
type Begun struct {
	Address string // the provider's page
	State   string // what the browser brings back in its address
	Cookie  string // what it brings back as a cookie, sealed
}

// trip is what this Towpath has to know when the browser comes back. The browser carries
// it, so that any process may end what another began, also after a restart.
type trip struct {
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // of PKCE
	Next     string    `json:"next"`
	Until    time.Time `json:"until"`
}

func placeOf(state string) string { return secret.Place("dashboard.oidc_sign_in", state) }

// Begin sends a browser to the provider; next is handed back by Finish. Nothing is stored:
// a browser that never comes back leaves nothing here.
func (p *Provider) Begin(ctx context.Context, next string) (Begun, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return Begun{}, err
	}
	state, t := rand.Text(), trip{Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, Until: p.now().Add(Life)}
	plain, err := json.Marshal(t)
	if err != nil {
		return Begun{}, fmt.Errorf("encode sign-in: %w", err)
	}
	return Begun{
		Address: found.oauth.AuthCodeURL(state, oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)), State: state,
		Cookie: base64.RawURLEncoding.EncodeToString(p.box.Seal(plain, placeOf(state))),
	}, nil
}

// Refusal is why somebody is not signed in, for the person.
type Refusal struct {
	Reason string // for the log: one of a few
	Text   string
	cause  error
}

func (r *Refusal) Error() string {
	if r.cause == nil {
		return r.Reason
	}
	return r.Reason + ": " + foreign.Text(r.cause.Error(), foreign.Kept)
}
func (r *Refusal) Unwrap() error { return r.cause }

// Answer is what a browser comes back with.
type Answer struct {
	State, Code   string
	Issuer        string // iss
	Fault, Detail string // error, error_description
	Cookie        string // of the state; empty: there is none
}

const maxCookie = 4 << 10

// Trip is a sign-in that this very browser began.
type Trip struct {
	trip
	answer Answer
}

// Next is what Begin was given.
func (t Trip) Next() string { return t.trip.Next }

// Recognize judges what a browser came back with and asks nobody: whether it is the one
// that was sent away, and not too long ago.
func (p *Provider) Recognize(a Answer) (Trip, error) {
	begin := "Begin again from this page."
	sealed, err := base64.RawURLEncoding.DecodeString(a.Cookie)
	if a.Cookie == "" || a.State == "" || err != nil || len(a.Cookie) > maxCookie {
		return Trip{}, &Refusal{Reason: "another browser", Text: "This sign-in was begun in another browser, has been ended already, or the browser keeps no cookies. " + begin}
	}
	plain, err := p.box.Open(sealed, placeOf(a.State))
	if err != nil {
		return Trip{}, &Refusal{Reason: "state", Text: "What came back does not belong to a sign-in that was begun here. " + begin, cause: err}
	}
	t := Trip{answer: a}
	if err := json.Unmarshal(plain, &t.trip); err != nil {
		return Trip{}, fmt.Errorf("decode sign-in: %w", err)
	}
	if !p.now().Before(t.Until) {
		return Trip{}, &Refusal{Reason: "too late", Text: "This sign-in took longer than ten minutes. " + begin}
	}
	return t, nil
}

// Finish answers for whom the provider vouches. A *Refusal is for the person; an
// *AwayError means that the provider did not do its part. The code is used up by the try:
// where the answer is lost, and where the process dies, the person begins again.
func (p *Provider) Finish(ctx context.Context, t Trip) (users.Vouched, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return users.Vouched{}, err
	}
	a := t.answer
	switch {
	case found.says && a.Issuer == "", a.Issuer != "" && a.Issuer != p.cfg.Issuer:
		return users.Vouched{}, p.untrue("issuer", fmt.Errorf("the browser came back from %q", foreign.Text(a.Issuer, 200)))
	case a.Fault != "":
		return users.Vouched{}, p.notGiven(a)
	case a.Code == "":
		return users.Vouched{}, p.untrue("no code", errors.New("the browser came back without a code"))
	}
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := found.oauth.Exchange(ctx, a.Code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		return users.Vouched{}, p.notExchanged(err)
	}
	subject, said, err := p.verify(ctx, found, token, t.Nonce)
	if err != nil {
		return users.Vouched{}, err
	}
	if said, err = p.complete(ctx, found, token, subject, said); err != nil {
		return users.Vouched{}, err
	}
	return p.vouched(subject, said)
}

// untrue is an answer that is not what a provider should give.
func (p *Provider) untrue(reason string, cause error) error {
	return &Refusal{Reason: reason, cause: cause, Text: fmt.Sprintf("What %s answered cannot be trusted (%s). Begin again from this page; if that does not help, the log of this Towpath has more.", p.Name(), reason)}
}

// notGiven is what the provider told the browser in place of a code.
func (p *Provider) notGiven(a Answer) error {
	said := foreign.Text(strings.TrimSpace(a.Fault+" "+a.Detail), 300)
	if a.Fault == "temporarily_unavailable" || a.Fault == "server_error" {
		return &AwayError{fmt.Errorf("the provider answers the browser %s", said)}
	}
	return &Refusal{Reason: "refused by the provider", cause: errors.New(said), Text: fmt.Sprintf("%s did not let you in. It said: %s", p.Name(), said)}
}

// notExchanged tells a code that is refused from a client that is, and both from a
// provider that is away.
func (p *Provider) notExchanged(err error) error {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) || said.Response.StatusCode >= http.StatusInternalServerError || said.Response.StatusCode == http.StatusTooManyRequests {
		return &AwayError{fmt.Errorf("exchange code: %w", err)}
	}
	cause := fmt.Errorf("exchange code: %s %s", said.Response.Status, foreign.Text(said.ErrorCode+" "+said.ErrorDescription, 300))
	if said.ErrorCode == "invalid_grant" {
		return &Refusal{Reason: "code refused", cause: cause, Text: p.Name() + " does not take the code of this sign-in: it was used already, or is too old. Begin again from this page."}
	}
	return &Refusal{Reason: "client refused", cause: cause, Text: fmt.Sprintf("%s does not accept this Towpath (%s). Its operator has to look at TOWPATH_OIDC_CLIENT_ID, TOWPATH_OIDC_CLIENT_SECRET and the address to come back to: %s",
		p.Name(), foreign.Text(said.ErrorCode, 60), p.redirect)}
}

// verify checks the ID token: signature, issuer, audience, time, nonce, and whether it
// belongs to the access token.
func (p *Provider) verify(ctx context.Context, found *discovered, token *oauth2.Token, nonce string) (subject string, said claims, err error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return "", nil, p.untrue("no id token", errors.New("the token endpoint answered no id_token"))
	}
	id, err := found.verifier.Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return "", nil, p.untrue("id token expired", fmt.Errorf("%w; are the clocks of both right?", err))
	case err != nil && strings.Contains(err.Error(), "fetching keys"): // the library keeps no error to ask for
		return "", nil, &AwayError{fmt.Errorf("read keys: %w", err)}
	case err != nil:
		return "", nil, p.untrue("id token", err)
	case id.Nonce != nonce:
		return "", nil, p.untrue("nonce", errors.New("the id token is of another sign-in"))
	case id.Subject == "":
		return "", nil, p.untrue("id token", errors.New("the id token has no sub"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return "", nil, p.untrue("id token", err)
		}
	}
	if err := id.Claims(&said); err != nil {
		return "", nil, p.untrue("id token", err)
	}
	if azp := said.text("azp"); azp != p.cfg.ClientID && (azp != "" || len(id.Audience) > 1) {
		return "", nil, p.untrue("audience", fmt.Errorf("the id token was given to %q", foreign.Text(azp, 200)))
	}
	return id.Subject, said, nil
}
