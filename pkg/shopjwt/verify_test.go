package shopjwt

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"
)

const tenant = "7d3c1c3e-5f0a-4f5e-9d5e-0a6b1c2d3e4f"

var (
	apiKey = strings.Repeat("0123456789abcdef", 4)
	now    = time.Unix(1790000000, 250e6)
)

// claimsWith are good claims with some replaced; a nil value removes one.
func claimsWith(change map[string]any) map[string]any {
	c := map[string]any{
		"iss": "magento", "sub": tenant, "aud": "byte8-ledger", "jti": "id-1",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + 60,
	}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func signed(t testing.TB, claims any, headers map[string]any) string {
	key, err := subkey(apiKey, outbound)
	require.NoError(t, err)
	h := jws.NewHeaders()
	for name, value := range headers {
		require.NoError(t, h.Set(name, value))
	}
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, key, jws.WithProtectedHeaders(h)))
	require.NoError(t, err)
	return string(token)
}

func TestVerify_of_signed_claims(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) int64 { return now.Unix() + seconds }
	for _, c := range []struct {
		name   string
		change map[string]any
		want   error
	}{
		{"Accepted_as_the_shop_mints_it", nil, nil},
		{"Accepted_with_aud_as_array_of_one", map[string]any{"aud": []string{"byte8-ledger"}}, nil},
		{"Accepted_with_sub_in_upper_case", map[string]any{"sub": strings.ToUpper(tenant)}, nil},
		{"Accepted_with_unknown_claim", map[string]any{"scope": "x"}, nil},
		{"Accepted_at_the_longest_lifetime", map[string]any{"exp": at(300)}, nil},
		{"Refused_one_second_above_it", map[string]any{"exp": at(301)}, ErrInvalid},
		{"Refused_when_exp_is_iat", map[string]any{"exp": at(0)}, ErrInvalid},
		{"Refused_with_two_audiences", map[string]any{"aud": []string{"byte8-ledger", "other"}}, ErrInvalid},
		{"Refused_with_no_audience_in_array", map[string]any{"aud": []string{}}, ErrInvalid},
		{"Refused_without_aud", map[string]any{"aud": nil}, ErrInvalid},
		{"Refused_without_iss", map[string]any{"iss": nil}, ErrInvalid},
		{"Refused_without_sub", map[string]any{"sub": nil}, ErrInvalid},
		{"Refused_without_iat", map[string]any{"iat": nil}, ErrInvalid},
		{"Refused_without_nbf", map[string]any{"nbf": nil}, ErrInvalid},
		{"Refused_with_fractional_iat", map[string]any{"iat": 1790000000.5}, ErrInvalid},
		{"Refused_with_hostile_times", map[string]any{"iat": int64(-1 << 62), "exp": int64(1 << 62)}, ErrInvalid},
		{"Refused_when_never_valid", map[string]any{"nbf": at(60)}, ErrInvalid},
		{"Refused_with_long_jti", map[string]any{"jti": strings.Repeat("a", 65)}, ErrInvalid},
		{"Refused_with_nul_in_jti", map[string]any{"jti": "a\x00b"}, ErrInvalid},
		{"Refused_with_number_as_jti", map[string]any{"jti": 7}, ErrInvalid},
		{"Accepted_120_s_early", map[string]any{"iat": at(120), "nbf": at(120), "exp": at(180)}, nil},
		{"Skewed_121_s_early", map[string]any{"iat": at(121), "nbf": at(121), "exp": at(181)}, ErrClockSkew},
		{"Accepted_119_s_after_exp", map[string]any{"iat": at(-179), "nbf": at(-179), "exp": at(-119)}, nil},
		{"Skewed_120_s_after_exp", map[string]any{"iat": at(-180), "nbf": at(-180), "exp": at(-120)}, ErrClockSkew},
		{"Skewed_only_nbf_early", map[string]any{"nbf": at(121), "exp": at(200)}, ErrClockSkew},
		{"Refused_skewed_and_wrong_sub", map[string]any{"iat": at(600), "nbf": at(600), "exp": at(660), "sub": "x"}, ErrInvalid},
		{"Refused_skewed_and_no_jti", map[string]any{"iat": at(600), "nbf": at(600), "exp": at(660), "jti": nil}, ErrInvalid},
		{"Refused_skewed_and_too_long", map[string]any{"iat": at(600), "nbf": at(600), "exp": at(1600)}, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Verify(apiKey, tenant, signed(t, claimsWith(c.change), map[string]any{"typ": "JWT"}), now)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestVerify_of_header(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		headers map[string]any
		ok      bool
	}{
		{"Accepted_without_typ", nil, true},
		{"Accepted_with_kid", map[string]any{"kid": "1"}, true},
		{"Refused_with_crit", map[string]any{"crit": []string{"exp"}}, false},
		{"Refused_with_other_typ", map[string]any{"typ": "at+jwt"}, false},
		{"Refused_with_b64", map[string]any{"b64": true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Verify(apiKey, tenant, signed(t, claimsWith(nil), c.headers), now)
			if c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrInvalid)
			}
		})
	}
}

