package oauth

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath/pkg/secret"
)

// Sealed is a sealed column and what became of its values.
type Sealed struct {
	Column   string `json:"column"`
	Resealed int64  `json:"resealed"` // with the current key, by this call
	Unread   int64  `json:"unread"`   // sealed with a key that is not at hand, or damaged; left as they were
	Left     int64  `json:"left"`     // not sealed with the current key afterwards; the unread among them

	table, name string
	place       string // in the envelope, where that is not Column
	key         string // the row's key
	bound       string // the id that the envelope is bound to
}

// sealedColumns are all of them; a test compares with the schema.
func sealedColumns() []Sealed {
	return []Sealed{
		// A pairing moves a tenant's keys from column to column as they are, in this
		// order: none is missed.
		{Column: "tenants.offered_key_sealed", table: "tenants", name: "offered_key_sealed", place: secret.TenantAPIKey, key: "id", bound: "id"},
		{Column: secret.TenantAPIKey, table: "tenants", name: "api_key_sealed", key: "id", bound: "id"},
		{Column: "tenants.previous_key_sealed", table: "tenants", name: "previous_key_sealed", place: secret.TenantAPIKey, key: "id", bound: "id"},
		{Column: secret.BindingToken, table: "bindings", name: "token_sealed", key: "id", bound: "id"},
		{Column: placeSecret, table: "oauth_grants", name: "client_secret_sealed", key: "binding_id", bound: "binding_id"},
		{Column: placeTokens, table: "oauth_grants", name: "tokens_sealed", key: "binding_id", bound: "binding_id"},
		{Column: placeVerifier, table: "oauth_states", name: "verifier_sealed", key: "state_hash", bound: "binding_id"},
	}
}

// rotateBatch is how many values are read at once.
const rotateBatch = 200

// database is a pool or a connection.
type database interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Rotate seals every value anew that another key than the current one sealed.
// A value is only replaced where it is still what was read, so it may run beside
// working processes; it holds no lock. If it stops half way, the next call does
// the rest. Processes must know the new key before.
func Rotate(ctx context.Context, db database, box *secret.Box) ([]Sealed, error) {
	columns := sealedColumns()
	for i := range columns {
		err := columns[i].rotate(ctx, db, box)
		if err == nil {
			err = columns[i].count(ctx, db, box.Current())
		}
		if err != nil {
			return columns, fmt.Errorf("reseal %s: %w", columns[i].Column, err)
		}
	}
	return columns, nil
}

// sealedValue is one value; key is the row's, as text.
type sealedValue struct {
	Key   string
	Bound uuid.UUID
	Value []byte
}

func (c *Sealed) rotate(ctx context.Context, db database, box *secret.Box) error {
	for after := ""; ; {
		batch, err := c.read(ctx, db, box.Current(), after)
		if err != nil {
			return err
		}
		for _, v := range batch {
			if err := c.reseal(ctx, db, box, v); err != nil {
				return err
			}
			after = v.Key
		}
		if len(batch) < rotateBatch {
			return nil
		}
	}
}

// otherKey is the condition that another key than $1 sealed a value: the key's
// id is bytes 2 to 5 of an envelope.
func (c *Sealed) otherKey() string {
	return fmt.Sprintf("octet_length(%[1]s) > 0 AND substring(%[1]s FROM 2 FOR 4) <> $1", c.name)
}

// count finds what a process that does not know the current key yet has sealed
// meanwhile, too.
func (c *Sealed) count(ctx context.Context, db database, current secret.KeyID) error {
	rows, err := db.Query(ctx, fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s`, c.table, c.otherKey()), current[:])
	if err != nil {
		return err
	}
	c.Left, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
	return err
}

// placeOf is what a value's envelope is bound to.
func (c *Sealed) placeOf(v sealedValue) string {
	return secret.Place(cmp.Or(c.place, c.Column), v.Bound.String())
}

// read finds values of other keys in the order of their rows' keys.
func (c *Sealed) read(ctx context.Context, db database, current secret.KeyID, after string) ([]sealedValue, error) {
	rows, err := db.Query(ctx, fmt.Sprintf(`
		SELECT %[1]s::text AS key, %[2]s AS bound, %[3]s AS value
		FROM %[4]s
		WHERE %[5]s AND %[1]s::text COLLATE "C" > $2
		ORDER BY %[1]s::text COLLATE "C"
		LIMIT %[6]d`, c.key, c.bound, c.name, c.table, c.otherKey(), rotateBatch), current[:], after)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[sealedValue])
}

func (c *Sealed) reseal(ctx context.Context, db database, box *secret.Box, v sealedValue) error {
	place := c.placeOf(v)
	plain, err := box.Open(v.Value, place)
	if err != nil {
		c.Unread++
		return nil
	}
	tag, err := db.Exec(ctx, fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s::text = $2 AND %s = $3`, c.table, c.name, c.key, c.name),
		box.Seal(plain, place), v.Key, v.Value)
	c.Resealed += tag.RowsAffected()
	return err
}
