package oauth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/secret"
)

// Forgotten is a sealed column and how many of its values no key at hand opens.
type Forgotten struct {
	Column string `json:"column"`
	Lost   int64  `json:"lost"`
}

// Forget takes away what no key at hand opens, so that an installation whose key
// is gone can go on: such a shop waits to be paired again and such a binding for
// its token or app, and their runs are held until then. With sure it is done in
// tx, else only counted. What was synced stays known.
func Forget(ctx context.Context, tx pgx.Tx, box *secret.Box, sure bool) ([]Forgotten, error) {
	var found []Forgotten
	for _, c := range sealedColumns() {
		rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s::text AS key, %s AS bound, %s AS value FROM %s WHERE octet_length(%[3]s) > 0`,
			c.key, c.bound, c.name, c.table))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", c.Column, err)
		}
		values, err := pgx.CollectRows(rows, pgx.RowToStructByName[sealedValue])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", c.Column, err)
		}
		lost := Forgotten{Column: c.Column}
		for _, v := range values {
			if _, err := box.Open(v.Value, c.placeOf(v)); err == nil {
				continue
			}
			lost.Lost++
			if !sure {
				continue
			}
			if _, err := tx.Exec(ctx, forgetSQL[c.Column], v.Key); err != nil {
				return nil, fmt.Errorf("forget %s of %s: %w", c.Column, v.Key, err)
			}
		}
		found = append(found, lost)
	}
	return found, nil
}

// forgetSQL empties a value and says that something is missing. A column that may
// not be null becomes an empty value: a shop without a key is answered 503, not
// 401, so that it keeps its events until it is paired again.
var forgetSQL = map[string]string{
	"tenants.offered_key_sealed":  `UPDATE tenants SET offered_key_sealed = NULL WHERE id::text = $1`,
	secret.TenantAPIKey:           `UPDATE tenants SET api_key_sealed = '', connection_status = 'token_revoked' WHERE id::text = $1`,
	"tenants.previous_key_sealed": `UPDATE tenants SET previous_key_sealed = NULL, previous_key_until = NULL WHERE id::text = $1`,
	secret.BindingToken: `UPDATE bindings SET token_sealed = NULL,
		status = CASE status WHEN 'revoked' THEN status ELSE 'needs_consent' END WHERE id::text = $1`,
	placeSecret: `WITH lost AS (UPDATE oauth_grants SET client_secret_sealed = '' WHERE binding_id::text = $1 RETURNING binding_id)
		UPDATE bindings SET status = 'needs_consent' FROM lost WHERE id = binding_id AND status <> 'revoked'`,
	placeTokens: `WITH lost AS (UPDATE oauth_grants SET tokens_sealed = NULL, issued_at = NULL, refresh_at = NULL, expires_at = NULL
			WHERE binding_id::text = $1 RETURNING binding_id)
		UPDATE bindings SET status = 'needs_consent' FROM lost WHERE id = binding_id AND status <> 'revoked'`,
	placeVerifier: `DELETE FROM oauth_states WHERE state_hash::text = $1`,
}