// A header that names another algorithm over a signature that is right for
// HS256: the library alone accepts it.
func TestVerify_refuses_lying_alg(t *testing.T) {
	t.Parallel()
	key, err := subkey(apiKey, outbound)
	require.NoError(t, err)
	payload, err := json.Marshal(claimsWith(nil))
	require.NoError(t, err)
	for _, alg := range []string{"HS512", "none", "RS256", "hs256", ""} {
		token := rawHS256(key, fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, alg), payload)
		_, err := Verify(apiKey, tenant, token, now)
		require.ErrorIs(t, err, ErrInvalid, alg)
	}
	_, err = Verify(apiKey, tenant, rawHS256(key, `{"typ":"JWT","alg":"HS256"}`, payload), now)
	require.NoError(t, err, "the hand-made signature is right")
}

func TestVerify_refuses_bad_forms(t *testing.T) {
	t.Parallel()
	good := signed(t, claimsWith(nil), nil)
	s := strings.Split(good, ".")
	for name, token := range map[string]string{
		"too long":        good + strings.Repeat("A", maxToken),
		"four segments":   good + ".e30",
		"padding":         s[0] + "." + s[1] + "." + s[2] + "=",
		"line break":      s[0] + ".\n" + s[1] + "." + s[2],
		"JSON form":       `{"payload":"` + s[1] + `","protected":"` + s[0] + `","signature":"` + s[2] + `"}`,
		"no signature":    s[0] + "." + s[1] + ".",
		"with scheme":     "Bearer " + good,
		"spare bits set":  s[0] + "." + s[1] + "." + s[2][:42] + "_",
		"claims no JSON":  rawHS256(mustKey(t), `{"alg":"HS256"}`, []byte("hello")),
		"claims an array": rawHS256(mustKey(t), `{"alg":"HS256"}`, []byte("[]")),
	} {
		_, err := Verify(apiKey, tenant, token, now)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err := Verify(apiKey, "", good, now)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = Verify("", tenant, good, now)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = Verify(apiKey, tenant, good, now)
	require.NoError(t, err)
}

func TestVerify_tells_the_skew(t *testing.T) {
	t.Parallel()
	token, err := MintShop(apiKey, tenant, now.Add(10*time.Minute))
	require.NoError(t, err)
	claims, err := Verify(apiKey, tenant, token, now)
	require.ErrorIs(t, err, ErrClockSkew)
	require.InDelta(t, 600, claims.Skew.Seconds(), 1)
	require.NotEmpty(t, claims.JTI)
}

func TestClaims_jti_is_spent_until_the_times_refuse_it(t *testing.T) {
	t.Parallel()
	token, err := MintShop(apiKey, tenant, now)
	require.NoError(t, err)
	claims, err := Verify(apiKey, tenant, token, now)
	require.NoError(t, err)
	_, err = Verify(apiKey, tenant, token, claims.SpentUntil().Add(-time.Second))
	require.NoError(t, err)
	_, err = Verify(apiKey, tenant, token, claims.SpentUntil())
	require.ErrorIs(t, err, ErrClockSkew)
}

func TestErrors_and_prints_hold_no_secret(t *testing.T) {
	t.Parallel()
	v, err := NewVerifier(apiKey, tenant)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v)} {
		require.Equal(t, "shopjwt.Verifier("+tenant+")", text)
	}
	token := signed(t, claimsWith(map[string]any{"iss": "SECRETISH"}), nil)
	_, err = v.Verify(token, now)
	require.NotContains(t, err.Error(), "SECRETISH")
	require.NotContains(t, err.Error(), token[:20])
}
