package shopjwt

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nothing without the key is ever accepted: neither a changed vector nor any
// claims under another signature.
func FuzzVerify(f *testing.F) {
	v := readVectors(f)
	good := map[string]bool{}
	for _, c := range v.Webhook {
		f.Add(c.Token)
		good[c.Token] = c.Accept || strings.Contains(c.Why, "clock_skew")
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := Verify(v.APIKey, v.TenantID, token, v.now())
		if err == nil || errors.Is(err, ErrClockSkew) {
			require.True(t, good[token], "forged token")
			return
		}
		require.ErrorIs(t, err, ErrInvalid)
		_, _ = Subject(token)
	})
}

// Signed with the right key, any payload is judged without a crash, and what is
// accepted has what the caller relies on.
func FuzzVerify_signed_payload(f *testing.F) {
	for _, change := range []map[string]any{nil, {"aud": []string{"byte8-ledger"}}, {"iat": "1"}, {"exp": 1e300}} {
		raw, err := json.Marshal(claimsWith(change))
		require.NoError(f, err)
		f.Add(raw)
	}
	key := mustKey(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > 2000 {
			return
		}
		claims, err := Verify(apiKey, tenant, rawHS256(key, `{"alg":"HS256","typ":"JWT"}`, payload), now)
		if err != nil && !errors.Is(err, ErrClockSkew) {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.NotEmpty(t, claims.JTI)
		lifetime := claims.ExpiresAt.Sub(claims.IssuedAt)
		require.True(t, lifetime > 0 && lifetime <= MaxLifetime)
	})
}

func BenchmarkVerify(b *testing.B) {
	token, err := MintShop(apiKey, tenant, now)
	require.NoError(b, err)
	kept, err := NewVerifier(apiKey, tenant)
	require.NoError(b, err)
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			if _, err := kept.Verify(token, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("derived", func(b *testing.B) {
		for b.Loop() {
			if _, err := Verify(apiKey, tenant, token, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
