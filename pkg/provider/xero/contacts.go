package xero

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// EnsureContacts returns the ContactIDs of the buyers of set, in its order, each
// judged by itself: found by ContactNumber, else created. There is never a
// second contact, since ContactNumber is unique in Xero:
//   - it failed: nothing exists;
//   - it failed but took effect, or the process stopped here: the next call has
//     Uncertain and finds it; without Uncertain, PUT refuses the taken number or
//     name and it is found the same way;
//   - two callers at the same moment: one of them is refused and finds the
//     other's contact.
//
// A contact merged into another is followed; an archived one is Held, because
// only a person in Xero can restore it and a silent second one would split the
// customer's history. What the kinds of failure say is as for EnsureInvoices.
func (c *Client) EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	if len(set) == 1 {
		id, err := c.ensureContact(ctx, set[0].Value, set[0].Try)
		return []provider.Outcome[string]{{Value: id, Err: err}}
	}
	return c.ensureContactsTogether(ctx, set)
}

// ensureContact is the way of a set of one.
func (c *Client) ensureContact(ctx context.Context, buyer policy.Buyer, try provider.Try) (string, error) {
	if try.Uncertain {
		if id, err := c.findContact(ctx, buyer.Key); err != nil || id != "" {
			return id, err
		}
	}
	return c.createUnder(ctx, contactNames(buyer), buyer, try)
}

// createUnder creates buyer, who has been looked up if he may exist, under the
// first of names that is free.
func (c *Client) createUnder(ctx context.Context, names []string, buyer policy.Buyer, try provider.Try) (string, error) {
	if len(names) == 0 {
		return "", held(reasonNameTaken, "Xero has other contacts named "+strconv.Quote(buyer.Name)+" and "+
			strconv.Quote(suffixed(buyer.Name, buyer.Key))+": rename one of them in Xero")
	}
	id, err := c.createContact(ctx, buyer, names[0], try)
	if err != nil {
		return c.afterClash(ctx, err, names[1:], buyer, try)
	}
	return id, nil
}

// afterClash goes on after cause, which refused buyer's number or name: he may
// be there already, else another of names may be free.
func (c *Client) afterClash(ctx context.Context, cause error, names []string, buyer policy.Buyer, try provider.Try) (string, error) {
	if !hasReason(cause, reasonContactTaken, reasonNameTaken, reasonContactArchived) {
		return "", cause
	}
	found, err := c.findContact(ctx, buyer.Key)
	if err != nil || found != "" {
		return found, err
	}
	if !hasReason(cause, reasonNameTaken) {
		return "", cause
	}
	return c.createUnder(ctx, names, buyer, try)
}

// createContact makes one attempt under one name; after a stored error of an
// earlier attempt, a second with a new key.
func (c *Client) createContact(ctx context.Context, buyer policy.Buyer, name string, try provider.Try) (string, error) {
	body, err := contactJSON(buyer, name)
	if err != nil {
		return "", &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode contact", Err: err}
	}
	key := contactKey(try, body)
	id, answered, err := c.putContact(ctx, buyer.Key, body, key)
	if !try.Uncertain || !answered || !replayed(err) {
		return id, err
	}
	if found, findErr := c.findContact(ctx, buyer.Key); findErr != nil || found != "" {
		return found, findErr
	}
	id, _, err = c.putContact(ctx, buyer.Key, body, c.freshKey(key))
	return id, err
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

// putContact makes one attempt; answered says that Xero spoke at all.
func (c *Client) putContact(ctx context.Context, number string, body []byte, key string) (id string, answered bool, err error) {
	r := contactCreate()
	r.body, r.key = body, key
	answer, err := c.send(ctx, r)
	if err != nil {
		return "", false, err
	}
	if answer.status != http.StatusOK {
		return "", true, classify(answer)
	}
	id, err = createdContact(r, answer, number)
	return id, true, err
}

// createdContact reads a 200 to the call for one contact.
func createdContact(r request, answer reply, number string) (string, error) {
	var said struct{ Contacts list[json.RawMessage] }
	if err := decode(r, []byte(answer.body), &said); err != nil {
		return "", err
	}
	for _, raw := range said.Contacts {
		e, err := readContact(raw)
		if err != nil {
			return "", unreadable(r, raw, err)
		}
		switch {
		case e.saved && e.number == number:
			return e.value, nil
		case !e.saved:
			return "", elementRefusal(r, raw)
		}
	}
	return "", uncertain(true, "Xero's answer does not show the contact; it will be looked up")
}

// readContact reads one element of an answer.
func readContact(raw json.RawMessage) (element[string], error) {
	var a contactAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[string]{}, err
	}
	return element[string]{number: string(a.ContactNumber), saved: a.saved(a.ContactID), value: string(a.ContactID), raw: raw}, nil
}
