package freeagent

import (
	"context"
	"encoding/json"
	"net/http"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// UpdateContacts writes what the shop knows of each buyer over what the ledger has:
// one call each, in the set's order. It says the same however often it is
// repeated, so nothing is looked up where an earlier answer was lost. What the
// buyer does not have is left as it is: an absent field never blanks a known one.
// An address is one thing, and goes whole or not at all. The contact of B2C
// consolidation is nobody's, and left alone.
//
// A refusal that names an optional part is answered by one more try without it,
// which the outcome notes. A contact that is gone is Held.
func (c *Client) UpdateContacts(ctx context.Context, set []provider.Item[policy.ContactUpdate]) []provider.Outcome[provider.Posted] {
	return inTurn(ctx, set, func(ctx context.Context, u policy.ContactUpdate, _ provider.Try) provider.Outcome[provider.Posted] {
		posted, notes, err := c.updateContact(ctx, u)
		if err != nil {
			return provider.Outcome[provider.Posted]{Err: err}
		}
		return provider.Outcome[provider.Posted]{Value: posted, Notes: notes}
	})
}

func (c *Client) updateContact(ctx context.Context, u policy.ContactUpdate) (provider.Posted, []string, error) {
	posted := provider.Posted{ID: u.ContactID, URL: u.ContactID, Number: u.Buyer.Key, Status: "Active", Contact: u.ContactID}
	one := &sought{buyer: u.Buyer, body: newsOf(u.Buyer), update: true}
	for !u.Buyer.Shared && one.body != (contactBody{}) {
		body, err := encode(contactChange(one.body))
		if err != nil {
			return posted, nil, err
		}
		k := call{operation: opContactUpdate, method: http.MethodPut, path: "/contacts/" + idOf(u.ContactID), body: body}
		a, err := c.do(ctx, k)
		switch {
		case err != nil:
			return posted, nil, err
		case a.ok():
			return posted, one.notes, nil
		case a.status == http.StatusNotFound:
			return posted, nil, held(provider.HeldContactGone, "the ledger has no contact "+u.ContactID+" any more: restore it, or cancel this run")
		}
		refusal := c.failureOf(k, a)
		if refusal.Kind != provider.Refused || !one.without(a) {
			return posted, nil, refusal
		}
	}
	posted.Settled = true // nothing is known that could be written
	return posted, one.notes, nil
}

// newsOf is what may be written over a contact: a name only where it is a
// company's or a whole person's, since a name that was made up for want of one
// must not take a known one's place.
func newsOf(buyer policy.Buyer) contactBody {
	body := contactOf(buyer)
	body.Organisation = buyer.Company
	return body
}

// contactChange is the body of a change. Where there is an address its empty parts
// are sent too: a second line of the last one must not stay beside a new street.
func contactChange(b contactBody) any {
	raw, err := json.Marshal(b)
	fields := map[string]string{}
	if err != nil || json.Unmarshal(raw, &fields) != nil || b.address() == (contactBody{}) {
		return contactEnvelope{b}
	}
	for _, part := range []string{"address1", "address2", "address3", "town", "region", "postcode", "country"} {
		if _, has := fields[part]; !has {
			fields[part] = ""
		}
	}
	return map[string]any{"contact": fields}
}
