package oauth

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"towpath/pkg/outbound"
	"towpath/pkg/provider"
)

// pauseAfterFailure keeps an identity server that is down from being asked for
// every run that needs a token.
const pauseAfterFailure = 2 * time.Second

// Source gives out the access token of one binding. It is safe for concurrent
// use.
type Source struct {
	keeper  *Keeper
	binding uuid.UUID
	flight  singleflight.Group

	mu      sync.Mutex
	refused string // what the provider answered with a 401
	failure error  // of the last refresh, until retryAt
	retryAt time.Time
}

// Token answers an access token. Where it is due, one caller's refresh serves
// all, in all processes; meanwhile the others get the one that still works, or
// wait if there is none. The error is a provider.Failure: Auth where the
// identity server said no, Temporary where it or the database is away.
func (s *Source) Token(ctx context.Context) (string, error) {
	refused := s.lastRefused()
	g, err := s.keeper.read(ctx, s.keeper.cfg.Pool, s.binding)
	if err != nil {
		return "", unavailable(err)
	}
	if err := g.lost(); err != nil {
		return "", err
	}
	if g.fresh(refused) {
		return g.tokens.access.Reveal(), nil
	}
	failed := s.recentFailure()
	if failed != nil && !g.valid(refused) {
		return "", failed
	}
	if failed == nil {
		flight := s.flight.DoChan("", s.renew)
		if !g.valid(refused) {
			return s.landed(ctx, flight)
		}
	}
	return g.tokens.access.Reveal(), nil
}

// renewed renews the token if it is due, and waits.
func (s *Source) renewed(ctx context.Context) error {
	_, err := s.landed(ctx, s.flight.DoChan("", s.renew))
	return err
}

func (s *Source) landed(ctx context.Context, flight <-chan singleflight.Result) (string, error) {
	select {
	case done := <-flight:
		if done.Err != nil {
			return "", done.Err
		}
		return done.Val.(string), nil
	case <-ctx.Done():
		return "", unavailable(ctx.Err())
	}
}

// renew is the shared refresh. It runs under a context of its own, so that a caller
// who is cancelled does not abort it for the others.
func (s *Source) renew() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.keeper.cfg.CallTimeout+lockTimeout+5*time.Second)
	defer cancel()
	g, err := s.keeper.renew(ctx, s.binding, s.lastRefused())
	if err != nil {
		err = unavailable(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure, s.retryAt = nil, time.Time{}
	if err != nil && !isAuth(err) { // a refusal is in the row, and a consent must count at once
		wait := max(pauseAfterFailure, provider.AsFailure(err).RetryAfter)
		s.failure, s.retryAt = err, s.keeper.cfg.Now().Add(wait)
	}
	return g.tokens.access.Reveal(), err
}

// Invalidate says that the provider answered a token with 401: the next Token
// is another one, unless this one is so young that another would not help.
func (s *Source) Invalidate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = token
}

func (s *Source) lastRefused() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *Source) recentFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper.cfg.Now().Before(s.retryAt) {
		return s.failure
	}
	return nil
}

// Client is client with one more try after a 401, with another token. A 401
// means that nothing was done, so a write may be sent again as it was. Client has a
// Transport of its own, as pkg/outbound's have.
func (s *Source) Client(client *http.Client) *http.Client {
	again := *client
	again.Transport = onceMore{source: s, next: client.Transport}
	return &again
}

type onceMore struct {
	source *Source
	next   http.RoundTripper
}

// RoundTrip sends the request, and once more where that can help. If no other
// token can be had now, that is the answer, not the 401: it would end in
// asking for a consent that is not needed.
func (t onceMore) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	sent, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok || req.Body != nil && req.GetBody == nil {
		return resp, nil
	}
	t.source.Invalidate(sent)
	token, err := t.source.Token(req.Context())
	if isAuth(err) || token == sent {
		return resp, nil
	}
	_, _ = outbound.ReadBody(resp, 64<<10) // to use the connection again
	if err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	again.Header.Set("Authorization", "Bearer "+token)
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return t.next.RoundTrip(again)
}

// unavailable gives an error without a kind one: that no token can be had now
// says nothing about the consent.
func unavailable(err error) error {
	if f := provider.AsFailure(err); f.Kind != provider.Bug {
		return err
	}
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal, Message: "the access token cannot be had at the moment", Err: err}
}
