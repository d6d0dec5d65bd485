package xero

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/provider"
)

// contactAnswer is what is read of a contact that Xero shows.
type contactAnswer struct {
	outcome
	ContactID         text
	ContactNumber     text
	Name              text
	FirstName         text
	LastName          text
	EmailAddress      text
	ContactStatus     text
	MergedToContactID text
	Addresses         list[map[string]text]
	Phones            list[map[string]text]
}

// findContact looks a contact up by its exact number, nil where there is none.
// ContactNumber is not among the filters that Xero promises to index, so where the
// filter finds nothing or is refused, the address /Contacts/{number} decides.
func (c *Client) findContact(ctx context.Context, a ask) (contactResult, error) {
	query := url.Values{"where": {strings.Join(a.conditions(), " OR ")}, "includeArchived": {"true"}, "page": {"1"}}
	list, err := c.getContacts(ctx, "/Contacts", query)
	if err != nil && !hasKind(err, provider.Bug) {
		return contactResult{}, err
	}
	seen := a.among(list)
	if seen.byNumber == nil && len(a.numbers) > 0 {
		if list, err = c.getContacts(ctx, "/Contacts/"+url.PathEscape(a.numbers[0]), nil); err != nil {
			return contactResult{}, err
		}
		seen.byNumber = exactly(list, a.numbers[0])
	}
	return seen, nil
}

// numberIs is the condition for one contact in Xero's where language.
func numberIs(number string) string { return "ContactNumber==" + quoted(number) }

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

// mergedInto is the id of the contact that a was merged into; empty if it was
// not.
func (a contactAnswer) mergedInto() string {
	if a.MergedToContactID == zeroGUID {
		return ""
	}
	return string(a.MergedToContactID)
}

// maxMerges ends a circle of merged contacts.
const maxMerges = 5

// follow returns the id of the contact that stands for found now, and whether that
// is another one.
func (c *Client) follow(ctx context.Context, found contactAnswer) (id string, merged bool, err error) {
	now, merged, err := c.followTo(ctx, found)
	return string(now.ContactID), merged, err
}

// followTo is follow with all that is read of that contact.
func (c *Client) followTo(ctx context.Context, found contactAnswer) (now contactAnswer, merged bool, err error) {
	for range maxMerges {
		next := found.mergedInto()
		if next == "" {
			if found.active() {
				return found, merged, nil
			}
			return contactAnswer{}, merged, held(reasonContactArchived, "the contact "+strconv.Quote(string(found.Name))+" with contact code "+
				strconv.Quote(string(found.ContactNumber))+" is "+strings.ToLower(string(found.ContactStatus))+
				" in Xero: restore it there (Contacts, Archived), then this goes on by itself")
		}
		merged = true
		list, err := c.getContacts(ctx, "/Contacts/"+url.PathEscape(next), nil)
		if err != nil {
			return contactAnswer{}, merged, err
		}
		if len(list) == 0 {
			return contactAnswer{}, merged, held(reasonContactGone, "the contact with contact code "+strconv.Quote(string(found.ContactNumber))+
				" was merged into one that Xero no longer shows")
		}
		found = list[0]
	}
	return contactAnswer{}, merged, held(reasonContactArchived, "the contact "+strconv.Quote(string(found.Name))+" was merged in a circle in Xero: restore one of them there")
}

// getContacts reads contacts; a 404 is none.
func (c *Client) getContacts(ctx context.Context, path string, query url.Values) ([]contactAnswer, error) {
	r := request{operation: opContactFind, method: http.MethodGet, path: path, query: query}
	body, err := c.do(ctx, r)
	if err != nil {
		if hasKind(err, provider.Gone) {
			return nil, nil
		}
		return nil, err
	}
	return listIn[contactAnswer](r, body, "Contacts")
}
