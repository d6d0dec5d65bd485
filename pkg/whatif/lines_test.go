package whatif

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_A_line_that_comes_or_goes_leaves_the_others_as_they_are(t *testing.T) {
	t.Parallel()
	changes := func(before, after string) []Change {
		all, err := bodies(Header, json.RawMessage(`{"Invoices":[{"Number":"7","Rows":`+before+`}]}`), json.RawMessage(`{"Invoices":[{"Number":"7","Rows":`+after+`}]}`))
		require.NoError(t, err)
		return all
	}
	const a, b, c, r = `{"A":1,"T":"x"}`, `{"A":2,"T":"x"}`, `{"A":3,"T":"x"}`, `{"A":0.01}`
	require.Empty(t, changes("["+a+","+b+"]", "["+a+","+b+"]"))
	require.Equal(t, []Change{{Kind: Lines, Line: 3, After: r}}, changes("["+a+","+b+"]", "["+a+","+b+","+r+"]"))
	require.Equal(t, []Change{{Kind: Lines, Line: 2, After: b}}, changes("["+a+","+c+"]", "["+a+","+b+","+c+"]"))
	require.Equal(t, []Change{{Kind: Lines, Line: 1, Before: a}, {Kind: Lines, Line: 3, After: r}}, changes("["+a+","+b+","+c+"]", "["+b+","+c+","+r+"]"))
	require.Equal(t, []Change{{Kind: Lines, Line: 2, Field: "T", Before: "x", After: "y"}}, changes("["+a+","+b+"]", "["+a+`,{"A":2,"T":"y"}]`))
	require.Equal(t, []Change{{Kind: Lines, Line: 1, Field: "A", Before: "1", After: "4"}, {Kind: Lines, Line: 1, Field: "T", Before: "x"}}, changes("["+a+"]", `[{"A":4}]`))
}
