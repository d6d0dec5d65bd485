package freeagent

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/loopback"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent/freeagentsim"
)

// permits gives leave without end, or so often as it was told; it notes how
// often each permit was ended, and with what.
type permits struct {
	mu      sync.Mutex
	bounded bool
	left    int
	ended   []int
	told    []provider.Quota
}

func noBudget() *provider.Failure {
	return &provider.Failure{Kind: provider.RateLimited, Code: provider.CodeRateLimited, Reason: provider.ReasonBudget,
		RetryAfter: 17 * time.Second, Message: "no calls are left at the moment"}
}

func (p *permits) permit(context.Context) (func(provider.Quota), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bounded && p.left == 0 {
		return nil, noBudget()
	}
	p.left--
	n := len(p.ended)
	p.ended = append(p.ended, 0)
	return func(q provider.Quota) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended[n]++
		p.told = append(p.told, q)
	}, nil
}

// allow gives leave n times from now on.
func (p *permits) allow(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bounded, p.left = true, n
}

// settled is how many permits were given; each was ended once, without a quota.
func (p *permits) settled(t require.TestingT) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.ended {
		require.Equal(t, 1, times)
	}
	for _, q := range p.told {
		require.Equal(t, provider.Quota{}, q)
	}
	require.Len(t, p.told, len(p.ended))
	return len(p.ended)
}

// setupPermits is setup with permits; at the end every request that came in had
// one of its own.
func setupPermits(t *testing.T, cfg freeagentsim.Config, change ...func(*Config)) (*bundle, *permits) {
	t.Helper()
	p := &permits{}
	b := setup(t, cfg, append(change, func(c *Config) { c.Permit = p.permit })...)
	t.Cleanup(func() { require.Equal(t, b.requests(), p.settled(t)) })
	return b, p
}

// requests is how many came in at all.
func (b *bundle) requests() int {
	n := 0
	for _, operation := range []string{
		freeagentsim.Company, freeagentsim.Categories, freeagentsim.BankAccounts, freeagentsim.ContactCreate, freeagentsim.ContactList,
		freeagentsim.InvoiceCreate, freeagentsim.InvoiceList, freeagentsim.InvoiceSend,
	} {
		n += b.sim.Count(operation)
	}
	return n
}

func requireNoBudget(t require.TestingT, err error) {
	require.Equal(t, error(noBudget()), err, "as the permit said it")
}

// Each call of an EnsureInvoices denied, then let through: one document, sent.
func TestInvoice_not_permitted(t *testing.T) {
	t.Parallel()
	certain, uncertain := provider.Try{}, provider.Try{Uncertain: true}
	for name, row := range map[string]struct {
		draft   bool // our own Draft is there already
		try     provider.Try
		allowed int // calls before the denial
	}{
		"To_create":                              {false, certain, 0},
		"To_look_it_up":                          {false, uncertain, 0},
		"To_create_after_the_look_up":            {false, uncertain, 1},
		"To_send_what_was_adopted":               {true, uncertain, 1},
		"To_look_up_the_taken_number":            {true, certain, 1},
		"To_send_what_was_adopted_by_its_number": {true, certain, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p := setupPermits(t, freeagentsim.Config{})
			doc := b.document(t, sample(t, "plain_vat"))
			if row.draft {
				_, err := ensureInvoice(t.Context(), b.client, doc, certain)
				require.NoError(t, err)
			}
			doc.Status = statusSent
			before := b.requests()
			p.allow(row.allowed)
			_, err := ensureInvoice(t.Context(), b.client, doc, row.try)
			if f := provider.AsFailure(err); strings.HasPrefix(name, "To_send_") { // it exists, so nothing may say that it does not
				require.Equal(t, []any{provider.RateLimited, provider.WroteYes}, []any{f.Kind, f.Wrote})
				require.Equal(t, provider.ReasonBudget, f.Reason)
				require.Equal(t, noBudget().RetryAfter, f.RetryAfter)
			} else if strings.HasPrefix(name, "To_look_up_the_taken") { // it may be ours
				require.Equal(t, []any{provider.RateLimited, provider.WroteMaybe}, []any{f.Kind, f.Wrote})
			} else {
				requireNoBudget(t, err)
			}
			require.Equal(t, row.allowed, b.requests()-before)
			p.allow(3)
			again(t, b, doc, row.draft)
		})
	}
}

// The invoice exists by then: nothing may say that it does not, and the run
// still knows how long to wait.
func TestInvoice_is_there_when_it_is_not_permitted_to_send_what_was_created(t *testing.T) {
	t.Parallel()
	b, p := setupPermits(t, freeagentsim.Config{})
	b.pol.V2InvoiceStatus = "Sent"
	doc := b.document(t, sample(t, "plain_vat"))
	p.allow(1)
	_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	f := failureIn(t, err)
	require.Equal(t, []any{provider.RateLimited, provider.WroteYes}, []any{f.Kind, f.Wrote})
	require.Equal(t, provider.CodeRateLimited, f.Code)
	require.Equal(t, provider.ReasonBudget, f.Reason)
	require.Equal(t, 17*time.Second, f.RetryAfter)
	require.Equal(t, "Draft", b.sim.Invoices()[0].Status)
	p.allow(2)
	again(t, b, doc, true)
}

