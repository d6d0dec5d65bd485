package freeagent

import (
	"context"
	"net/url"
	"strings"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// sought is a buyer of a set: his contact as it is to be created, and what became
// of looking for it.
type sought struct {
	buyer  policy.Buyer
	try    provider.Try
	body   contactBody // changes with what the ledger refuses
	notes  []string
	update bool // it exists, and is changed
	looked bool
	others bool   // his e-mail is another contact's too
	err    error  // of looking
	found  string // its URL; empty: not found
	fit    int    // how well what was found fits
}

func newSought(item provider.Item[policy.Buyer]) *sought {
	return &sought{buyer: item.Value, try: item.Try, body: contactOf(item.Value)}
}

// see takes candidate where it fits better than what was found so far, and reports
// whether none can fit better.
func (s *sought) see(candidate contactAnswer) bool {
	fit := s.likeness(candidate)
	if s.try.Known != "" && sameResource(candidate.URL, s.try.Known) {
		fit = exactLikeness // the shop knows it as his
	}
	if fit == 0 && s.body.Email != "" && strings.EqualFold(strings.TrimSpace(candidate.Email), s.body.Email) {
		s.others = true
	}
	if fit > s.fit {
		s.found, s.fit = candidate.URL, fit
	}
	return s.fit >= exactLikeness
}

const exactLikeness = 4

// likeness is 0 for another buyer's contact; else 1, and more where the name is
// the same (2) and where it is not hidden (1). Of several that fit alike the first
// shown, which is the newest, is taken.
func (s *sought) likeness(candidate contactAnswer) int {
	wanted := s.body
	sameName := strings.EqualFold(candidate.Organisation, wanted.Organisation) &&
		strings.EqualFold(candidate.FirstName, wanted.FirstName) &&
		strings.EqualFold(candidate.LastName, wanted.LastName)
	switch {
	case idOf(candidate.URL) == "" || !strings.EqualFold(strings.TrimSpace(candidate.Email), wanted.Email):
		return 0
	case wanted.Email == "" && !(sameName && sameAddress(candidate, wanted)), canon.IsGuestKey(s.buyer.Key) && !sameName:
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

// sameAddress compares what a contact without e-mail is told apart by; what one of
// the two does not have is no difference, but for the postcode.
func sameAddress(candidate contactAnswer, wanted contactBody) bool {
	alike := func(a, b string) bool { return a == "" || b == "" || strings.EqualFold(a, b) }
	return strings.EqualFold(candidate.Postcode, wanted.Postcode) && alike(candidate.Address1, wanted.Address1) &&
		alike(candidate.Town, wanted.Town) && alike(candidate.Phone, wanted.Phone)
}

// lookUp looks for one, newest contacts first. The wire knows no look-up of several:
// a server may have a filter by e-mail, which FreeAgent ignores, and gives the list
// of everybody then. That list is read once for all of open, of whom one is the
// first. So a set costs a call each where the filter is known, and where it is not
// as many calls as the ledger has hundreds of contacts, however large the set is.
//
// If it fails, nobody counts as looked up: "not found" would lead to a second
// contact.
func (c *Client) lookUp(ctx context.Context, one *sought, open []*sought) error {
	query := url.Values{"view": {"all"}, "sort": {"-created_at"}}
	if one.body.Email != "" {
		query.Set("email", one.body.Email)
	}
	everybody := one.body.Email == "" // the filter is not asked for, or is not known
	err := list(ctx, c, opContactList, "contacts", query, func(candidate contactAnswer) bool {
		everybody = everybody || !strings.EqualFold(strings.TrimSpace(candidate.Email), one.body.Email)
		missing := 0
		for _, each := range open {
			if !each.see(candidate) && (everybody || each == one) {
				missing++
			}
		}
		return missing > 0
	})
	if err != nil {
		return err
	}
	for _, each := range open {
		each.looked = each.looked || everybody || each == one
	}
	return nil
}
