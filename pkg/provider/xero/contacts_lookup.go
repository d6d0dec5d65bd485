package xero

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/provider"
)

// The size of one look-up of contacts; its address is bounded like that of
// invoices. Numbers are unique, so even a second page is not to be expected.
const (
	maxContactNumbers = 30
	maxContactPages   = 5
)

// maxRefusedLookUps is how many joint look-ups of a set Xero may refuse before
// the rest is asked for one by one. A number at which it takes offence is cut out
// with five; should it refuse OR as such, halving to the end would double the
// calls.
const maxRefusedLookUps = 8

// unfound is what the joint look-ups leave to be done.
type unfound struct {
	unseen []part // asked for beside others, and not shown
	alone  []part // to be asked for one by one
}

// lookUp looks parts up by number in as few calls as their length allows and
// ends those that Xero shows. Parts that could not be looked up have the failure
// as their outcome and are not returned.
func (s *contactSet) lookUp(ctx context.Context, parts []part) unfound {
	var left unfound
	for _, chunk := range lookUpChunks(parts, maxContactNumbers, alternative) {
		s.lookUpTogether(ctx, chunk, &left)
	}
	return left
}

// alternative is number as it stands in a where among others. An empty one must
// not: it would fit every contact that has none.
func alternative(number string) string {
	if number == "" {
		return ""
	}
	return numberIs(number) + " OR "
}

// lookUpTogether makes one call for chunk. Where Xero takes offence at the query,
// each half is looked up by itself, down to single numbers.
func (s *contactSet) lookUpTogether(ctx context.Context, chunk []part, left *unfound) {
	if len(chunk) == 1 || s.refusedLookUps == maxRefusedLookUps {
		left.alone = append(left.alone, chunk...)
		return
	}
	if !s.mayCall(chunk...) {
		return
	}
	contacts, err := s.client.findContacts(ctx, chunk)
	switch {
	case hasKind(err, provider.Bug):
		s.refusedLookUps++
		half := len(chunk) / 2
		s.lookUpTogether(ctx, chunk[:half], left)
		s.lookUpTogether(ctx, chunk[half:], left)
		return
	case err != nil:
		s.fail(chunk, err)
		return
	}
	for _, p := range chunk {
		found := exactly(contacts, p.number)
		if found == nil {
			left.unseen = append(left.unseen, p)
			continue
		}
		s.take(ctx, p, *found)
	}
}

// take ends p by the contact that bears its number. Only a merged one needs
// another call.
func (s *contactSet) take(ctx context.Context, p part, found contactAnswer) {
	if found.mergedInto() != "" && !s.mayCall(p) {
		return
	}
	id, err := s.client.follow(ctx, found)
	s.endCall(p, id, err)
}

// findContacts reads the contacts that bear a number of parts, page by page.
// What pages beyond the last would show counts as not shown, which costs calls
// and no more.
func (c *Client) findContacts(ctx context.Context, parts []part) ([]contactAnswer, error) {
	var conditions []string
	for _, p := range parts {
		conditions = append(conditions, numberIs(p.number))
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
