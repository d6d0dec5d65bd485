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

// contactAnswer is what is read of a contact that Xero shows.
type contactAnswer struct {
	outcome
	ContactID         text
	ContactNumber     text
	Name              text
	ContactStatus     text
	MergedToContactID text
}

// EnsureContact returns the ContactID of buyer: found by ContactNumber, else
// created. There is never a second one, since ContactNumber is unique in Xero:
//   - it failed: nothing exists;
//   - it failed but took effect, or the process stopped here: the next call has
//     Uncertain and finds it; without Uncertain, PUT refuses the taken number or
//     name and it is found the same way;
//   - two callers at the same moment: one of them is refused and finds the
//     other's contact.
//
// A contact merged into another is followed; an archived one is Held, because
// only a person in Xero can restore it and a silent second one would split the
// customer's history.
func (c *Client) EnsureContact(ctx context.Context, buyer policy.Buyer, try provider.Try) (string, error) {
	if try.Uncertain {
		if id, err := c.findContact(ctx, buyer.Key); err != nil || id != "" {
			return id, err
		}
	}
	for _, name := range contactNames(buyer) {
		id, err := c.createContact(ctx, buyer, name, try)
		if err == nil {
			return id, nil
		}
		if !hasReason(err, reasonContactTaken, reasonNameTaken, reasonContactArchived) {
			return "", err
		}
		found, findErr := c.findContact(ctx, buyer.Key)
		if findErr != nil || found != "" {
			return found, findErr
		}
		if !hasReason(err, reasonNameTaken) {
			return "", err
		}
	}
	return "", held(reasonNameTaken, "Xero has other contacts named "+strconv.Quote(buyer.Name)+" and "+
		strconv.Quote(suffixed(buyer.Name, buyer.Key))+": rename one of them in Xero")
}

// createContact makes one attempt under one name; after a stored error of an
// earlier attempt, a second with a new key.
func (c *Client) createContact(ctx context.Context, buyer policy.Buyer, name string, try provider.Try) (string, error) {
	body, err := contactJSON(buyer, name)
	if err != nil {
		return "", &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode contact", Err: err}
	}
	// The caller may use one key for the whole run; the body differs from the
	// invoice's and with the name, so the key does too.
	key := derivedKey(try.Key, "contact", string(body))
	id, err := c.putContact(ctx, buyer.Key, body, key)
	if err == nil || !try.Uncertain || !replayed(err) {
		return id, err
	}
	if found, findErr := c.findContact(ctx, buyer.Key); findErr != nil || found != "" {
		return found, findErr
	}
	return c.putContact(ctx, buyer.Key, body, c.freshKey(key))
}

func (c *Client) putContact(ctx context.Context, number string, payload []byte, key string) (string, error) {
	r := request{
		operation: opContactCreate, method: http.MethodPut, path: "/Contacts", body: payload, key: key,
		query: url.Values{"summarizeErrors": {"false"}},
	}
	body, err := c.do(ctx, r)
	if err != nil {
		return "", err
	}
	var answer struct{ Contacts list[json.RawMessage] }
	if err := decode(r, body, &answer); err != nil {
		return "", err
	}
	for _, raw := range answer.Contacts {
		var element contactAnswer
		if err := decode(r, raw, &element); err != nil {
			return "", err
		}
		if element.saved(element.ContactID) && string(element.ContactNumber) == number {
			return string(element.ContactID), nil
		}
		if !element.saved(element.ContactID) {
			return "", elementRefusal(r, raw)
		}
	}
	return "", uncertain(true, "Xero's answer does not show the contact; it will be looked up")
}

// findContact looks a contact up by its exact number and returns the id of the
// one that is to be used; empty where there is none. ContactNumber is not among
// the filters that Xero promises to index, so where the filter finds nothing or
// is refused, the address /Contacts/{number} decides.
func (c *Client) findContact(ctx context.Context, number string) (string, error) {
	query := url.Values{"where": {"ContactNumber==" + quoted(number)}, "includeArchived": {"true"}, "page": {"1"}}
	list, err := c.getContacts(ctx, "/Contacts", query)
	if err != nil && provider.AsFailure(err).Kind != provider.Bug && provider.AsFailure(err).Kind != provider.Refused {
		return "", err
	}
	found := exactly(list, number)
	if found == nil {
		if list, err = c.getContacts(ctx, "/Contacts/"+url.PathEscape(number), nil); err != nil {
			return "", err
		}
		found = exactly(list, number)
	}
	if found == nil {
		return "", nil
	}
	return c.follow(ctx, *found)
}

// exactly picks the contact with this very number, an active one first: the
// filters compare without case or accents.
func exactly(contacts []contactAnswer, number string) *contactAnswer {
	var inactive *contactAnswer
	for i := range contacts {
		if string(contacts[i].ContactNumber) != number {
			continue
		}
		if contacts[i].active() {
			return &contacts[i]
		}
		inactive = &contacts[i]
	}
	return inactive
}

func (a contactAnswer) active() bool {
	return a.ContactStatus == "ACTIVE" || a.ContactStatus == ""
}

// maxMerges ends a circle of merged contacts.
const maxMerges = 5

// follow returns the id of the contact that stands for found now.
func (c *Client) follow(ctx context.Context, found contactAnswer) (string, error) {
	for range maxMerges {
		next := string(found.MergedToContactID)
		if next == "" || next == zeroGUID {
			if found.active() {
				return string(found.ContactID), nil
			}
			return "", held(reasonContactArchived, "the contact "+strconv.Quote(string(found.Name))+" with contact code "+
				strconv.Quote(string(found.ContactNumber))+" is "+strings.ToLower(string(found.ContactStatus))+
				" in Xero: restore it there (Contacts, Archived), then this goes on by itself")
		}
		list, err := c.getContacts(ctx, "/Contacts/"+url.PathEscape(next), nil)
		if err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "", held(reasonContactGone, "the contact with contact code "+strconv.Quote(string(found.ContactNumber))+
				" was merged into one that Xero no longer shows")
		}
		found = list[0]
	}
	return "", held(reasonContactArchived, "the contact "+strconv.Quote(string(found.Name))+" was merged in a circle in Xero: restore one of them there")
}

// getContacts reads contacts; a 404 is none.
func (c *Client) getContacts(ctx context.Context, path string, query url.Values) ([]contactAnswer, error) {
	r := request{operation: opContactFind, method: http.MethodGet, path: path, query: query}
	body, err := c.do(ctx, r)
	if err != nil {
		if provider.AsFailure(err).Kind == provider.Gone {
			return nil, nil
		}
		return nil, err
	}
	var answer struct{ Contacts list[contactAnswer] }
	if err := decode(r, body, &answer); err != nil {
		return nil, err
	}
	return answer.Contacts, nil
}
