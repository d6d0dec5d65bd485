package xero

import (
	"context"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// contactSet carries a set of buyers through its calls: those who may exist are
// looked up together, what is missing is created together, each under his first
// name; whose number is taken is looked up together with the others of whom that
// is said, and whose name is taken goes on by himself.
type contactSet struct {
	batch[string]
	set            []provider.Item[policy.Buyer]
	refusedLookUps int // joint look-ups that Xero took offence at
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
//
// One whom a joint look-up does not show counts as missing, though the filter is
// not promised to see everybody and his address is not asked: that would be a
// call each, a minute's budget for a set whose answer was lost. He is sent with
// the joint PUT, which only creates. Should he exist, PUT refuses his number,
// and the way on from there (goOnAfterClashes) does ask his address. So there is
// never a second contact.
func (s *contactSet) findKnown(ctx context.Context, parts []part) []part {
	var unsure []part
	for _, p := range parts {
		if s.set[p.at].Try.Uncertain {
			unsure = append(unsure, p)
		}
	}
	left := s.lookUp(ctx, unsure)
	absent := placesOf(left.unseen)
	for _, p := range left.alone {
		if !s.mayCall(p) {
			continue
		}
		id, err := s.client.findContact(ctx, p.number)
		if absent[p.at] = err == nil && id == ""; !absent[p.at] {
			s.endCall(p, id, err)
		}
	}
	var missing []part
	for _, p := range parts {
		if !s.set[p.at].Try.Uncertain || absent[p.at] {
			missing = append(missing, p)
		}
	}
	return missing
}

// goOnAfterClashes ends the buyers whom Xero refused. Those whose number is taken
// are looked up together; whom that does not show, and whose name is taken, goes
// on by the way of a set of one: looked up by himself and, if he is not there,
// created under another name.
func (s *contactSet) goOnAfterClashes(ctx context.Context, refused []refusedPart) {
	var taken []part
	for _, r := range refused {
		if hasReason(r.failure, reasonContactTaken, reasonContactArchived) {
			taken = append(taken, r.part)
		}
	}
	left := s.lookUp(ctx, taken)
	open := placesOf(append(left.unseen, left.alone...))
	for _, r := range refused {
		if !open[r.at] && !hasReason(r.failure, reasonNameTaken) || !s.mayCall(r.part) {
			continue
		}
		buyer, try := s.set[r.at].Value, s.set[r.at].Try
		id, err := s.client.afterClash(ctx, r.failure, contactNames(buyer)[1:], buyer, try)
		s.endCall(r.part, id, err)
	}
}

// placesOf are the places of parts in their set.
func placesOf(parts []part) map[int]bool {
	places := map[int]bool{}
	for _, p := range parts {
		places[p.at] = true
	}
	return places
}
