package xero

import (
	"context"
	"strconv"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// contactSet carries a set of buyers through its calls: those who may exist are
// looked up together, what is missing is created together, and whose name or
// number is taken are settled together again: one look-up for all, one more
// creation for all.
type contactSet struct {
	batch[string]
	set            []provider.Item[policy.Buyer]
	wanted         []*wanted
	refusedLookUps int // joint look-ups that Xero took offence at
}

// findKnown looks up the buyers who may exist and returns the others, in order.
//
// A buyer missing from the filtered list is treated as absent, though the filter is
// not promised to be complete: a GET by e-mail for each would cost a minute's budget
// for a set whose answer was lost. The joint PUT only creates. If the contact exists,
// PUT rejects its ContactNumber, and what follows looks it up by e-mail. So there is
// never a duplicate.
func (s *contactSet) findKnown(ctx context.Context, parts []part) []part {
	var asks []ask
	for _, p := range parts {
		if s.set[p.at].Try.Uncertain {
			asks = append(asks, ask{part: p, numbers: s.wanted[p.at].numbers()})
		}
	}
	missing := map[int]bool{}
	for _, seen := range s.lookUp(ctx, asks) {
		missing[seen.at] = !s.settled(ctx, seen)
	}
	var open []part
	for _, p := range parts {
		if !s.set[p.at].Try.Uncertain || missing[p.at] {
			open = append(open, p)
		}
	}
	return open
}

// afterClashes answers those of the refused that are worth another try, changed
// by what Xero refused. Whose number is taken may be there already; whose name is
// taken may be known by his e-mail under another number.
func (s *contactSet) afterClashes(ctx context.Context, refused []refusedPart) []part {
	clashes := map[int]clash{}
	var asks []ask
	for _, r := range refused {
		c := clashOf(r.failure)
		clashes[r.at] = c
		a := ask{part: r.part}
		if c.number {
			a.numbers, a.taken = []string{s.wanted[r.at].number}, true
		}
		if c.name && s.wanted[r.at].buyer.Email != "" {
			a.name = s.wanted[r.at].name()
		}
		if len(a.numbers) > 0 || a.name != "" {
			asks = append(asks, a)
		}
	}
	over := map[int]bool{}
	looked := map[int]bool{}
	for _, a := range asks {
		looked[a.at] = true
	}
	for _, seen := range s.lookUp(ctx, asks) {
		delete(looked, seen.at)
		// A number that is refused and not shown is nobody's to take.
		over[seen.at] = s.settled(ctx, seen) || clashes[seen.at].number && seen.byNumber == nil
	}
	var again []part
	for _, r := range refused {
		if over[r.at] || looked[r.at] || !s.mayCall(r.part) {
			continue // it has its outcome
		}
		if s.wanted[r.at].without(clashes[r.at]) {
			again = append(again, r.part)
		} else if clashes[r.at].name {
			s.end(r.part, "", namesTaken(s.wanted[r.at]))
		}
	}
	return again
}

// settled ends the buyer of seen by a contact that is provably his own, or by
// being held; false where he is still to be created.
func (s *contactSet) settled(ctx context.Context, seen contactResult) bool {
	w, try := s.wanted[seen.at], s.set[seen.at].Try
	found := seen.byNumber
	switch {
	case found != nil && w.own(*found, try):
	case seen.byName != nil && w.ownName(*seen.byName):
		found = seen.byName
		w.note("taken for contact " + strconv.Quote(string(found.Name)) + ", which has the buyer's name and e-mail")
	case found == nil:
		return false
	case w.useShopNumber(*found):
		return false
	default:
		s.end(seen.part, "", numberTakenBy(*found, w))
		return true
	}
	if found.mergedInto() != "" && !s.mayCall(seen.part) {
		return true
	}
	id, merged, err := s.client.follow(about(ctx, seen.part), *found)
	s.endCall(seen.part, id, err)
	s.outcomes[seen.at].Merged = merged
	return true
}

func namesTaken(w *wanted) *provider.Failure {
	return held(reasonNameTaken, "Xero has other contacts named "+strconv.Quote(w.names[0])+" and "+
		strconv.Quote(w.names[len(w.names)-1])+": rename one of them in Xero")
}

// numberTakenBy names both sides, and the way out that Xero offers to a person:
// it does not let the number of a contact be changed.
func numberTakenBy(found contactAnswer, w *wanted) *provider.Failure {
	return held(reasonContactTaken, "contact code "+strconv.Quote(w.number)+" is in Xero that of "+strconv.Quote(string(found.Name))+
		", which has neither the e-mail nor the name of the shop's customer "+strconv.Quote(w.buyer.Name)+
		": if it is that customer, give the contact the customer's e-mail in Xero")
}
