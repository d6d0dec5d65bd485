package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"towpath/pkg/foreign"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
	"towpath/pkg/secret"
)

// shortLife is assumed of a token whose life the server does not tell.
const shortLife = 5 * time.Minute

// refusedError is a no of the identity server. Its texts hold no secret.
type refusedError struct{ code, words string }

func (e *refusedError) Error() string { return "refused: " + e.code }

func asRefused(err error) *refusedError {
	var no *refusedError
	if errors.As(err, &no) {
		return no
	}
	return nil
}

// app is the grant's app for the OAuth library. The way of its credentials is
// set: where the library finds out by itself, it sends a refused request twice.
func (g grant) app() *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if g.secret.IsEmpty() {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: g.OauthGrant.ClientID, ClientSecret: g.secret.Reveal(),
		Endpoint: oauth2.Endpoint{AuthURL: g.endpoints.Authorize, TokenURL: g.endpoints.Token, AuthStyle: style},
	}
}

func (k *Keeper) byCredentials(ctx context.Context, g grant) (tokens, time.Duration, error) {
	app := &clientcredentials.Config{
		ClientID: g.OauthGrant.ClientID, ClientSecret: g.secret.Reveal(), TokenURL: g.endpoints.Token,
		Scopes: g.spec.OAuth.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
	}
	return k.call(ctx, g, nil, app.Token)
}

// byRefresh spends a refresh token, which is kept beside the new one.
func (k *Keeper) byRefresh(ctx context.Context, g grant, with secret.String) (tokens, time.Duration, error) {
	fresh, life, err := k.call(ctx, g, []string{with.Reveal()}, func(ctx context.Context) (*oauth2.Token, error) {
		return g.app().TokenSource(ctx, &oauth2.Token{RefreshToken: with.Reveal()}).Token()
	})
	if fresh.refresh.Reveal() != with.Reveal() {
		fresh.previous = with
	}
	return fresh, life, err
}

func (k *Keeper) byCode(ctx context.Context, g grant, code, verifier, redirect string) (tokens, time.Duration, error) {
	app := g.app()
	app.RedirectURL = redirect
	return k.call(ctx, g, []string{code, verifier}, func(ctx context.Context) (*oauth2.Token, error) {
		return app.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	})
}

// call makes one call to the token endpoint. spent are the secrets in it, which
// the server's words must not bring into a log. The life counts from before the
// call: the token is no younger than that.
func (k *Keeper) call(ctx context.Context, g grant, spent []string, do func(context.Context) (*oauth2.Token, error)) (tokens, time.Duration, error) {
	started := time.Now()
	got, err := do(context.WithValue(ctx, oauth2.HTTPClient, k.cfg.HTTP))
	took := time.Since(started)
	k.cfg.Observe(g.Provider, opToken, resultCode(err), took)
	if err != nil {
		held := []string{g.secret.Reveal(), g.tokens.access.Reveal(), g.tokens.refresh.Reveal(), g.tokens.previous.Reveal()}
		return tokens{}, 0, g.failed(err, append(held, spent...))
	}
	life := shortLife
	if !got.Expiry.IsZero() {
		life = time.Until(got.Expiry)
	}
	return tokens{access: secret.NewString(got.AccessToken), refresh: secret.NewString(got.RefreshToken)}, life - took, nil
}

// failed says what a failed call means. Only a clear no is one: anything else
// (no answer, an error of the server, a page of a proxy) passes, and must not
// cost a consent. The library's error is never passed on: it quotes the answer.
func (g grant) failed(err error, secrets []string) error {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) {
		f := &provider.Failure{Kind: provider.Temporary, Code: provider.CodeHTTP,
			Message: g.spec.Title + "'s identity server did not answer with a token", Err: foreign.Error(outbound.Redact(err), foreign.Kept)}
		if outbound.IsTimeout(err) {
			f.NoAnswer = provider.HeldIdentityNoAnswer
		}
		return f
	}
	status := said.Response.StatusCode
	switch {
	case status == http.StatusTooManyRequests:
		wait, _ := strconv.Atoi(said.Response.Header.Get("Retry-After")) // without it, the default
		return &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited,
			Message: g.spec.Title + "'s identity server limits the rate of calls", RetryAfter: time.Duration(max(wait, 0)) * time.Second}
	case saysNo(said.ErrorCode) && status < 500:
		return &refusedError{code: said.ErrorCode, words: words(said.ErrorDescription, secrets)}
	case status == http.StatusUnauthorized:
		return &refusedError{code: "invalid_client"}
	}
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeProvider,
		Message: fmt.Sprintf("%s's identity server answered %d", g.spec.Title, status)}
}

// saysNo tells the errors that asking again does not mend (RFC 6749, 5.2).
func saysNo(code string) bool {
	switch code {
	case codeInvalidGrant, "invalid_client", "unauthorized_client", "invalid_scope", "access_denied", "unsupported_grant_type":
		return true
	}
	return false
}

// maxWords is how much of the server's words is looked at; 300 bytes are kept.
const maxWords = 4000

// words are the server's own, cut, without control characters and secrets. No
// word of theirs is that long, but tokens and codes are.
func words(text string, secrets []string) string {
	text = foreign.Text(text, maxWords) // before: a mark inside would hide a secret
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	said := strings.Fields(text)
	for i, word := range said {
		if len(word) > 24 {
			said[i] = "[...]"
		}
	}
	return printable(strings.Join(said, " "), 300)
}

// printable is another's text, fit to be kept and shown, in at most most bytes.
func printable(text string, most int) string { return foreign.Text(text, most) }

func resultCode(err error) string {
	var said *oauth2.RetrieveError
	switch {
	case err == nil:
		return "200"
	case errors.As(err, &said):
		return strconv.Itoa(said.Response.StatusCode)
	case outbound.IsTimeout(err):
		return "timeout"
	}
	return "error"
}
