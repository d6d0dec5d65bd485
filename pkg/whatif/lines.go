package whatif

import "slices"

// tables compares the lines of a document. Lines that are alike keep others apart; of
// what is between them the first is compared with the first, and what is left over on
// one side came or went.
func tables(a, b []any) []Change {
	as, bs := texts(a), texts(b)
	var all []Change
	i, j := 0, 0
	for _, same := range append(common(as, bs), [2]int{len(as), len(bs)}) {
		all = append(all, between(a, b, i, same[0], j, same[1])...)
		i, j = same[0]+1, same[1]+1
	}
	return all
}

// between compares the lines i to iEnd with the lines j to jEnd, none of which are alike.
func between(a, b []any, i, iEnd, j, jEnd int) []Change {
	var all []Change
	for i < iEnd || j < jEnd {
		switch {
		case i < iEnd && j < jEnd:
			all = append(all, values(Lines, j+1, "", a[i], b[j])...)
			i, j = i+1, j+1
		case i < iEnd:
			all = append(all, Change{Kind: Lines, Line: i + 1, Before: shown(a[i])})
			i++
		default:
			all = append(all, Change{Kind: Lines, Line: j + 1, After: shown(b[j])})
			j++
		}
	}
	return trimmed(all)
}

// trimmed takes the dot away that a line's fields begin with.
func trimmed(all []Change) []Change {
	for n := range all {
		if f := all[n].Field; f != "" && f[0] == '.' {
			all[n].Field = f[1:]
		}
	}
	return all
}

func texts(list []any) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = shown(v)
	}
	return all
}

// mostPairs bounds the comparison of every line with every other: beyond it only what
// is alike at both ends counts.
const mostPairs = 1 << 20

// common are the places of a longest common subsequence.
func common(a, b []string) [][2]int {
	var head, tail [][2]int
	lo := 0
	for ; lo < len(a) && lo < len(b) && a[lo] == b[lo]; lo++ {
		head = append(head, [2]int{lo, lo})
	}
	m, n := len(a), len(b)
	for m > lo && n > lo && a[m-1] == b[n-1] {
		m, n = m-1, n-1
		tail = append(tail, [2]int{m, n})
	}
	slices.Reverse(tail)
	if (m-lo)*(n-lo) <= mostPairs {
		head = append(head, middle(a, b, lo, m, n)...)
	}
	return append(head, tail...)
}

// middle is the textbook's table over a[lo:m] and b[lo:n].
func middle(a, b []string, lo, m, n int) [][2]int {
	width := n - lo + 1
	length := make([]int32, (m-lo+1)*width)
	at := func(i, j int) *int32 { return &length[(i-lo)*width+j-lo] }
	for i := m - 1; i >= lo; i-- {
		for j := n - 1; j >= lo; j-- {
			if a[i] == b[j] {
				*at(i, j) = *at(i+1, j+1) + 1
			} else {
				*at(i, j) = max(*at(i+1, j), *at(i, j+1))
			}
		}
	}
	var places [][2]int
	for i, j := lo, lo; i < m && j < n; {
		switch {
		case a[i] == b[j]:
			places = append(places, [2]int{i, j})
			i, j = i+1, j+1
		case *at(i+1, j) >= *at(i, j+1):
			i++
		default:
			j++
		}
	}
	return places
}
