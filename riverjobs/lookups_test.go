package riverjobs

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/recorder"
)

func Test_Group_of_lookups_that_fails_leaves_the_others_their_answers(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	asked := map[int][]int{}
	do := grouped(func(n int) int { return n / 10 }, func(_ context.Context, group int, set []int) (map[int]string, error) {
		asked[group] = set
		if group == 1 {
			return nil, away
		}
		return map[int]string{set[0]: "found"}, nil
	})
	require.Equal(t, []recorder.Answer[string]{
		{Value: "found"}, {Err: away}, {}, {Err: away}, {Value: "found"},
	}, do(t.Context(), []int{1, 10, 2, 11, 20}, nil), "in the order of the questions; what is not there is nothing, and no error")
	require.Equal(t, map[int][]int{0: {1, 2}, 1: {10, 11}, 2: {20}}, asked, "a query for each group")
}