func TestInvoice_not_permitted_to_look_who_has_the_number(t *testing.T) {
	t.Parallel()
	b, p := setupPermits(t, freeagentsim.Config{})
	inv := sample(t, "plain_vat")
	other := inv
	other.Customer.Email = "other@example.com"
	_, err := ensureInvoice(t.Context(), b.client, b.document(t, other), provider.Try{})
	require.NoError(t, err)
	doc := b.document(t, inv)
	p.allow(2)
	_, err = ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.Equal(t, provider.Doubted(noBudget()), err)
	p.allow(3)
	_, err = ensureInvoice(t.Context(), b.client, doc, provider.Try{})
	require.Equal(t, "number_taken", failureIn(t, err).Reason)
}

// Each call of an EnsureContacts denied, then let through: one contact.
func TestContact_not_permitted(t *testing.T) {
	t.Parallel()
	certain, uncertain := provider.Try{}, provider.Try{Uncertain: true}
	for name, row := range map[string]struct {
		there   bool // the buyer's contact, behind two pages of others
		try     provider.Try
		match   bool
		allowed int
	}{
		"To_create":                           {false, certain, false, 0},
		"To_look_it_up":                       {false, uncertain, false, 0},
		"To_create_after_the_look_up":         {false, uncertain, false, 1},
		"To_match_it":                         {false, certain, true, 0},
		"To_create_after_the_match":           {false, certain, true, 1},
		"To_look_up_the_taken_email":          {true, certain, false, 1},
		"To_read_the_second_page":             {true, uncertain, false, 1},
		"To_read_the_last_page_for_the_email": {true, certain, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p := setupPermits(t, freeagentsim.Config{IgnoreEmailFilter: true}, func(c *Config) { c.MatchContacts = row.match })
			if row.there {
				b.sim.AddContact(map[string]string{"organisation_name": "Ada", "email": ada().Email})
				for i := range 250 {
					b.sim.AddContact(map[string]string{"organisation_name": "Other", "email": fmt.Sprintf("other%d@example.com", i)})
				}
			}
			before, known := b.requests(), len(b.sim.Contacts())
			p.allow(row.allowed)
			_, err := ensureContact(t.Context(), b.client, ada(), row.try)
			requireNoBudget(t, err)
			require.Equal(t, row.allowed, b.requests()-before)
			require.Len(t, b.sim.Contacts(), known)
			p.allow(4)
			_, err = ensureContact(t.Context(), b.client, ada(), uncertain)
			require.NoError(t, err)
			require.Len(t, b.sim.Contacts(), max(known, 1))
		})
	}
}

func TestReference_not_permitted(t *testing.T) {
	t.Parallel()
	b, p := setupPermits(t, freeagentsim.Config{})
	for allowed := range 3 {
		p.allow(allowed)
		_, err := b.client.Reference(t.Context())
		requireNoBudget(t, err)
	}
	p.allow(0)
	got, err := b.client.Recheck(t.Context(), stale(), "account_archived")
	requireNoBudget(t, err)
	require.Equal(t, stale(), got)
}

func TestPermit_ended_once_whatever_becomes_of_the_call(t *testing.T) {
	t.Parallel()
	for name, f := range faultsOf(freeagentsim.InvoiceCreate) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := setupPermits(t, freeagentsim.Config{}) // it compares at the end
			doc := b.document(t, sample(t, "plain_vat"))
			b.sim.Inject(f.Fault)
			_, err := ensureInvoice(t.Context(), b.client, doc, provider.Try{})
			require.Error(t, err)
		})
	}
}

func TestPermit_ended_when_nobody_answers(t *testing.T) {
	t.Parallel()
	p := &permits{}
	client, err := New(Config{BaseURL: "http://127.0.0.1:1", Token: goodToken, HTTP: loopback.Client, Permit: p.permit})
	require.NoError(t, err)
	_, err = ensureContact(t.Context(), client, policy.Buyer{Name: "A"}, provider.Try{})
	require.Equal(t, provider.Temporary, failureIn(t, err).Kind)
	require.Equal(t, 1, p.settled(t))
}

// A permit is of use for a moment only: a token that has to be fetched first
// must not use it up, and none is taken for a call that cannot be made.
func TestPermit_asked_after_the_token(t *testing.T) {
	t.Parallel()
	p := &permits{}
	var token error
	client := clientOf(t, http.NotFoundHandler(), func(c *Config) {
		c.Permit = p.permit
		c.Token = func(context.Context) (string, error) {
			require.Empty(t, p.ended)
			return testToken, token
		}
	})
	token = &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth, Message: "invalid_grant"}
	_, err := ensureContact(t.Context(), client, ada(), provider.Try{})
	require.Equal(t, provider.Auth, failureIn(t, err).Kind)
	require.Zero(t, p.settled(t))
	token = nil
	_, err = ensureContact(t.Context(), client, ada(), provider.Try{})
	require.Error(t, err)
	require.Equal(t, 1, p.settled(t))
}
