package xero

import (
	"context"
	"slices"

	"towpath/pkg/provider"
)

// documentSet carries a set of documents through its calls: those that may exist
// are looked up together, what is missing is created together, what Xero says is
// taken is looked up together.
type documentSet struct {
	batch[provider.Posted]
	kind kind
	set  []provider.Item[provider.Document]
	gone map[int][]string // the item codes that Xero did not know, by the place in the set
}

func (c *Client) ensureDocumentBatch(ctx context.Context, k kind, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	s := &documentSet{set: slices.Clone(set), kind: k, gone: map[int][]string{}, batch: batch[provider.Posted]{
		client: c, outcomes: make([]provider.Outcome[provider.Posted], len(set)),
		create: k.create(), list: k.list, read: k.read,
	}}
	missing := s.adoptKnown(ctx, s.withoutDuplicates(s.parts()))
	left := s.createAll(ctx, missing)
	refused := s.createAlone(ctx, left)
	if bare, others := s.withoutItems(refused); len(bare) > 0 {
		refused = append(others, s.createAlone(ctx, s.createAll(ctx, bare))...)
	}
	s.adoptTaken(ctx, refused)
	for at, gone := range s.gone {
		s.outcomes[at].Value.GoneItems = gone
	}
	return s.outcomes
}

// createAlone sends what goes by itself, and answers what was refused by then.
func (s *documentSet) createAlone(ctx context.Context, left leftover) []refusedPart {
	refused := left.refused
	for _, p := range left.alone {
		if !s.mayCall(p) {
			continue
		}
		posted, err := s.client.createDocument(about(ctx, p), s.kind, s.set[p.at].Value, s.set[p.at].Try)
		s.endCall(p, posted, err)
		if len(goneItems(err)) > 0 {
			refused = append(refused, refusedPart{p, provider.AsFailure(err)})
		}
	}
	return refused
}

func (s *documentSet) parts() []part {
	parts := make([]part, len(s.set))
	for i, item := range s.set {
		doc := item.Value
		parts[i] = part{at: i, number: doc.Number, key: item.Try.Key}
		if doc.Number != "" {
			parts[i].element = loneElement(doc.Body, s.list)
		}
	}
	return parts
}

// adoptKnown looks up the parts that may exist and adopts those that do. It
// returns the others, in order, as far as they are to be created.
func (s *documentSet) adoptKnown(ctx context.Context, parts []part) []part {
	looked := func(p part) bool { return s.set[p.at].Try.Uncertain || s.set[p.at].Try.Look }
	var unsure []part
	for _, p := range parts {
		if looked(p) {
			unsure = append(unsure, p)
		}
	}
	absent := map[int]bool{}
	for _, seen := range s.lookUp(ctx, s.kind.byNumber(), unsure) {
		switch {
		case seen.found != nil:
			s.adopt(seen)
		case s.set[seen.at].Try.Look:
			s.end(seen.part, provider.Posted{Absent: true}, nil)
		default:
			absent[seen.at] = true
		}
	}
	var missing []part
	for _, p := range parts {
		if !looked(p) || absent[p.at] {
			missing = append(missing, p)
		}
	}
	return missing
}

// adoptTaken ends the documents that Xero refused: where it says that the number
// is taken, by what bears it. As long as that cannot be looked at, it may be ours.
func (s *documentSet) adoptTaken(ctx context.Context, refused []refusedPart) {
	var taken []part
	doubted := map[int]bool{}
	for _, r := range refused {
		if r.failure.Reason == reasonNumberTaken {
			doubted[r.at], r.mayExist = r.mayExist, true
			taken = append(taken, r.part)
		}
	}
	for _, seen := range s.lookUp(ctx, s.kind.byNumber(), taken) {
		if seen.mayExist = doubted[seen.at]; seen.found == nil {
			s.end(seen.part, provider.Posted{}, s.kind.takenUnseen(seen.number))
			continue
		}
		s.adopt(seen)
	}
}

func (s *documentSet) adopt(seen lookupResult) {
	posted, err := s.kind.adopt(seen.found, s.set[seen.at].Value, nil)
	s.end(seen.part, posted, err)
}
