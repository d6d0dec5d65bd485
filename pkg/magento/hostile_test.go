package magento_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
)

// hostile are answers that grow when they are read naively, or that a terminal
// obeys. None is longer than some megabytes.
func hostile() map[string]string {
	long := strings.Repeat("A", 150_000)
	marks := "\x1b]0;x\x07\\u001b[31m\u202egnp.exe\u2066\\u202e\\u0000\\u2028\u2029\\ud800\u009b"
	return map[string]string{
		"a message of %1 with a long parameter":    `{"message":"` + strings.Repeat("%1", 75_000) + `","parameters":["` + long + `"]}`,
		"a message of %name with a long parameter": `{"message":"` + strings.Repeat("%a", 75_000) + `","parameters":{"a":"` + long + `"}}`,
		"parameters that name each other":          `{"message":"%1","parameters":["` + strings.Repeat("%2", 1000) + `","` + strings.Repeat("%1", 1000) + `"]}`,
		"a great many parameters":                  `{"message":"%1","parameters":[` + strings.Repeat("1,", 490_000) + `1]}`,
		"a great many named parameters":            `{"message":"%1","parameters":{` + strings.Repeat(`"a":1,`, 160_000) + `"b":1}}`,
		"parameters nested deep":                   `{"message":"%1%1","parameters":[` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `]}`,
		"a parameter whose name is all":            `{"message":"%` + long + `","parameters":{"` + long + `":"x"}}`,
		"empty parameters":                         `{"message":"` + strings.Repeat("%1", 400_000) + `","parameters":[""]}`,
		"a long message":                           `{"message":"` + strings.Repeat("long ", 190_000) + `"}`,
		"marks in a message":                       `{"message":"` + strings.ReplaceAll(strings.ReplaceAll(marks, "\x1b", `\u001b`), "\x07", `\u0007`) + `%1","parameters":["` + `\u001b[2J\u202e` + `"]}`,
		"marks in a page":                          "<title>" + marks + "</title>",
		"marks in front of nothing":                marks + strings.Repeat(marks, 1000),
		"bytes that are no text":                   strings.Repeat("\xff\xfe\x00", 100_000),
		"a great many titles":                      strings.Repeat("<title>", 100_000),
		"a long answer":                            strings.Repeat("[", 3<<20),
	}
}

// Test_What_a_shop_says_is_bounded_and_harmless runs alone: it counts what is
// allocated. Each answer is read as a document, as a refusal, and twice where the token is refused.
func Test_What_a_shop_says_is_bounded_and_harmless(t *testing.T) {
	b := setup(t)
	for name, body := range hostile() {
		for _, status := range []int{200, 400, 401} {
			t.Run(fmt.Sprintf("%d_%s", status, name), func(t *testing.T) {
				over := b.shop.Outage(magentosim.Answers(status, body))
				defer over()
				client := b.fresh(t)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _, err := client.Invoice(t.Context(), 1)
				runtime.ReadMemStats(&after)
				harmless(t, err)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "two answers, the simulated shop's own work included")
			})
		}
	}
}

// harmless demands that what is kept of an error can be shown anywhere.
func harmless(t *testing.T, err error) {
	t.Helper()
	f := failureOf(t, err)
	require.LessOrEqual(t, len(f.Detail), 2100, f.Message)
	for _, text := range []string{f.Message, f.Detail, err.Error()} {
		require.LessOrEqual(t, len(text), 8000)
		require.True(t, utf8.ValidString(text))
		for _, r := range text {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029', "%U in %q", r, text)
		}
	}
}

