package xero

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"towpath/pkg/provider"
)

// The size of one joint call: Xero advises about 50 elements and 3.5 MB, and
// takes no more than 10 MB.
const (
	maxElements   = 50
	maxBatchBytes = 3_500_000
)

// BatchSize is how many items are best given to EnsureInvoices and
// EnsureContacts at once: as many as go into one call.
func (c *Client) BatchSize() int { return maxElements }

// part is one item of a set on its way.
type part struct {
	at      int             // its place in the set
	number  string          // what its element in an answer bears
	element json.RawMessage // its element in a joint call; nil: it goes alone
	key     string          // its own idempotency key
	// mayExist: a call that held it was refused as a whole, and nobody promises
	// that nothing of that call was saved.
	mayExist bool
}

// batch carries a set through its calls. Every part gets an outcome of its own,
// and no call is made after one whose end says that calls are no use now.
type batch[T any] struct {
	client   *Client
	outcomes []provider.Outcome[T]
	stopped  error // why no more calls are made

	create request // the call that creates, without body and key
	list   string  // the list in its body and in its answer
	read   func(raw json.RawMessage) (element[T], error)
}

// end is the outcome of p.
func (b *batch[T]) end(p part, value T, err error) {
	if p.mayExist {
		err = provider.Doubted(err)
	}
	b.outcomes[p.at] = provider.Outcome[T]{Value: value, Err: err}
}

// endCall is the outcome of p's own call; it may stop the others.
func (b *batch[T]) endCall(p part, value T, err error) {
	b.end(p, value, err)
	if b.stopped == nil && provider.Halts(err) {
		b.stopped = err
	}
}

// fail is the end of a call that says the same of all its parts.
func (b *batch[T]) fail(parts []part, err error) {
	var none T
	for _, p := range parts {
		b.end(p, none, err)
	}
	b.stopped = err
}

// mayCall reports whether a call for parts may be made; if not, that is their
// outcome.
func (b *batch[T]) mayCall(parts ...part) bool {
	if b.stopped == nil {
		return true
	}
	var none T
	for _, p := range parts {
		b.end(p, none, provider.Unsent(b.stopped))
	}
	return false
}

// withoutDuplicates answers every part whose number an earlier one of the set has,
// so that no answer is ever taken for two: it comes again, and then the first
// is there to be compared with. Xero compares numbers without case.
func (b *batch[T]) withoutDuplicates(parts []part) []part {
	var none T
	var firsts []part
	seen := map[string]bool{}
	for _, p := range parts {
		if number := strings.ToLower(p.number); !seen[number] {
			seen[number] = true
			firsts = append(firsts, p)
			continue
		}
		b.end(p, none, &provider.Failure{Kind: provider.Temporary, Code: provider.CodeInternal,
			Message: "another item of the same set has the number " + strconv.Quote(p.number) + "; this one is sent after it"})
	}
	return firsts
}

// leftover is what the joint calls leave to be done.
type leftover struct {
	alone   []part        // they go by the way of a set of one
	refused []refusedPart // Xero refused their elements
}

type refusedPart struct {
	part
	failure *provider.Failure
}

// createAll sends parts in joint calls.
func (b *batch[T]) createAll(ctx context.Context, parts []part) leftover {
	var left leftover
	var joinable []part
	for _, p := range parts {
		if p.element == nil {
			left.alone = append(left.alone, p)
			continue
		}
		joinable = append(joinable, p)
	}
	for _, chunk := range chunks(joinable) {
		b.createBatch(ctx, chunk, &left)
	}
	return left
}

// chunks divides parts, in order, into what one call holds.
func chunks(parts []part) [][]part {
	var all [][]part
	size := 0
	for i, p := range parts {
		if i == 0 || len(all[len(all)-1]) == maxElements || size+len(p.element) >= maxBatchBytes {
			all, size = append(all, nil), 0
		}
		all[len(all)-1] = append(all[len(all)-1], p)
		size += len(p.element) + 1
	}
	return all
}
