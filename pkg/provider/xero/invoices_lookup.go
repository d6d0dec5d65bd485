package xero

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// The size of one look-up: an address that every proxy takes, and pages that
// stay far below maxAnswer. A number may be shown more than once, since bills of
// suppliers have numbers too.
const (
	maxNumbers     = 40
	maxNumberBytes = 4000
	findPageSize   = 100
	maxFindPages   = 20
)

// lookupResult is what a look-up shows of a part; nil where there is none.
type lookupResult struct {
	part
	found *documentAnswer
}

// lookUp says how documents of a kind are looked up by what their parts bear.
type lookUp struct {
	kind    kind
	most    int                       // in one call
	written func(key string) string   // as one stands among others in the query; empty where it cannot
	asked   func([]string) url.Values // the query for these
	pick    func(found []documentAnswer, key string) *documentAnswer
}

// lookUp looks parts up by number in as few calls as their length allows. Parts
// that could not be looked up have the failure as their outcome and are not
// returned.
func (b *batch[T]) lookUp(ctx context.Context, how lookUp, parts []part) []lookupResult {
	var seen []lookupResult
	for _, chunk := range lookUpChunks(parts, how.most, how.written) {
		seen = append(seen, b.lookUpBatch(ctx, how, chunk)...)
	}
	return seen
}

// lookUpBatch makes one call for chunk. Where Xero takes offence at the query,
// each half is looked up by itself, down to single numbers.
func (b *batch[T]) lookUpBatch(ctx context.Context, how lookUp, chunk []part) []lookupResult {
	if !b.mayCall(chunk...) {
		return nil
	}
	if len(chunk) == 1 {
		ctx := about(ctx, chunk[0])
		found, err := b.client.getDocuments(ctx, how.kind, how.asked([]string{chunk[0].number}))
		if err != nil {
			var none T
			b.endCall(chunk[0], none, err)
			return nil
		}
		return []lookupResult{{chunk[0], how.pick(found, chunk[0].number)}}
	}
	found, err := b.client.findDocuments(about(ctx, chunk...), how, chunk)
	switch {
	case errors.Is(err, errSplitQuery):
		half := len(chunk) / 2
		return append(b.lookUpBatch(ctx, how, chunk[:half]), b.lookUpBatch(ctx, how, chunk[half:])...)
	case err != nil:
		b.fail(chunk, err)
		return nil
	}
	var seen []lookupResult
	for _, p := range chunk {
		seen = append(seen, lookupResult{p, how.pick(found, p.number)})
	}
	return seen
}

// errSplitQuery asks for a look-up of fewer numbers.
var errSplitQuery = errors.New("the look-up is to be divided")

// findDocuments reads every document that bears what is asked for, page by page.
func (c *Client) findDocuments(ctx context.Context, how lookUp, parts []part) ([]documentAnswer, error) {
	var keys []string
	for _, p := range parts {
		keys = append(keys, p.number)
	}
	var all []documentAnswer
	for page := 1; page <= maxFindPages; page++ {
		found, err := c.findPage(ctx, how.kind, how.asked(keys), page)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(found) < findPageSize {
			return all, nil
		}
	}
	return nil, errSplitQuery
}

func (c *Client) findPage(ctx context.Context, k kind, query url.Values, page int) ([]documentAnswer, error) {
	r := k.find(query)
	r.query.Set("page", strconv.Itoa(page))
	r.query.Set("pageSize", strconv.Itoa(findPageSize))
	answer, err := c.send(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case answer.status == http.StatusNotFound:
		return nil, nil
	case answer.divisible():
		return nil, errSplitQuery
	case answer.status != http.StatusOK:
		return nil, classify(answer)
	}
	return listIn[documentAnswer](r, []byte(answer.body), k.list)
}

// listed is number as it stands in InvoiceNumbers; empty where it cannot.
func listed(number string) string {
	if !listable(number) {
		return ""
	}
	return number + ","
}

// lookUpChunks divides parts, in order, into what one look-up holds: at most so
// many, each as it is written in the query. One that cannot stand there beside
// others, written as nothing, is looked up alone.
func lookUpChunks(parts []part, most int, written func(number string) string) [][]part {
	var all [][]part
	size, open := 0, false
	for _, p := range parts {
		text := written(p.number)
		length := len(url.QueryEscape(text))
		if !open || text == "" || len(all[len(all)-1]) == most || size+length > maxNumberBytes {
			all, size = append(all, nil), 0
		}
		all[len(all)-1] = append(all[len(all)-1], p)
		size, open = size+length, text != ""
	}
	return all
}
