package xero

import (
	"context"

	"towpath/pkg/provider"
)

// invoiceSet carries a set of documents through its calls: those that may exist
// are looked up together, what is missing is created together, what Xero says is
// taken is looked up together.
type invoiceSet struct {
	batch[provider.Posted]
	set []provider.Item[provider.Document]
}

func (c *Client) ensureInvoicesTogether(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted] {
	s := &invoiceSet{set: set, batch: batch[provider.Posted]{
		client: c, outcomes: make([]provider.Outcome[provider.Posted], len(set)),
		create: invoiceCreate(), list: "Invoices", read: readInvoice,
	}}
	missing := s.adoptKnown(ctx, s.withoutTwins(s.parts()))
	left := s.createAll(ctx, missing)
	for _, p := range left.alone {
		if s.mayCall(p) {
			posted, err := c.createInvoice(ctx, set[p.at].Value, set[p.at].Try)
			s.endCall(p, posted, err)
		}
	}
	s.adoptTaken(ctx, left.refused)
	return s.outcomes
}

func (s *invoiceSet) parts() []part {
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
// returns the others, in order, that are to be created.
func (s *invoiceSet) adoptKnown(ctx context.Context, parts []part) []part {
	var unsure []part
	for _, p := range parts {
		if s.set[p.at].Try.Uncertain {
			unsure = append(unsure, p)
		}
	}
	absent := map[int]bool{}
	for _, seen := range s.lookUp(ctx, unsure) {
		if absent[seen.at] = seen.found == nil; seen.found != nil {
			s.adopt(seen)
		}
	}
	var missing []part
	for _, p := range parts {
		if !s.set[p.at].Try.Uncertain || absent[p.at] {
			missing = append(missing, p)
		}
	}
	return missing
}

// adoptTaken ends the documents that Xero refused: where it says that the number
// is taken, by what bears it.
func (s *invoiceSet) adoptTaken(ctx context.Context, refused []refusedPart) {
	var taken []part
	for _, r := range refused {
		if r.failure.Reason == reasonNumberTaken {
			taken = append(taken, r.part)
		}
	}
	for _, seen := range s.lookUp(ctx, taken) {
		if seen.found == nil {
			s.end(seen.part, provider.Posted{}, takenUnseen(seen.number))
			continue
		}
		s.adopt(seen)
	}
}

func (s *invoiceSet) adopt(seen sighting) {
	posted, err := adopt(seen.found, s.set[seen.at].Value, nil)
	s.end(seen.part, posted, err)
}
