package oauth_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/oauth"
	"towpath/pkg/secret"
)

// A key that opens all columns but one, or all values of it but those of a lost
// key, is noticed at the start.
func Test_The_key_check_opens_a_sample_of_every_sealed_column(t *testing.T) {
	t.Parallel()
	b := setup(t, webApp)
	b.consent(t, b.binding)
	b.consentURL(t, b.binding)
	other := b.newBinding(t, webApp, "")
	old := boxOf(t, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32))))
	require.NoError(t, oauth.CheckKey(t.Context(), b.pool, b.box))
	require.Error(t, oauth.CheckKey(t.Context(), b.pool, old))
	for _, column := range oauth.SealedColumns() {
		table, name, _ := strings.Cut(column, ".")
		bound, also := "id", ""
		switch table {
		case "oauth_grants":
			bound = "binding_id"
		case "oauth_states":
			bound = "binding_id"
		case "tenants":
			if name == "previous_key_sealed" {
				also = ", previous_key_until = now()"
			}
		}
		place := column
		if table == "tenants" {
			place = secret.TenantAPIKey
		}
		id := b.row(t, fmt.Sprintf(`SELECT %s::text FROM %s ORDER BY 1 DESC LIMIT 1`, bound, table))
		if table == "oauth_grants" {
			id = b.binding.String()
		}
		before := b.row(t, fmt.Sprintf(`SELECT encode(%s, 'hex') FROM %s WHERE %s = $1`, name, table, bound), id)
		b.exec(t, fmt.Sprintf(`UPDATE %s SET %s = $1%s WHERE %s = $2`, table, name, also, bound), old.Seal([]byte("value"), secret.Place(place, id)), id)
		err := oauth.CheckKey(t.Context(), b.pool, b.box)
		require.ErrorContains(t, err, "open "+column, column)
		require.ErrorIs(t, err, secret.ErrUnknownKey)
		require.ErrorContains(t, err, "if that is lost: ")
		if before == "null" {
			if also != "" {
				also = ", previous_key_until = NULL"
			}
			b.exec(t, fmt.Sprintf(`UPDATE %s SET %s = NULL%s WHERE %s = $1`, table, name, also, bound), id)
			continue
		}
		b.exec(t, fmt.Sprintf(`UPDATE %s SET %s = decode($1, 'hex') WHERE %s = $2`, table, name, bound), before, id)
	}
	require.NoError(t, oauth.CheckKey(t.Context(), b.pool, b.box))
	// One value of a lost key among many of the right one.
	for range 300 {
		b.newBinding(t, webApp, "")
	}
	b.exec(t, `UPDATE oauth_grants SET client_secret_sealed = $1 WHERE binding_id = $2`,
		old.Seal([]byte("value"), secret.Place("oauth_grants.client_secret_sealed", other.String())), other)
	require.ErrorContains(t, oauth.CheckKey(t.Context(), b.pool, b.box), "of "+other.String())
}
