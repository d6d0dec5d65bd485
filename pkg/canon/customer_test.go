package canon_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
)

func Test_Key_is_the_shops_customer_id(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1042", canon.Contact{MagentoID: 1042, Email: "a@example.com"}.Key())
}

func Test_Key_of_a_guest_ignores_case_and_spaces_of_the_email(t *testing.T) {
	t.Parallel()
	key := canon.Contact{Email: "Ada@Example.com "}.Key()
	require.Equal(t, canon.Contact{Email: "ada@example.com"}.Key(), key)
	require.NotEqual(t, canon.Contact{Email: "bob@example.com"}.Key(), key)
	require.LessOrEqual(t, len(key), 50)
	require.NotContains(t, key, "ada")
}

func Test_Guests_without_email_share_no_key(t *testing.T) {
	t.Parallel()
	ada, grace := "Ada", "Grace"
	require.NotEqual(t, canon.Contact{FirstName: &ada}.Key(), canon.Contact{FirstName: &grace}.Key())
	require.Equal(t, canon.Contact{FirstName: &ada}.Key(), canon.Contact{FirstName: &ada}.Key())
}
