package xero

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/provider"
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

// sighting is what a look-up shows of a part; nil where there is none.
type sighting struct {
	part
	found *invoiceAnswer
}

// lookUp looks parts up by number in as few calls as their length allows. Parts
// that could not be looked up have the failure as their outcome and are not
// returned.
func (s *invoiceSet) lookUp(ctx context.Context, parts []part) []sighting {
	var seen []sighting
	for _, chunk := range lookUpChunks(parts, maxNumbers, listed) {
		seen = append(seen, s.lookUpTogether(ctx, chunk)...)
	}
	return seen
}

// lookUpTogether makes one call for chunk. Where Xero takes offence at the query,
// each half is looked up by itself, down to single numbers.
func (s *invoiceSet) lookUpTogether(ctx context.Context, chunk []part) []sighting {
	if !s.mayCall(chunk...) {
		return nil
	}
	if len(chunk) == 1 {
		found, err := s.client.findInvoice(ctx, chunk[0].number)
		if err != nil {
			s.endCall(chunk[0], provider.Posted{}, err)
			return nil
		}
		return []sighting{{chunk[0], found}}
	}
	invoices, err := s.client.findInvoices(ctx, chunk)
	switch {
	case errors.Is(err, errNarrower):
		half := len(chunk) / 2
		return append(s.lookUpTogether(ctx, chunk[:half]), s.lookUpTogether(ctx, chunk[half:])...)
	case err != nil:
		s.fail(chunk, err)
		return nil
	}
	var seen []sighting
	for _, p := range chunk {
		seen = append(seen, sighting{p, withNumber(invoices, p.number)})
	}
	return seen
}

// errNarrower asks for a look-up of fewer numbers.
var errNarrower = errors.New("the look-up is to be divided")

// findInvoices reads every invoice that bears a number of parts, page by page.
func (c *Client) findInvoices(ctx context.Context, parts []part) ([]invoiceAnswer, error) {
	var numbers []string
	for _, p := range parts {
		numbers = append(numbers, p.number)
	}
	var all []invoiceAnswer
	for page := 1; page <= maxFindPages; page++ {
		found, err := c.findPage(ctx, strings.Join(numbers, ","), page)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(found) < findPageSize {
			return all, nil
		}
	}
	return nil, errNarrower
}

func (c *Client) findPage(ctx context.Context, numbers string, page int) ([]invoiceAnswer, error) {
	r := invoiceFind(url.Values{
		"InvoiceNumbers": {numbers}, "page": {strconv.Itoa(page)}, "pageSize": {strconv.Itoa(findPageSize)},
	})
	answer, err := c.send(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case answer.status == http.StatusNotFound:
		return nil, nil
	case answer.divisible():
		return nil, errNarrower
	case answer.status != http.StatusOK:
		return nil, classify(answer)
	}
	var said struct{ Invoices list[invoiceAnswer] }
	err = decode(r, []byte(answer.body), &said)
	return said.Invoices, err
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
