package xero

import (
	"context"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// contactSet carries a set of buyers through its calls: those who may exist are
// looked up one by one, since Xero has no list of ContactNumbers to ask for; the
// others are created together, each under his first name; whose name or number
// is taken goes on by himself.
type contactSet struct {
	batch[string]
	set []provider.Item[policy.Buyer]
}

func (c *Client) ensureContactsTogether(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	s := &contactSet{set: set, batch: batch[string]{
		client: c, outcomes: make([]provider.Outcome[string], len(set)),
		create: contactCreate(), list: "Contacts", read: readContact,
	}}
	missing := s.findKnown(ctx, s.withoutTwins(s.parts()))
	left := s.createAll(ctx, missing)
	for _, p := range left.alone {
		if s.mayCall(p) {
			buyer, try := set[p.at].Value, set[p.at].Try
			id, err := c.createUnder(ctx, contactNames(buyer), buyer, try)
			s.endCall(p, id, err)
		}
	}
	s.goOnAfterClashes(ctx, left.refused)
	return s.outcomes
}

func (s *contactSet) parts() []part {
	parts := make([]part, len(s.set))
	for i, item := range s.set {
		parts[i] = part{at: i, number: item.Value.Key}
		body, err := contactJSON(item.Value, contactNames(item.Value)[0])
		if err != nil || item.Value.Key == "" {
			continue // alone it gets its own error
		}
		parts[i].element, parts[i].key = loneElement(body, s.list), contactKey(item.Try, body)
	}
	return parts
}

// findKnown looks up the buyers who may exist and returns the others, in order.
func (s *contactSet) findKnown(ctx context.Context, parts []part) []part {
	var missing []part
	for _, p := range parts {
		if !s.set[p.at].Try.Uncertain {
			missing = append(missing, p)
			continue
		}
		if !s.mayCall(p) {
			continue
		}
		id, err := s.client.findContact(ctx, p.number)
		if err == nil && id == "" {
			missing = append(missing, p)
			continue
		}
		s.endCall(p, id, err)
	}
	return missing
}

// goOnAfterClashes ends the buyers whom Xero refused. One whose number or name is
// taken is looked up and, if he is not there, created under another name, by the
// way of a set of one.
func (s *contactSet) goOnAfterClashes(ctx context.Context, refused []refusedPart) {
	for _, r := range refused {
		if !hasReason(r.failure, reasonContactTaken, reasonNameTaken, reasonContactArchived) || !s.mayCall(r.part) {
			continue
		}
		buyer, try := s.set[r.at].Value, s.set[r.at].Try
		id, err := s.client.afterClash(ctx, r.failure, contactNames(buyer)[1:], buyer, try)
		s.endCall(r.part, id, err)
	}
}
