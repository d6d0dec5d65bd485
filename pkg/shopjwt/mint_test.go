package shopjwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func mustKey(t testing.TB) []byte {
	key, err := subkey(apiKey, outbound)
	require.NoError(t, err)
	return key
}

// rawHS256 signs by hand, so that header and payload can be anything.
func rawHS256(key []byte, header string, payload []byte) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(payload)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

func TestMint_is_accepted_by_a_shop_whose_clock_is_off(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		off time.Duration // the shop's clock minus ours
		ok  bool
	}{
		{0, true},
		{-30 * time.Second, true},
		{-120 * time.Second, true},
		{-122 * time.Second, false},
		{179 * time.Second, true},
		{181 * time.Second, false},
	} {
		token, err := Mint(apiKey, tenant, now)
		require.NoError(t, err)
		claims, err := VerifyAsShop(apiKey, tenant, token, now.Add(c.off))
		if c.ok {
			require.NoError(t, err, c.off)
			require.Equal(t, MaxLifetime, claims.ExpiresAt.Sub(claims.IssuedAt))
		} else {
			require.ErrorIs(t, err, ErrInvalid, c.off)
		}
	}
}

func TestMint_makes_a_new_jti_each_time(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 50 {
		token, err := Mint(apiKey, tenant, now)
		require.NoError(t, err)
		claims, err := VerifyAsShop(apiKey, tenant, token, now)
		require.NoError(t, err)
		require.Len(t, claims.JTI, 36)
		require.False(t, seen[claims.JTI])
		seen[claims.JTI] = true
	}
}

func TestTokens_prove_nothing_in_the_other_direction(t *testing.T) {
	t.Parallel()
	ours, err := Mint(apiKey, tenant, now)
	require.NoError(t, err)
	_, err = Verify(apiKey, tenant, ours, now)
	require.ErrorIs(t, err, ErrInvalid)
	shops, err := MintShop(apiKey, tenant, now)
	require.NoError(t, err)
	_, err = VerifyAsShop(apiKey, tenant, shops, now)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestVerifyAsShop_refuses_iat_beyond_thirty_seconds(t *testing.T) {
	t.Parallel()
	key, err := subkey(apiKey, inbound)
	require.NoError(t, err)
	for ahead, ok := range map[int64]bool{30: true, 32: false} {
		token, err := sign(key, claimSet{
			Issuer: "byte8-ledger", Subject: tenant, Audience: "magento", ID: "x",
			IssuedAt: now.Unix() + ahead, NotBefore: now.Unix(), ExpiresAt: now.Unix() + 100,
		})
		require.NoError(t, err)
		_, err = VerifyAsShop(apiKey, tenant, token, now)
		require.Equal(t, ok, err == nil, "%d s ahead: %v", ahead, err)
	}
}

func TestMintShop_is_accepted_and_lives_a_minute(t *testing.T) {
	t.Parallel()
	token, err := MintShop(apiKey, tenant, now)
	require.NoError(t, err)
	claims, err := Verify(apiKey, tenant, token, now)
	require.NoError(t, err)
	require.Equal(t, time.Minute, claims.ExpiresAt.Sub(claims.IssuedAt))
}

func TestSubject_is_read_unverified(t *testing.T) {
	t.Parallel()
	token, err := MintShop("another key", tenant, now)
	require.NoError(t, err)
	sub, err := Subject(token)
	require.NoError(t, err)
	require.Equal(t, tenant, sub)
	for _, bad := range []string{"", "a.b.c", "x", rawHS256(nil, `{"alg":"HS256"}`, []byte(`{}`))} {
		_, err := Subject(bad)
		require.ErrorIs(t, err, ErrInvalid, bad)
	}
}

func TestNewAPIKey_is_64_hex_characters(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^[0-9a-f]{64}$`, NewAPIKey())
	require.NotEqual(t, NewAPIKey(), NewAPIKey())
}
