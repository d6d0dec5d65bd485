package shopjwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// handmade signs a header and a payload as they stand.
func handmade(t *testing.T, header, payload string) string {
	t.Helper()
	key, err := subkey(apiKey, outbound)
	require.NoError(t, err)
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Test_Names_are_exact: of two readers of one token neither may see another claim
// than the other.
func Test_Names_are_exact(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(claimsWith(nil))
	require.NoError(t, err)
	good := string(raw)
	const usual = `{"alg":"HS256","typ":"JWT"}`
	accepted := func(t *testing.T, ok bool, header, payload string) {
		t.Helper()
		_, err := Verify(apiKey, tenant, handmade(t, header, payload), now)
		if ok {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, ErrInvalid)
	}
	t.Run("Accepted_as_it_is", func(t *testing.T) { accepted(t, true, usual, good) })
	for _, name := range []string{"iss", "sub", "aud", "iat", "nbf", "exp", "jti"} {
		for _, other := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], name + " ", strings.ReplaceAll(name, "s", "ſ"), strings.ReplaceAll(name, "i", "İ")} {
			if other == name {
				continue
			}
			t.Run("Refused_with_"+other+"_for_"+name, func(t *testing.T) {
				accepted(t, false, usual, strings.Replace(good, `"`+name+`"`, `"`+other+`"`, 1))
			})
			t.Run("Accepted_with_"+other+"_beside_"+name, func(t *testing.T) {
				accepted(t, true, usual, `{"`+other+`":"other",`+good[1:])
			})
		}
		t.Run("Refused_with_"+name+"_twice", func(t *testing.T) {
			accepted(t, false, usual, good[:len(good)-1]+`,"`+name+`":`+value(t, good, name)+`}`)
			accepted(t, false, usual, `{"`+name+`":null,`+good[1:])
			accepted(t, false, usual, fmt.Sprintf(`{"\u%04x%s":1,`, name[0], name[1:])+good[1:])
		})
		t.Run("Refused_with_null_for_"+name, func(t *testing.T) {
			accepted(t, false, usual, strings.Replace(good, `"`+name+`":`+value(t, good, name), `"`+name+`":null`, 1))
		})
	}
	for name, header := range map[string]string{
		"alg in upper case": `{"ALG":"HS256","typ":"JWT"}`,
		"alg twice":         `{"alg":"HS256","alg":"HS256"}`,
		"another alg first": `{"alg":"none","alg":"HS256"}`,
		"Crit":              `{"alg":"HS256","crit":["x"],"Crit":[]}`,
		"something behind":  `{"alg":"HS256"}{}`,
		"a list":            `["HS256"]`,
	} {
		t.Run("Refused_with_header_of_"+name, func(t *testing.T) { accepted(t, false, header, good) })
	}
	t.Run("Refused_with_something_behind_the_claims", func(t *testing.T) {
		accepted(t, false, usual, good+`{}`)
		accepted(t, false, usual, `[`+good+`]`)
	})
}

// value is a claim's JSON.
func value(t *testing.T, claims, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(claims), &all))
	return string(all[name])
}
