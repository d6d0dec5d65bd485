package freeagent

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// EnsureContacts returns for each buyer the URL of its contact, and creates it
// where there is none; in the set's order, one after another. A buyer is in the
// set once: the wire would let a second one make a twin. After a RateLimited,
// Auth, Temporary or Unknown failure the rest is not called, and its failures
// say so: RateLimited and Auth as they are, else Temporary.
func (c *Client) EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string] {
	return inTurn(set, func(buyer policy.Buyer, try provider.Try) (string, error) {
		return c.ensureContact(ctx, buyer, try)
	})
}

// ensureContact is EnsureContacts for one buyer.
//
// If the create was not permitted, or failed before it reached the ledger:
// nothing happened. If its answer is lost: Unknown; the caller comes again with
// try.Uncertain, and then the e-mail is looked up before anything is written.
// If the process dies after the create: the same, since the caller's intent
// says that an attempt was made. Once uncertain, a caller stays so until this
// succeeds: the look-up itself may fail too.
//
// A buyer without e-mail is recognised only by being alike in name and postcode
// and without e-mail, and only when uncertain: two customers may share a name.
func (c *Client) ensureContact(ctx context.Context, buyer policy.Buyer, try provider.Try) (string, error) {
	body, err := encode(contactEnvelope{Contact: contactOf(buyer)})
	if err != nil {
		return "", err
	}
	if try.Uncertain || c.cfg.MatchContacts && buyer.Email != "" {
		found, err := c.findContact(ctx, buyer)
		if err != nil || found != "" {
			return found, err
		}
	}
	k := call{operation: opContactCreate, method: http.MethodPost, path: "/contacts", body: body}
	a, err := c.do(ctx, k)
	if err != nil {
		return "", err
	}
	if a.ok() {
		return c.createdContact(a)
	}
	refusal := c.failureOf(k, a)
	if !saysContactTaken(a) || buyer.Email == "" {
		return "", refusal
	}
	found, err := c.findContact(ctx, buyer)
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", refusal
	}
	return found, nil
}

// createdContact reads the URL out of a create's answer. Without one the
// contact exists all the same, so the outcome is Unknown and a look-up follows.
func (c *Client) createdContact(a answer) (string, error) {
	var read struct {
		Contact contactAnswer `json:"contact"`
	}
	_ = json.Unmarshal(a.body, &read) // a body that is no JSON leaves Location
	created, err := c.createdURL(a, read.Contact.URL)
	if err != nil {
		return "", unknown("the contact was created, but not where", err)
	}
	return created, nil
}

func unknown(message string, err error) *provider.Failure {
	return &provider.Failure{Kind: provider.Unknown, Code: provider.CodeProvider, Message: message, Err: err}
}

// findContact looks the buyer up, newest first, and returns an empty URL where
// there is none. The server may ignore email=, so every candidate is compared
// here; of several the one that also has the buyer's name and is not hidden is
// taken, then the newest.
func (c *Client) findContact(ctx context.Context, buyer policy.Buyer) (string, error) {
	query := url.Values{"view": {"all"}, "sort": {"-created_at"}}
	if buyer.Email != "" {
		query.Set("email", buyer.Email)
	}
	wanted := contactOf(buyer)
	found, best := "", 0
	err := list(ctx, c, opContactList, "contacts", query, func(candidate contactAnswer) bool {
		if fit := likeness(candidate, wanted); fit > best {
			found, best = candidate.URL, fit
		}
		return best < exactLikeness
	})
	if err != nil {
		return "", err
	}
	return found, nil
}

const exactLikeness = 4

// likeness is 0 for another buyer's contact; else 1, and more where the name is
// the same (2) and where it is not hidden (1).
func likeness(candidate contactAnswer, wanted contactBody) int {
	sameName := strings.EqualFold(candidate.Organisation, wanted.Organisation) &&
		strings.EqualFold(candidate.FirstName, wanted.FirstName) &&
		strings.EqualFold(candidate.LastName, wanted.LastName)
	if idOf(candidate.URL) == "" || !strings.EqualFold(strings.TrimSpace(candidate.Email), wanted.Email) {
		return 0
	}
	if wanted.Email == "" && !(sameName && strings.EqualFold(candidate.Postcode, wanted.Postcode)) {
		return 0
	}
	fit := 1
	if sameName {
		fit += 2
	}
	if !strings.EqualFold(candidate.Status, "Hidden") {
		fit++
	}
	return fit
}
