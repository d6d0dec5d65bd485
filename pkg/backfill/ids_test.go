package backfill_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/backfill"
)

func Test_IDs_are_read_in_every_way_that_people_write_them(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want int64
	}{
		"one":               {"7", 1},
		"range_and_one":     {"1-5000,7001", 5001},
		"blanks":            {" 1 , 3-4 ", 3},
		"lines":             {"1\n2\r\n\r\n5-6\n", 4},
		"byte_order_mark":   {"\ufeff12\n13", 2},
		"comments":          {"# of April\n1-3 # and the first\n", 3},
		"twice":             {"1-5,3,4-8,8", 8},
		"range_of_one":      {"9-9", 1},
		"last_there_can_be": {strconv.FormatInt(math.MaxInt64, 10), 1},
		"as_many_as_may_be": {"1-1000000", 1_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, err := backfill.ParseIDs(c.text)
			require.NoError(t, err)
			require.Equal(t, c.want, ids.Len())
		})
	}
}

func Test_IDs_that_mean_nothing_are_refused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, says string }{
		"empty":             {"", "there is no id"},
		"comment_alone":     {"# 1-3", "there is no id"},
		"word":              {"1,two", `"two" is no id`},
		"zero":              {"0", `"0" is no id`},
		"negative":          {"-5", `"-5" is no id`},
		"plus":              {"+5", `"+5" is no id`},
		"open_range":        {"5-", `"5-" is no id`},
		"three_ends":        {"1-2-3", `"1-2-3" is no id`},
		"decimal":           {"1.0", `"1.0" is no id`},
		"backwards":         {"9-3", `"9-3" ends before it begins`},
		"beyond_an_integer": {"9223372036854775808", "is no id"},
		"too_many":          {"1-1000001", "more than 1000000 ids"},
		"far_too_many":      {"1-9223372036854775807,1-9223372036854775807", "more than 1000000 ids"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := backfill.ParseIDs(c.text)
			require.ErrorContains(t, err, c.says)
		})
	}
}
