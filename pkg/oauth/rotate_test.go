package oauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/secret"
)

const newKey = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

// sealedValues makes one value of every sealed column, and many of one.
func sealedValues(t *testing.T) *bundle {
	t.Helper()
	b := setup(t, nativeApp)
	b.consent(t, b.binding)
	b.newBinding(t, webApp, "")
	fixed := b.newBinding(t, webApp, "")
	b.exec(t, `UPDATE bindings SET token_sealed = $1 WHERE id = $2`,
		b.box.Seal([]byte("a-fixed-token"), secret.Place(secret.BindingToken, fixed.String())), fixed)
	b.consentURL(t, b.binding)
	for i := range 250 {
		id := uuid.New()
		require.NoError(t, dbsqlc.New().TenantInsert(t.Context(), b.pool, dbsqlc.TenantInsertParams{ID: id, Name: "shop", MagentoUrl: "https://shop.example",
			ApiKeySealed: b.box.Seal([]byte("k"), secret.Place(secret.TenantAPIKey, id.String())), ConnectionStatus: "active"}))
		if i == 0 {
			b.exec(t, `UPDATE tenants SET offered_key_sealed = api_key_sealed, previous_key_sealed = api_key_sealed, previous_key_until = now()
				WHERE id = $1`, id)
		}
	}
	return b
}

func Test_Rotate(t *testing.T) {
	t.Parallel()

	t.Run("Knows_every_sealed_column_of_the_schema", func(t *testing.T) {
		t.Parallel()
		rows, err := setup(t, webApp).pool.Query(t.Context(), `
			SELECT table_name || '.' || column_name FROM information_schema.columns
			WHERE column_name LIKE '%\_sealed' AND table_schema = 'public'`)
		require.NoError(t, err)
		written, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.ElementsMatch(t, written, oauth.SealedColumns())
	})

	t.Run("Seals_all_with_the_new_key_so_that_the_old_one_can_go", func(t *testing.T) {
		t.Parallel()
		b := sealedValues(t)
		done, err := oauth.Rotate(t.Context(), b.pool, boxOf(t, newKey+","+key))
		require.NoError(t, err)
		counts := map[string]int64{}
		for _, c := range done {
			counts[c.Column] = c.Resealed
			require.Zero(t, c.Unread+c.Left, c.Column)
		}
		require.Equal(t, map[string]int64{"tenants.api_key_sealed": 253, "tenants.offered_key_sealed": 1, "tenants.previous_key_sealed": 1, "bindings.token_sealed": 1, "oauth_grants.client_secret_sealed": 2,
			"oauth_grants.tokens_sealed": 1, "oauth_states.verifier_sealed": 1}, counts)

		b.box = boxOf(t, newKey)
		b.keeper = b.newKeeper(t, b.xero.Client())
		b.token(t)
		b.pass(t, minutes(31))
		b.token(t)

		again, err := oauth.Rotate(t.Context(), b.pool, b.box)
		require.NoError(t, err)
		for _, c := range again {
			require.Zero(t, c.Resealed+c.Unread+c.Left, c.Column)
		}
	})

	t.Run("Goes_on_where_it_was_stopped", func(t *testing.T) {
		t.Parallel()
		b := sealedValues(t)
		box := boxOf(t, newKey+","+key)
		b.exec(t, `CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stop'; END $$`)
		b.exec(t, `CREATE TRIGGER stop BEFORE UPDATE ON oauth_grants EXECUTE FUNCTION stop()`)
		done, err := oauth.Rotate(t.Context(), b.pool, box)
		require.ErrorContains(t, err, "stop")
		require.EqualValues(t, 253, done[1].Resealed)
		b.exec(t, `DROP TRIGGER stop ON oauth_grants`)
		done, err = oauth.Rotate(t.Context(), b.pool, box)
		require.NoError(t, err)
		require.Zero(t, done[1].Resealed, "those were done")
		require.EqualValues(t, 2, done[4].Resealed)
	})

	t.Run("Leaves_and_counts_what_it_cannot_open", func(t *testing.T) {
		t.Parallel()
		b := sealedValues(t)
		b.exec(t, `UPDATE tenants SET api_key_sealed = 'x' WHERE id = (SELECT min(id::text)::uuid FROM tenants)`)
		done, err := oauth.Rotate(t.Context(), b.pool, boxOf(t, newKey+","+key))
		require.NoError(t, err)
		require.Equal(t, []int64{252, 1, 1}, []int64{done[1].Resealed, done[1].Unread, done[1].Left})
	})

	t.Run("May_run_while_tokens_are_renewed", func(t *testing.T) {
		t.Parallel()
		b := sealedValues(t)
		b.keeper = func() *oauth.Keeper { b.box = boxOf(t, newKey+","+key); return b.newKeeper(t, b.xero.Client()) }()
		b.pass(t, minutes(31))
		failed := make(chan error)
		go func() {
			_, err := oauth.Rotate(t.Context(), b.pool, b.box)
			failed <- err
		}()
		b.token(t)
		require.NoError(t, <-failed)
		b.token(t)
	})
}

// Promise: nothing in clear in the database, the log, an error or a page.
func Test_No_secret_in_clear(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	var secrets []string
	for _, app := range []string{webApp, nativeApp} {
		b := setup(t, app)
		address := b.consentURL(t, b.binding)
		query := queryOf(t, address)
		b.browse(t, strings.Replace(b.callback(t, address), "code=", "code=x", 1))
		_, page := b.browse(t, b.consentURL(t, b.binding))
		shown.WriteString(page)
		b.consentURL(t, b.binding)
		secrets = append(secrets, query.Get("state"), b.token(t))
		for _, disconnect := range []bool{false, true} {
			b.pass(t, minutes(31))
			if disconnect {
				echo := strings.Join(append(b.identity.Issued(), appSecret), " ")
				b.identity.Inject(xerosim.Fault{Operation: getToken, Times: 2, Status: 400,
					Body: `{"error":"invalid_grant","error_description":"do not know ` + echo[max(0, len(echo)-150):] + `"}`})
			}
			_, err := b.keeper.Source(b.binding).Token(t.Context())
			if err != nil {
				shown.WriteString(err.Error())
			}
		}
		secrets = append(secrets, b.identity.Issued()...)
		shown.WriteString(b.logs.String())
		shown.WriteString(b.dump(t))
	}
	secrets = append(secrets, appSecret, key, newKey, "the-shops-api-key")
	require.Greater(t, len(secrets), 15)
	require.Contains(t, shown.String(), "needs_consent", "the dump is of the tables")
	for _, s := range slices.Compact(secrets) {
		require.NotContains(t, shown.String(), s)
		require.NotContains(t, shown.String(), hexOf(s))
	}
}
