package xero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// EnsureContacts returns the ContactIDs of the buyers of set, in its order, each
// judged by itself: found by ContactNumber and provably the buyer's own, else
// created. There is never a second contact, since ContactNumber is unique in
// Xero:
//   - it failed: nothing exists;
//   - it failed but took effect, or the process stopped here: the next call has
//     Uncertain and finds it; without Uncertain, PUT refuses the taken number or
//     name and it is found the same way;
//   - two callers at the same moment: one of them is refused and finds the
//     other's contact.
//
// Nor is a stranger's contact ever taken for the buyer's; see own. A number that
// is a stranger's leaves the buyer the number that names the shop as well.
//
// A contact merged into another is followed; an archived one of the buyer's is
// Held, because only a person in Xero can restore it and a silent second one would
// split the customer's history. What the kinds of failure say is as for
// EnsureInvoices.
func (c *Client) EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[string] { return c.ensureContacts(ctx, set) })
}

func (c *Client) ensureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	s := &contactSet{set: set, wanted: make([]*wanted, len(set)), batch: batch[string]{
		client: c, outcomes: make([]provider.Outcome[string], len(set)),
		create: contactCreate(), list: "Contacts", read: readContact,
	}}
	parts := make([]part, len(set))
	for i, item := range set {
		s.wanted[i] = newWanted(item.Value, c.shop)
		parts[i] = part{at: i, number: item.Value.Key}
	}
	open := s.findKnown(ctx, s.withoutDuplicates(parts))
	// Each round goes on where the last was refused: a name or a number further, or
	// less of what is optional.
	for round := 0; len(open) > 0 && round < maxContactRounds; round++ {
		open = s.afterClashes(ctx, s.createOpen(ctx, open))
	}
	for i, w := range s.wanted {
		if s.outcomes[i].Err == nil {
			s.outcomes[i].Notes = w.notes
		}
	}
	return s.outcomes
}

// maxContactRounds is more than the names, numbers and optional parts of one buyer
// can be refused, one after another.
const maxContactRounds = 8

// createOpen creates the contacts of parts as they are wanted now, and answers
// those that Xero refused.
func (s *contactSet) createOpen(ctx context.Context, parts []part) []refusedPart {
	bodies := map[int][]byte{}
	for i := range parts {
		p := &parts[i]
		w, item := s.wanted[p.at], s.set[p.at]
		body, err := w.body()
		if err != nil {
			s.end(*p, "", &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode contact", Err: err})
			continue
		}
		bodies[p.at], p.number, p.element, p.key = body, w.number, nil, contactKey(item.Try, body)
		if p.number != "" { // else it gets Xero's own opinion alone
			p.element = loneElement(body, s.list)
		}
	}
	left := s.createAll(ctx, parts)
	for _, p := range left.alone {
		body := bodies[p.at]
		if body == nil || !s.mayCall(p) {
			continue
		}
		id, err := s.client.createContact(about(ctx, p), s.wanted[p.at].number, body, s.set[p.at].Try)
		s.endCall(p, id, err)
		if err != nil && clashOf(err).any() {
			left.refused = append(left.refused, refusedPart{p, provider.AsFailure(err)})
		}
	}
	return left.refused
}

// createContact makes the call for one contact.
func (c *Client) createContact(ctx context.Context, number string, body []byte, try provider.Try) (string, error) {
	r := contactCreate()
	r.body, r.key = body, contactKey(try, body)
	return writeOne(ctx, c, r, "Contacts", number, readContact)
}

// contactKey differs from the caller's, who may use one key for the whole run:
// the body differs from the invoice's and with the name.
func contactKey(try provider.Try, body []byte) string {
	return derivedKey(try.Key, "contact", string(body))
}

// contactCreate is the call that creates contacts; POST would update a namesake.
func contactCreate() request {
	return request{
		operation: opContactCreate, method: http.MethodPut, path: "/Contacts",
		query: url.Values{"summarizeErrors": {"false"}},
	}
}

// readContact reads one element of an answer.
func readContact(raw json.RawMessage) (element[string], error) {
	var a contactAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[string]{}, err
	}
	return element[string]{number: string(a.ContactNumber), saved: a.saved(a.ContactID), value: string(a.ContactID), raw: raw}, nil
}
