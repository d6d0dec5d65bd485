package backfill

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// mostIDs is how many ids one request may ask for: beyond that a slip of the finger
// is likelier than a shop of that size.
const mostIDs = 1_000_000

// IDs are ids of a shop's entities, in order and each once.
type IDs struct{ ranges []span }

// span is first to last, both included.
type span struct{ first, last int64 }

// ParseIDs reads ids and ranges of them, `1-5000,7001`, with commas, blanks or line
// breaks between them; what follows a # on a line is a comment. Ids are above zero.
func ParseIDs(text string) (IDs, error) {
	var spans []span
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }) {
			s, err := parseSpan(word)
			if err != nil {
				return IDs{}, err
			}
			spans = append(spans, s)
		}
	}
	ids := IDs{ranges: merged(spans)}
	switch n := ids.Len(); {
	case n == 0:
		return IDs{}, fmt.Errorf("there is no id; write them as 1-5000,7001")
	case n > mostIDs:
		return IDs{}, fmt.Errorf("there are more than %d ids; ask for them in parts", mostIDs)
	}
	return ids, nil
}

func parseSpan(word string) (span, error) {
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	first, err := parseID(from)
	if err != nil {
		return span{}, fmt.Errorf("%q is no id and no range of ids; write them as 1-5000,7001", word)
	}
	last, err := parseID(to)
	if err != nil {
		return span{}, fmt.Errorf("%q is no id and no range of ids; write them as 1-5000,7001", word)
	}
	if last < first {
		return span{}, fmt.Errorf("the range %q ends before it begins", word)
	}
	return span{first, last}, nil
}

func parseID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (id <= 0 || text[0] == '+') {
		err = strconv.ErrRange
	}
	return id, err
}

// merged are the spans in order, none touching the next.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.first-1 <= out[n-1].last {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Len is how many there are, at most math.MaxInt64.
func (ids IDs) Len() int64 {
	n := int64(0)
	for _, s := range ids.ranges {
		more := s.last - s.first + 1
		if n > math.MaxInt64-more {
			return math.MaxInt64
		}
		n += more
	}
	return n
}

// sets are all ids, in order, at most so many at a time.
func (ids IDs) sets(size int) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) {
		var set []int64
		for _, s := range ids.ranges {
			for id := s.first; ; id++ {
				if set = append(set, id); len(set) == size {
					if !yield(set) {
						return
					}
					set = nil
				}
				if id == s.last { // beyond the last int64 there is none to compare with
					break
				}
			}
		}
		if len(set) > 0 {
			yield(set)
		}
	}
}
