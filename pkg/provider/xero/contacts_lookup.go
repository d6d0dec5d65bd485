package xero

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"towpath/pkg/provider"
)

// The size of one look-up of contacts; its address is bounded like that of
// invoices. Numbers are unique, and so are names among active contacts, so even a
// second page is not to be expected.
const maxContactPages = 5

// maxRefusedLookUps is how many joint look-ups of a set Xero may refuse before
// the rest is asked for one by one. A number at which it takes offence is cut out
// with five; should it refuse OR as such, halving to the end would double the
// calls.
const maxRefusedLookUps = 8

// ask is what is to be looked up of one buyer: the numbers that his contact may
// have, the last one the surest, and a name that Xero says is taken.
type ask struct {
	part
	numbers []string
	name    string
	taken   bool // Xero has refused the number: it is there
}

func (a ask) conditions() []string {
	var all []string
	for _, n := range a.numbers {
		all = append(all, numberIs(n))
	}
	if a.name != "" {
		all = append(all, "Name=="+quoted(a.name))
	}
	return all
}

// lone reports whether the ask cannot stand among others: an empty number would
// fit every contact that has none.
func (a ask) lone() bool { return slices.Contains(a.numbers, "") }

// contactResult is what a look-up shows of a buyer.
type contactResult struct {
	part
	byNumber, byName *contactAnswer
}

// among picks what a asks for.
func (a ask) among(contacts []contactAnswer) contactResult {
	seen := contactResult{part: a.part}
	for _, n := range a.numbers {
		if found := exactly(contacts, n); found != nil {
			seen.byNumber = found
		}
	}
	for i := range contacts {
		if a.name != "" && contacts[i].active() && strings.EqualFold(string(contacts[i].Name), a.name) {
			seen.byName = &contacts[i]
		}
	}
	return seen
}

// lookUp asks for all in as few calls as their length allows, and answers what
// each sees. Those that could not be looked up have the failure as their outcome
// and are not answered.
func (s *contactSet) lookUp(ctx context.Context, asks []ask) []contactResult {
	var seen []contactResult
	for _, chunk := range askChunks(asks) {
		seen = append(seen, s.lookUpBatch(ctx, chunk)...)
	}
	return seen
}

// askChunks divides asks, in order, into what one look-up holds. What two of them
// ask for is written once.
func askChunks(asks []ask) [][]ask {
	var all [][]ask
	size := 0
	var written map[string]bool
	for _, a := range asks {
		more := 0
		for _, condition := range a.conditions() {
			if !written[condition] {
				more += len(url.QueryEscape(condition + " OR "))
			}
		}
		if len(all) == 0 || a.lone() || all[len(all)-1][0].lone() || size+more > maxNumberBytes {
			all, size, written = append(all, nil), 0, map[string]bool{}
		}
		all[len(all)-1] = append(all[len(all)-1], a)
		for _, condition := range a.conditions() {
			if !written[condition] {
				size += len(url.QueryEscape(condition + " OR "))
			}
			written[condition] = true
		}
	}
	return all
}

// lookUpBatch makes one call for chunk. Where Xero takes offence at the query,
// each half is looked up by itself, down to single buyers; whose number the joint
// look-up does not show though Xero refused it, is asked for by his address.
func (s *contactSet) lookUpBatch(ctx context.Context, chunk []ask) []contactResult {
	if len(chunk) == 1 || s.refusedLookUps == maxRefusedLookUps {
		return s.lookUpAlone(ctx, chunk)
	}
	if !s.mayCall(partsOf(chunk)...) {
		return nil
	}
	contacts, err := s.client.findContacts(about(ctx, partsOf(chunk)...), chunk)
	switch {
	case hasKind(err, provider.Bug):
		s.refusedLookUps++
		half := len(chunk) / 2
		return append(s.lookUpBatch(ctx, chunk[:half]), s.lookUpBatch(ctx, chunk[half:])...)
	case err != nil:
		s.fail(partsOf(chunk), err)
		return nil
	}
	var seen []contactResult
	for _, a := range chunk {
		found := a.among(contacts)
		if a.taken && found.byNumber == nil {
			seen = append(seen, s.lookUpAlone(ctx, []ask{a})...)
			continue
		}
		seen = append(seen, found)
	}
	return seen
}

func (s *contactSet) lookUpAlone(ctx context.Context, asks []ask) []contactResult {
	var all []contactResult
	for _, a := range asks {
		if !s.mayCall(a.part) {
			continue
		}
		seen, err := s.client.findContact(about(ctx, a.part), a)
		if err != nil {
			s.endCall(a.part, "", err)
			continue
		}
		seen.part = a.part
		all = append(all, seen)
	}
	return all
}

func partsOf(asks []ask) []part {
	parts := make([]part, len(asks))
	for i, a := range asks {
		parts[i] = a.part
	}
	return parts
}

// findContacts reads the contacts that asks ask for, page by page. What pages
// beyond the last would show counts as not shown, which costs calls and no more.
func (c *Client) findContacts(ctx context.Context, asks []ask) ([]contactAnswer, error) {
	var conditions []string
	for _, a := range asks {
		for _, condition := range a.conditions() {
			if !slices.Contains(conditions, condition) {
				conditions = append(conditions, condition)
			}
		}
	}
	query := url.Values{
		"where": {strings.Join(conditions, " OR ")}, "includeArchived": {"true"}, "pageSize": {strconv.Itoa(findPageSize)},
	}
	var all []contactAnswer
	for page := 1; page <= maxContactPages; page++ {
		query.Set("page", strconv.Itoa(page))
		found, err := c.getContacts(ctx, "/Contacts", query)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(found) < findPageSize {
			break
		}
	}
	return all, nil
}
