package shopjwt

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// vectors are tokens with known verdicts, made with an independent
// implementation; see "about" in the file.
type vectors struct {
	TenantID string `json:"tenant_id"`
	APIKey   string `json:"api_key"`
	NowUnix  int64  `json:"now_unix"`
	Subkeys  []struct{ Info, Hex string }
	Webhook  []struct {
		Name, Token, Why string
		Accept           bool
	} `json:"webhook_tokens"`
	Callback struct {
		Claims claimSet
		Token  string
	} `json:"callback_token"`
}

func (v vectors) now() time.Time { return time.Unix(v.NowUnix, 0) }

func readVectors(t testing.TB) vectors {
	raw, err := os.ReadFile("testdata/jwt_vectors.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.Webhook)
	return v
}

func TestSubkeys_are_those_of_the_vectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	require.Len(t, v.Subkeys, 2)
	for _, want := range v.Subkeys {
		got, err := subkey(v.APIKey, want.Info)
		require.NoError(t, err)
		require.Equal(t, want.Hex, hex.EncodeToString(got), want.Info)
	}
}

func TestVerify_judges_every_vector(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	skewed := 0
	for _, c := range v.Webhook {
		t.Run(c.Name, func(t *testing.T) {
			claims, err := Verify(v.APIKey, v.TenantID, c.Token, v.now())
			switch {
			case c.Accept:
				require.NoError(t, err, c.Why)
				require.Equal(t, "3f2504e0-4f89-41d3-9a0c-0305e82c3301", claims.JTI)
				require.Equal(t, time.Minute, claims.ExpiresAt.Sub(claims.IssuedAt))
			case strings.Contains(c.Why, "clock_skew"):
				skewed++
				require.ErrorIs(t, err, ErrClockSkew, c.Why)
				require.NotErrorIs(t, err, ErrInvalid)
			default:
				require.ErrorIs(t, err, ErrInvalid, c.Why)
				require.NotErrorIs(t, err, ErrClockSkew)
				require.Empty(t, claims)
			}
		})
	}
	require.Equal(t, 2, skewed)
}

func TestCallback_vector_is_accepted_by_the_shops_rules(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	claims, err := VerifyAsShop(v.APIKey, v.TenantID, v.Callback.Token, v.now())
	require.NoError(t, err)
	require.Equal(t, v.Callback.Claims.ID, claims.JTI)
	require.Equal(t, v.Callback.Claims.ExpiresAt, claims.ExpiresAt.Unix())
}

func TestCallback_vector_is_what_we_would_sign(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	key, err := subkey(v.APIKey, inbound)
	require.NoError(t, err)
	token, err := sign(key, v.Callback.Claims)
	require.NoError(t, err)
	require.Equal(t, v.Callback.Token, token)
}