func Test_A_secret_is_found_behind_what_is_invisible(t *testing.T) {
	t.Parallel()
	b := setup(t)
	split := apiKey[:10] + "\u200b" + apiKey[10:]
	for _, body := range []string{
		`{"message":"` + split + `"}`,
		`{"message":"%1` + apiKey[20:] + `","parameters":["` + apiKey[:20] + `"]}`,
		`{"message":"` + strings.Repeat("x", 7_970) + apiKey + `"}`, // cut in the middle of what is looked at
		`{"message":"` + strings.Repeat("key "+apiKey+" ", 200) + apiKey + `"}`,
		"Warning: " + split,
	} {
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(400, body))
		_, _, err := b.client.Invoice(t.Context(), 1)
		f := failureOf(t, err)
		require.NotContains(t, f.Detail, apiKey[:12])
	}
}

func Test_An_answer_that_begins_with_a_byte_order_mark_is_read(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, mark := range []string{"\ufeff", "\ufeff\ufeff\n"} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(mark)) // as a PHP file that was saved with one does
			b.shop.ServeHTTP(dropsLength{w}, r)
		}))
		t.Cleanup(front.Close)
		cfg := b.cfg
		cfg.BaseURL = front.URL
		raw, inv, err := newClient(t, cfg).Invoice(t.Context(), 1)
		require.NoError(t, err)
		require.EqualValues(t, 1, inv.MagentoID)
		require.NotContains(t, string(raw), "\ufeff")
		require.NoError(t, newClient(t, cfg).PushSyncState(t.Context(), synced()))
		_, err = newClient(t, cfg).Ping(t.Context())
		require.NoError(t, err)
	}
	b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(404, "\ufeff"+`{"message":"No such entity"}`))
	_, _, err := b.client.Invoice(t.Context(), 1)
	gone.saying("No such entity").check(t, "404", err)
}

// dropsLength lets something be written before a handler's answer.
type dropsLength struct{ http.ResponseWriter }

func (w dropsLength) WriteHeader(int) { w.Header().Del("Content-Length") }

func Test_The_first_words_of_what_is_not_JSON_are_shown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(200, "<br />\n<b>Deprecated</b>: strlen() in /var/www/app.php on line 7<br />\n"+`{"magento_id":1,"customer":{"email":"buyer@example.com"}}`))
	_, _, err := b.client.Invoice(t.Context(), 1)
	temporary.saying("<b>Deprecated</b>: strlen() in /var/www/app.php on line 7").check(t, "notice", err)
	require.NotContains(t, err.Error(), "buyer@")
}

func Test_A_401_over_plain_http_names_https_before_the_keys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.Inject(magentosim.RouteInvoice, magentosim.Unauthorized(), magentosim.Unauthorized())
	_, _, err := b.client.Invoice(t.Context(), 1)
	auth.saying("https").check(t, "over http", err)
	require.Less(t, strings.Index(err.Error(), "https://"), strings.Index(err.Error(), "pair the shop again"))

	secure := httptest.NewTLSServer(b.shop)
	t.Cleanup(secure.Close)
	cfg := b.cfg
	cfg.BaseURL, cfg.HTTP = secure.URL, secure.Client()
	b.shop.Inject(magentosim.RouteInvoice, magentosim.Unauthorized(), magentosim.Unauthorized())
	_, _, err = newClient(t, cfg).Invoice(t.Context(), 1)
	auth.saying("refuses our key; pair the shop again").check(t, "over https", err)
	require.NotContains(t, err.Error(), "http")
}

func Test_What_a_shop_writes_into_a_document_is_visible(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw, _, err := b.client.Invoice(t.Context(), 1)
	require.NoError(t, err)
	dirty := strings.Replace(string(raw), `"Rope"`, `"Ro\u202epe\u001b[31m\u0000`+"\u200f"+`"`, 1)
	require.NotEqual(t, string(raw), dirty)
	b.shop.Inject(magentosim.RouteInvoice, magentosim.Answers(200, dirty))
	raw, inv, err := b.client.Invoice(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "Rope [31m ", inv.Lines[0].Name)
	require.NotContains(t, string(raw), `\u202e`)
	require.NotContains(t, string(raw), "\u200f")
}
