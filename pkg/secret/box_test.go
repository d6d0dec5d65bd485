package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func newKeyText(t testing.TB) string {
	raw := make([]byte, keyBytes)
	_, err := rand.Read(raw)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(raw)
}

func mustBox(t testing.TB, value string) *Box {
	box, err := ParseKeys(value)
	require.NoError(t, err)
	return box
}

func TestBox_opens_what_it_sealed(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newKeyText(t))
	for _, plaintext := range []string{"", "x", strings.Repeat("secret", 1000)} {
		sealed := box.Seal([]byte(plaintext), "place")
		opened, err := box.Open(sealed, "place")
		require.NoError(t, err)
		require.Equal(t, plaintext, string(opened))
		if len(plaintext) > 8 { // a shorter one stands in random bytes by chance
			require.NotContains(t, string(sealed), plaintext[:8])
		}
	}
}

func TestBox_seals_the_same_value_differently_each_time(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newKeyText(t))
	require.NotEqual(t, box.Seal([]byte("value"), "place"), box.Seal([]byte("value"), "place"))
}

func TestBox_refuses_a_change_of_any_bit(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newKeyText(t))
	sealed := box.Seal([]byte("value"), "place")
	for i := range sealed {
		for bit := range 8 {
			changed := append([]byte(nil), sealed...)
			changed[i] ^= 1 << bit
			_, err := box.Open(changed, "place")
			require.Error(t, err, "byte %d bit %d", i, bit)
		}
	}
	for n := range len(sealed) {
		_, err := box.Open(sealed[:n], "place")
		require.Error(t, err, "cut to %d bytes", n)
	}
	_, err := box.Open(append(sealed, 0), "place")
	require.ErrorIs(t, err, ErrNotOpened)
}

func TestBox_refuses_another_place(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newKeyText(t))
	sealed := box.Seal([]byte("value"), Place(TenantAPIKey, "a"))
	for _, aad := range []string{"", Place(TenantAPIKey, "b"), Place(BindingToken, "a")} {
		_, err := box.Open(sealed, aad)
		require.ErrorIs(t, err, ErrNotOpened)
	}
}

func TestBox_refuses_an_unknown_key_by_name(t *testing.T) {
	t.Parallel()
	mine, other := mustBox(t, newKeyText(t)), mustBox(t, newKeyText(t))
	_, err := other.Open(mine.Seal([]byte("value"), "place"), "place")
	require.ErrorIs(t, err, ErrUnknownKey)
	require.ErrorContains(t, err, mine.Current().String())
}

func TestBox_rotation_seals_with_the_first_key_and_opens_with_both(t *testing.T) {
	t.Parallel()
	oldText, newText := newKeyText(t), newKeyText(t)
	before := mustBox(t, oldText)
	sealed := before.Seal([]byte("value"), "place")

	during := mustBox(t, newText+" , "+oldText+"\n")
	opened, err := during.Open(sealed, "place")
	require.NoError(t, err)
	require.Equal(t, "value", string(opened))
	by, err := SealedBy(sealed)
	require.NoError(t, err)
	require.Equal(t, before.Current(), by)
	require.NotEqual(t, during.Current(), by)

	after := mustBox(t, newText)
	resealed := during.Seal(opened, "place")
	opened, err = after.Open(resealed, "place")
	require.NoError(t, err)
	require.Equal(t, "value", string(opened))
	_, err = before.Open(resealed, "place")
	require.ErrorIs(t, err, ErrUnknownKey)
}

// The envelope is on disk: its form may not change under a version.
func TestBox_envelope_has_the_documented_form(t *testing.T) {
	t.Parallel()
	raw := []byte(strings.Repeat("k", keyBytes))
	box := mustBox(t, base64.StdEncoding.EncodeToString(raw))
	sealed := box.Seal([]byte("value"), "place")
	sum := sha256.Sum256(raw)
	require.Equal(t, byte(1), sealed[0])
	require.Equal(t, sum[:4], sealed[1:5])
	require.Len(t, sealed, 1+4+12+len("value")+16)
}

func TestParseKeys_refusals_say_how_and_show_nothing(t *testing.T) {
	t.Parallel()
	good := newKeyText(t)
	short := base64.StdEncoding.EncodeToString([]byte("sixteen bytes 16"))
	for name, c := range map[string]struct{ value, want string }{
		"empty":          {"", "empty"},
		"blank":          {" \n", "empty"},
		"not_base64":     {"hunter2-hunter2", "not base64"},
		"url_base64":     {strings.Repeat("_-", 21) + "8=", "not base64"},
		"hex":            {strings.Repeat("ab", 32), "48 bytes"},
		"too_short":      {short, "16 bytes instead of 32"},
		"second_missing": {good + ",", "key 2 of 2"},
		"second_bad":     {good + "," + short, "key 2 of 2"},
		"twice_the_same": {good + "," + good, "same as key 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseKeys(c.value)
			require.ErrorContains(t, err, c.want)
			if name != "twice_the_same" {
				require.ErrorContains(t, err, "openssl rand -base64 32")
			}
			for _, part := range strings.Split(c.value, ",") {
				if part = strings.TrimSpace(part); part != "" {
					require.NotContains(t, err.Error(), part)
				}
			}
		})
	}
}

func TestBox_prints_no_key(t *testing.T) {
	t.Parallel()
	box := mustBox(t, newKeyText(t))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "secret.Box", fmt.Sprintf(verb, box))
	}
}

func FuzzBox_Open(f *testing.F) {
	box := mustBox(f, newKeyText(f))
	f.Add([]byte{}, "")
	f.Add(box.Seal([]byte("value"), "other place"), "place")
	f.Fuzz(func(t *testing.T, sealed []byte, aad string) {
		if aad == "other place" {
			return
		}
		_, err := box.Open(sealed, aad)
		require.Error(t, err, "forged")
	})
}
