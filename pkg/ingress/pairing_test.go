package ingress

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

// repaired is a door whose shop is being paired again: next is the newer key.
func repaired(t *testing.T, set string) (d *door, next string) {
	d = setup(t, nil)
	next = shopjwt.NewAPIKey()
	sealed := d.box.Seal([]byte(next), secret.Place(secret.TenantAPIKey, d.tenant.String()))
	_, err := d.db.Exec(t.Context(), `UPDATE tenants SET `+set, sealed)
	require.NoError(t, err)
	return d, next
}

// signed sends an event of its own that the key has signed.
func (d *door) signed(t *testing.T, key, entity string) answer {
	token, err := shopjwt.MintShop(key, d.tenant.String(), time.Now())
	require.NoError(t, err)
	return d.send(t, request{token: token, key: event + ":" + entity,
		body: `{"magento_entity_id":` + entity + `,"occurred_at":"2026-04-29T10:11:12Z"}`})
}

const replaced = `api_key_sealed = $1, previous_key_sealed = api_key_sealed, previous_key_until = `

func TestKeys_while_it_is_not_known_how_a_pairing_ended_both_are_good(t *testing.T) {
	t.Parallel()
	d, next := repaired(t, `offered_key_sealed = $1`)
	require.Equal(t, 202, d.signed(t, d.apiKey, "1").status)
	require.Equal(t, 202, d.signed(t, d.apiKey, "2").status, "the old one shows nothing")
	require.Equal(t, 202, d.signed(t, next, "3").status)

	// The first token of the offered key has shown that the shop took it.
	require.Equal(t, 1, d.count(t, `SELECT count(*) FROM tenants WHERE offered_key_sealed IS NULL AND previous_key_until <= now()`))
	late := d.signed(t, d.apiKey, "4")
	require.Equal(t, 503, late.status, "to be sent again with the new key, not dead-lettered")
	require.Equal(t, "key_replaced", late.code())
	require.Equal(t, 202, d.signed(t, next, "4").status)
	require.Equal(t, 401, d.signed(t, shopjwt.NewAPIKey(), "5").status)
}

func TestKeys_the_previous_one_is_good_until_the_first_token_of_the_new_one(t *testing.T) {
	t.Parallel()
	d, next := repaired(t, replaced+`now() + interval '1 hour'`)
	require.Equal(t, 202, d.signed(t, d.apiKey, "1").status)
	require.Equal(t, 202, d.signed(t, next, "2").status)
	require.Equal(t, "key_replaced", d.signed(t, d.apiKey, "3").code())
	require.Equal(t, 202, d.signed(t, next, "3").status)
}

func TestKeys_the_previous_one_is_good_until_its_grace_ends(t *testing.T) {
	t.Parallel()
	d, next := repaired(t, replaced+`now() - interval '1 second'`)
	late := d.signed(t, d.apiKey, "1")
	require.Equal(t, 503, late.status)
	require.Equal(t, "key_replaced", late.code())
	require.Zero(t, d.stored(t), "nothing of it is stored")
	require.Equal(t, 202, d.signed(t, next, "1").status)
}

// A clock that is off is said as that, whichever key signed.
func TestKeys_a_token_out_of_its_times_shows_nothing(t *testing.T) {
	t.Parallel()
	d, next := repaired(t, `offered_key_sealed = $1`)
	token, err := shopjwt.MintShop(next, d.tenant.String(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, "clock_skew", d.send(t, request{token: token}).code())
	require.Equal(t, 1, d.count(t, `SELECT count(*) FROM tenants WHERE offered_key_sealed IS NOT NULL`))
}

func TestKeys_the_first_token_of_a_shop_that_waits_to_be_paired_connects_it(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	_, err := d.db.Exec(t.Context(), `UPDATE tenants SET connection_status = 'pending'`)
	require.NoError(t, err)
	require.Equal(t, 202, d.signed(t, d.apiKey, "1").status)
	require.Equal(t, 1, d.count(t, `SELECT count(*) FROM tenants WHERE connection_status = 'active'`))
}

func TestKeys_a_call_that_is_no_webhook_shows_the_key_too(t *testing.T) {
	t.Parallel()
	d, next := repaired(t, `offered_key_sealed = $1`)
	token, err := shopjwt.MintShop(next, d.tenant.String(), time.Now())
	require.NoError(t, err)
	require.Equal(t, 200, d.send(t, request{method: "GET", path: "/v1/tile/health", token: token, body: "-"}).status)
	require.Equal(t, "key_replaced", d.signed(t, d.apiKey, "1").code())
}
