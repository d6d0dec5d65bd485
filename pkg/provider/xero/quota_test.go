package xero_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/provider/xero/xerosim"
)

// permits grants a number of calls and notes what it is told.
type permits struct {
	mu     sync.Mutex
	left   int
	denial error

	asked, done int
	quotas      []provider.Quota
}

func (p *permits) permit(context.Context) (func(provider.Quota), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.left == 0 {
		return nil, p.denial
	}
	p.left--
	return func(q provider.Quota) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done++
		p.quotas = append(p.quotas, q)
	}, nil
}

// count makes a client ask p.
func (p *permits) count(cfg *xero.Config) { cfg.Permit = p.permit }

func Test_Permit_is_given_back_once_with_the_quota_however_the_call_ends(t *testing.T) {
	t.Parallel()
	left := func(minute, day string) http.Header {
		return http.Header{"X-Minlimit-Remaining": {minute}, "X-Daylimit-Remaining": {day}}
	}
	cases := []struct {
		name        string
		fault       xerosim.Fault
		minute, day *int
	}{
		{"200", xerosim.Fault{Status: 200, Body: `{"Contacts":[]}`, Header: left("59", "4999")}, ptr(59), ptr(4999)},
		{"429", xerosim.Fault{Status: 429, Header: left("0", "12")}, ptr(0), ptr(12)},
		{"500", xerosim.Fault{Status: 500, Header: left("7", "8")}, ptr(7), ptr(8)},
		{"not numbers", xerosim.Fault{Status: 503, Header: left("many", "")}, nil, nil},
		{"absent", xerosim.Fault{Status: 404}, nil, nil},
		{"spaces", xerosim.Fault{Status: 404, Header: left(" 3 ", "1.5")}, ptr(3), nil},
		{"lost", xerosim.Fault{Reset: true}, nil, nil},
		{"cut off", xerosim.Fault{Half: true, When: xerosim.After}, nil, nil},
	}
	for _, c := range cases {
		b := setup(t)
		b.sim.Inject(c.fault)
		counter := &permits{left: 1, denial: errNoPermit}
		client := newClient(t, b.url, b.clock, b.seen, counter.count)
		_, _ = ensureContact(b.ctx, client, policy.Buyer{Key: "1", Name: "N"}, provider.Try{Key: "k"}) // how it ends is another test's
		require.Equal(t, []provider.Quota{{Minute: c.minute, Day: c.day}}, counter.quotas, c.name)
	}
}

func Test_Quota_of_every_answer_is_read(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.Limits = xerosim.Limits{PerMinute: 60, PerDay: 1000} })
	b.sim.SetCallsLeft(-1, 7)
	counter := &permits{left: 100}
	client := newClient(t, b.url, b.clock, b.seen, counter.count)
	_, err := client.Reference(b.ctx)
	require.NoError(t, err)
	require.Len(t, counter.quotas, 6)
	for i, q := range counter.quotas {
		require.Equal(t, provider.Quota{Minute: ptr(59 - i), Day: ptr(6 - i)}, q)
	}
}

func Test_Without_a_token_no_permit_is_asked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counter := &permits{left: 1}
	noToken := errors.New("no consent")
	client := newClient(t, b.url, b.clock, b.seen, counter.count, func(cfg *xero.Config) {
		cfg.Token = func(context.Context) (string, error) { return "", noToken }
	})
	_, err := client.Reference(b.ctx)
	require.ErrorIs(t, err, noToken)
	require.Zero(t, counter.asked)
	require.Empty(t, b.wire.sequence())
}

func Test_Denied_permit_of_a_read_comes_as_it_is(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counter := &permits{denial: errNoPermit}
	client := newClient(t, b.url, b.clock, b.seen, counter.count)
	_, err := client.Reference(b.ctx)
	require.Same(t, errNoPermit, err)
	_, err = ensureContact(b.ctx, client, policy.Buyer{Key: "1", Name: "N"}, provider.Try{Uncertain: true})
	require.Same(t, errNoPermit, err)
	require.Equal(t, 2, counter.asked, "one question for each")
}
