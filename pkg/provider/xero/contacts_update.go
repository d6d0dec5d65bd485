package xero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// UpdateContacts brings the contacts of set to what the shop has of their buyers.
// They are read first, in one call, and written by ContactID in another: those that
// are as they should be are not written at all. Only fields that the shop owns are
// written (name, first and last name, e-mail, billing and shipping address, phone),
// and none is blanked. An outcome has the id of the contact: of another one, with
// Merged, where a person merged it; Adopted where it was as it should be.
//
//   - it failed, or failed but took effect, or the process stops: the next call
//     reads the contact again and writes what still differs;
//   - the new name is another contact's: the customer's key goes behind it;
//   - a part that Xero refuses (an e-mail with umlauts) is left as it is, with a note;
//   - archived, or no longer there: Held contact_archived, contact_not_found.
//
// The shared contact of B2C consolidation is nobody's, and left alone.
func (c *Client) UpdateContacts(ctx context.Context, set []provider.Item[policy.ContactUpdate]) []provider.Outcome[provider.Posted] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[provider.Posted] {
		s := &updateSet{set: set, changed: make([]*changed, len(set)), named: map[string]string{}}
		s.batch = batch[provider.Posted]{
			client: c, outcomes: make([]provider.Outcome[provider.Posted], len(set)), list: "Contacts", read: s.read,
			create: request{operation: opContactUpdate, method: http.MethodPost, path: "/Contacts", query: url.Values{"summarizeErrors": {"false"}}},
		}
		parts := make([]part, len(set))
		for i, item := range set {
			parts[i] = part{at: i, number: strings.ToLower(item.Value.ContactID)}
		}
		open := s.look(ctx, s.withoutDuplicates(parts))
		for round := 0; len(open) > 0 && round < maxContactRounds; round++ {
			open = s.write(ctx, open)
		}
		for _, p := range open {
			if s.outcomes[p.at].Err == nil {
				s.end(p, provider.Posted{}, &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal, Message: "many contacts of one set get the same name; this one is written after them"})
			}
		}
		for i, w := range s.changed {
			if w != nil && s.outcomes[i].Err == nil {
				s.outcomes[i].Notes, s.outcomes[i].Merged = w.notes, !strings.EqualFold(w.id, set[i].Value.ContactID)
			}
		}
		return s.outcomes
	})
}

// updateSet carries a set of contacts through its calls.
type updateSet struct {
	batch[provider.Posted]
	set     []provider.Item[policy.ContactUpdate]
	changed []*changed
	// named is whose contact an element with that name is, in lower case: a refused
	// one is shown with its name and without its id.
	named map[string]string
}

// look reads the contacts of parts, and returns those that can be written.
func (s *updateSet) look(ctx context.Context, parts []part) []part {
	var open []part
	for _, chunk := range lookUpChunks(parts, maxNumbers, listed) {
		if !s.mayCall(chunk...) {
			continue
		}
		var ids []string
		for _, p := range chunk {
			ids = append(ids, p.number)
		}
		shown, err := s.client.getContacts(about(ctx, chunk...), "/Contacts", url.Values{
			"IDs": {strings.Join(ids, ",")}, "includeArchived": {"true"}, "page": {"1"}, "pageSize": {strconv.Itoa(findPageSize)},
		})
		if err != nil {
			s.fail(chunk, err)
			continue
		}
		for _, p := range chunk {
			if s.settle(ctx, p, contactByID(shown, p.number)) {
				open = append(open, p)
			}
		}
	}
	return open
}

// settle reports whether p's contact can be written; else it has its outcome.
func (s *updateSet) settle(ctx context.Context, p part, shown *contactAnswer) bool {
	if shown == nil {
		s.end(p, provider.Posted{}, held(reasonContactGone, "Xero does not show the contact of the shop's customer "+strconv.Quote(s.set[p.at].Value.Buyer.Name)+
			" any more: it may belong to another organisation"))
		return false
	}
	if shown.mergedInto() != "" && !s.mayCall(p) {
		return false
	}
	now, merged, err := s.client.followTo(about(ctx, p), *shown)
	if err != nil {
		s.endCall(p, provider.Posted{}, err)
		return false
	}
	if merged {
		shown = &now
	}
	s.changed[p.at] = &changed{wanted: newWanted(s.set[p.at].Value.Buyer, s.client.shop), shown: *shown, id: string(now.ContactID)}
	return true
}

func contactByID(shown []contactAnswer, id string) *contactAnswer {
	for i := range shown {
		if strings.EqualFold(string(shown[i].ContactID), id) {
			return &shown[i]
		}
	}
	return nil
}

// write sends what differs, and returns those of parts that are worth another try:
// changed by what Xero refused, or of a name that another of this call gets.
func (s *updateSet) write(ctx context.Context, parts []part) []part {
	var sending, again []part
	clear(s.named)
	for _, p := range parts {
		w := s.changed[p.at]
		change, any := w.change()
		if !any || w.buyer.Shared {
			s.end(p, provider.Posted{ID: w.id, Contact: w.id, Adopted: true, Proven: true}, nil)
			continue
		}
		element, err := json.Marshal(change)
		if err != nil {
			s.end(p, provider.Posted{}, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode contact", Err: err})
			continue
		}
		name := strings.ToLower(policy.CleanName(change.Name))
		if _, taken := s.named[name]; taken {
			again = append(again, p)
			continue
		}
		p.number, p.element, p.key = strings.ToLower(w.id), element, derivedKey(s.set[p.at].Try.Key, "contact", string(element))
		s.named[name] = p.number
		sending = append(sending, p)
	}
	left := s.createAll(ctx, s.withoutDuplicates(sending))
	for _, p := range left.alone {
		s.createOne(ctx, p)
		if err := s.outcomes[p.at].Err; err != nil && clashOf(err).any() {
			left.refused = append(left.refused, refusedPart{p, provider.AsFailure(err)})
		}
	}
	for _, r := range left.refused {
		c := clashOf(r.failure)
		c.number = false // numbers are not written
		switch {
		case s.stopped != nil:
		case s.changed[r.at].without(c):
			again = append(again, r.part)
		case c.name:
			s.end(r.part, provider.Posted{}, namesTaken(s.changed[r.at].wanted))
		}
	}
	return again
}

// read reads one element of an answer.
func (s *updateSet) read(raw json.RawMessage) (element[provider.Posted], error) {
	var a contactAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[provider.Posted]{}, err
	}
	e := element[provider.Posted]{number: strings.ToLower(string(a.ContactID)), saved: a.saved(a.ContactID), raw: raw,
		value: provider.Posted{ID: string(a.ContactID), Number: string(a.ContactNumber), Contact: string(a.ContactID)}}
	if !e.saved {
		e.number = s.named[strings.ToLower(policy.CleanName(string(a.Name)))]
	}
	return e, nil
}
