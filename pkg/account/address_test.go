package account

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckBaseURL(t *testing.T) {
	t.Parallel()
	const public, here = "https://shop.example.com", "http://127.0.0.1:8081"
	for name, c := range map[string]struct {
		base, shop string
		refused    string // empty: accepted
		warns      string
	}{
		"good":                      {"https://towpath.example.com", public, "", ""},
		"empty":                     {"", public, "it is not set", ""},
		"no_scheme":                 {"towpath.example.com", public, "is no address", ""},
		"listen_address":            {":8080", public, "is no address", ""},
		"loopback":                  {"http://127.0.0.1:8080", public, "only this machine can reach", ""},
		"loopback_name":             {"http://localhost:8080", public, "only this machine can reach", ""},
		"loopback_v6":               {"http://[::1]:8080", public, "only this machine can reach", ""},
		"wildcard":                  {"http://0.0.0.0:8080", public, "only this machine can reach", ""},
		"loopback_for_a_local_shop": {"http://127.0.0.1:8080", here, "", ""},
		"query":                     {"https://towpath.example.com/?a=b", public, "must not hold", ""},
		"the_shop_itself":           {"https://SHOP.example.com:443/", public, "the shop's own address", ""},
		"plain_http":                {"http://towpath.example.com", public, "", "in plain http"},
		"private":                   {"https://10.0.0.5", public, "", "a private address"},
		"private_both":              {"https://10.0.0.5", "https://10.0.0.6", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			warnings, err := CheckBaseURL(c.base, c.shop)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			if c.warns == "" {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], c.warns)
		})
	}
}

func TestSameAddress(t *testing.T) {
	t.Parallel()
	for other, same := range map[string]bool{
		"https://shop.example.com/":          true,
		"https://SHOP.example.com:443":       true,
		"http://shop.example.com":            true, // the shop has moved to https
		"https://shop.example.com.":          true,
		"https://www.shop.example.com":       false,
		"https://shop.example.com:8443":      false,
		"https://shop.example.com/other":     false,
		"https://shop.example.com.evil.test": false,
	} {
		require.Equal(t, same, sameAddress("https://shop.example.com", other), other)
	}
}
