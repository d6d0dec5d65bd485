package freeagent

import (
	"context"
	"encoding/json"
	"net/http"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// EnsureContacts returns for each buyer the URL of its contact, and creates it
// where there is none; in the set's order, one after another. The wire creates
// contacts one by one, so new buyers cost a call each; what has to be looked up of
// several is looked up together, see lookUp. A buyer is in the set once: the wire
// would let a second one make a duplicate. After a failure that halts the rest is not
// called (provider.Unsent).
//
// If a create was not permitted, or failed before it reached the ledger: nothing
// happened. If its answer is lost: the contact may exist; the caller comes again with
// try.Uncertain, and then the buyer is looked up before anything is written. If
// the process dies after the create: the same, since the caller's intent says that
// an attempt was made. Once uncertain, a caller stays so until this succeeds: the
// look-up itself may fail too.
//
// A buyer is known by his e-mail, a guest by e-mail and name: shops give one
// placeholder address to all who have none, and strangers must not share a
// contact. A buyer without e-mail is recognised only by being alike in name and
// address and without e-mail, and only when uncertain: two customers may share a
// name.
func (c *Client) EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	s := contactSet{client: c, items: make([]provider.Item[*sought], len(set))}
	for i, item := range set {
		s.items[i] = provider.Item[*sought]{Value: newSought(item), Try: item.Try}
	}
	looking, trace := provider.Traced(ctx)
	if err := s.lookUpFirst(looking); err != nil {
		return withCalls(provider.Failed[string](len(set), err), trace)
	}
	outcomes := inTurn(ctx, s.items, func(ctx context.Context, one *sought, _ provider.Try) provider.Outcome[string] {
		id, err := s.ensure(ctx, one)
		if err != nil {
			return provider.Outcome[string]{Err: err}
		}
		return provider.Outcome[string]{Value: id, Notes: one.notes}
	})
	return withCalls(outcomes, trace)
}

// contactSet carries a set of buyers through its calls.
type contactSet struct {
	client *Client
	items  []provider.Item[*sought]
}

// lookUpFirst looks for the buyers who may exist before anything is written. It
// fails where the next call would too; what failed for one buyer is his own.
func (s contactSet) lookUpFirst(ctx context.Context) error {
	var first []*sought
	for _, item := range s.items {
		if item.Try.Uncertain || s.client.cfg.MatchContacts && item.Value.body.Email != "" {
			first = append(first, item.Value)
		}
	}
	for i, one := range first {
		if one.looked {
			continue
		}
		if one.err = s.client.lookUp(ctx, one, first[i:]); provider.Halts(one.err) {
			return one.err
		}
	}
	return nil
}

// ensure is EnsureContacts for one buyer, who has been looked up where that is
// needed. What is refused of him is left out in the next try: if that one's answer
// is lost, the look-up of the try after it knows him without it too.
func (s contactSet) ensure(ctx context.Context, one *sought) (string, error) {
	if one.err != nil || one.found != "" {
		return one.found, one.err
	}
	for {
		id, refusal, err := s.client.createContact(ctx, one.body)
		if err == nil {
			s.created(one, id)
		}
		if err == nil || refusal.status == 0 {
			return id, err
		}
		// Where it is known whose the e-mail is, there is nothing to look for.
		if saysContactTaken(refusal) && one.body.Email != "" && !one.others {
			if lookErr := s.client.lookUp(ctx, one, s.openFrom(one)); lookErr != nil || one.found != "" {
				return one.found, lookErr
			}
		}
		if provider.AsFailure(err).Kind != provider.Refused || !one.without(refusal) {
			return "", err
		}
		if one.try.Uncertain { // an earlier try may have come this far
			if lookErr := s.client.lookUp(ctx, one, []*sought{one}); lookErr != nil || one.found != "" {
				return one.found, lookErr
			}
		}
	}
}

// created shows one's new contact to those after it who were looked up before it
// was there: two customers of one e-mail are one.
func (s contactSet) created(one *sought, id string) {
	made := contactAnswer{URL: id, Organisation: one.body.Organisation, FirstName: one.body.FirstName, LastName: one.body.LastName,
		Email: one.body.Email, Status: "Active"}
	for i := len(s.items) - 1; i >= 0 && s.items[i].Value != one; i-- {
		if other := s.items[i].Value; other.looked && other.found == "" && other.body.Email != "" {
			other.see(made)
		}
	}
}

// openFrom are one and those after it that have not been looked up: where the
// ledger says that one's e-mail is taken the others' may be, and a list that shows
// everybody shows them too.
func (s contactSet) openFrom(one *sought) []*sought {
	open := []*sought{one}
	for i := len(s.items) - 1; i >= 0 && s.items[i].Value != one; i-- {
		if other := s.items[i].Value; !other.looked && other.body.Email != "" {
			open = append(open, other)
		}
	}
	return open
}

// createContact makes one attempt; refusal has a status where it is one.
func (c *Client) createContact(ctx context.Context, contact contactBody) (id string, refusal answer, err error) {
	body, err := encode(contactEnvelope{Contact: contact})
	if err != nil {
		return "", answer{}, err
	}
	k := call{operation: opContactCreate, method: http.MethodPost, path: "/contacts", body: body}
	a, err := c.do(ctx, k)
	if err != nil {
		return "", answer{}, err
	}
	if !a.ok() {
		return "", a, c.failureOf(k, a)
	}
	id, err = c.createdContact(a)
	return id, answer{}, err
}

// createdContact reads the URL out of a create's answer. Without one the
// contact exists all the same, and a look-up follows.
func (c *Client) createdContact(a answer) (string, error) {
	var read struct {
		Contact contactAnswer `json:"contact"`
	}
	_ = json.Unmarshal(a.body, &read) // a body that is no JSON leaves Location
	created, err := c.createdURL(a, read.Contact.URL)
	if err != nil {
		return "", unlocated("the contact was created, but not where", err)
	}
	return created, nil
}

// unlocated is the failure of a create whose answer does not say where: it need not be
// the ledger's.
func unlocated(message string, err error) *provider.Failure {
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeProvider, Wrote: provider.WroteMaybe, Message: message, Err: err}
}
