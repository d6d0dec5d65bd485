package magento

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func Test_said(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"message":"plain"}`:                                                             "plain",
		`{"message":"%1 and %2","parameters":["a",2]}`:                                    "a and 2",
		`{"message":"%1%10","parameters":[1,2,3,4,5,6,7,8,9,10]}`:                         "110",
		`{"message":"%field %fieldName","parameters":{"field":"a","fieldName":"%field"}}`: "a %field",
		`{"message":"%1","parameters":"odd"}`:                                             "%1",
		`{"message":7}`:                                                                   "",
		`[]`:                                                                              "",
		``:                                                                                "",
		`{"message":"%1%2%3","parameters":[null,true,{"a":[1]}]}`:                       `true{"a":[1]}`,
		`{"message":"100 % of %1 at %x","parameters":["it"]}`:                           "100 % of it at %x",
		`{"message":"%","parameters":{"":"x"}}`:                                         "%",
		`{"message":"\u001b[31mred\u202e\u2028\n%1","parameters":["\u0000\u200fa\tb"]}`: "[31mred a b",
		`oops`: "something that is not JSON: “oops”",
		"\nDeprecated: f() in /x.php\x1b[2J on line 3\n{\"email\":\"a@example.com\"}": "something that is not JSON: “Deprecated: f() in /x.php [2J on line 3”",
		`{"magento_id":1,"email":"a@exam`:                                             "something that is not JSON",
		`{"email":"a@example.com"} Notice: x {"email":`:                               "something that is not JSON: “Notice: x”",
		"\x00\u202e": "something that is not JSON",
		"<HTML><TITLE>\n Down \n for <b>us</b></TITLE>": "a page titled “Down for <b>us</b>”",
		"<title>unended": "something that is not JSON: “<title>unended”",
		`{"message":"` + strings.Repeat("é", 1500) + `"}`:  strings.Repeat("é", 998) + "…",
		`{"message":"x` + strings.Repeat("é", 1500) + `"}`: "x" + strings.Repeat("é", 998) + "…",
	} {
		require.Equal(t, want, answer{body: []byte(body)}.said(), body)
	}
}

// Whatever a server answers, judging it does not crash, and what is kept of it
// is bounded text.
func FuzzJudge(f *testing.F) {
	f.Add(404, `{"message":"%1","parameters":[1]}`, "7", "Wed, 29 Apr 2026 10:11:12 GMT")
	f.Add(503, `<title>x</title>`, "Wed, 29 Apr 2026 10:11:12 GMT", "")
	f.Add(401, "", "-1", "nonsense")
	now := time.Date(2026, 4, 29, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, body, retryAfter, date string) {
		a := answer{status: status, body: []byte(body), header: http.Header{"Retry-After": {retryAfter}, "Date": {date}}}
		failure := judge(a, now)
		require.Equal(t, status >= 200 && status < 300, failure == nil)
		_ = serverTime(a)
		if failure == nil {
			return
		}
		require.LessOrEqual(t, len(failure.Detail), maxDetail)
		require.True(t, utf8.ValidString(failure.Detail))
		require.GreaterOrEqual(t, failure.RetryAfter, time.Duration(0))
		require.LessOrEqual(t, failure.RetryAfter, maxRetryAfter)
		require.NotEmpty(t, failure.Code)
		require.NotEmpty(t, failure.Message)
	})
}
