package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
)

func Test_Base_currency_is_the_shops_or_the_websites(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{}`:                                 "",
		`{"shop_base_currency":null}`:        "",
		`{"shop_base_currency":""}`:          "",
		`{"shop_base_currency":"GBP"}`:       "GBP",
		`{"shop_base_currency":{}}`:          "",
		`{"shop_base_currency":{"7":"EUR"}}`: "EUR",
		`{"shop_base_currency":{"1":"GBP"}}`: "",
		`{"shop_base_currency":{"7":null}}`:  "",
	} {
		p, faults, err := policy.Parse([]byte(settings))
		require.NoError(t, err)
		require.Empty(t, faults, settings)
		require.Equal(t, want, p.ShopBaseCurrency.Of(canon.Invoice{WebsiteID: 7}), settings)
	}
}
