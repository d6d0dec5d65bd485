package oauth_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"towpath/pkg/oauth"
)

// visible demands that a text can be shown anywhere.
func visible(t *testing.T, text string, most int) {
	t.Helper()
	require.LessOrEqual(t, len(text), most)
	require.False(t, strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' }), "%q", text)
}

func Test_What_an_identity_server_says_is_bounded_and_harmless(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef"
	for _, said := range []string{
		"\x1b[31mred\u202egnp\u2066\u2028\x00\u009b", strings.Repeat("A ", 1<<20), strings.Repeat("A", 1<<20), "\xff\xfe",
		"bad key " + key, "bad key " + key[:8] + "\u200b" + key[8:],
	} {
		kept := oauth.Words(said, []string{key})
		visible(t, kept, 300)
		require.NotContains(t, kept, key)
	}

	marks := `\u001b[31mred\u202e`
	many := strings.Repeat(`{"tenantId":"id-1","tenantType":"ORGANISATION","tenantName":"`+marks+strings.Repeat("N", 500)+`"},`, 1_000)
	named, err := oauth.Organisations("xero", []byte("["+many+`{"tenantId":"a\u001bb","tenantType":"ORGANISATION"},{"tenantId":"`+strings.Repeat("x", 1000)+`","tenantType":"ORGANISATION"}]`))
	require.NoError(t, err)
	visible(t, named, 2000)
	require.Contains(t, named, "and 990 more", "and none whose id is none")
	_, err = oauth.Organisations("freeagent", fmt.Appendf(nil, `{"company":{"id":%s,"name":"x"}}`, strings.Repeat("9", 1000)))
	require.ErrorContains(t, err, "is none")
}
