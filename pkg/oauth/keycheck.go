package oauth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/secret"
)

// keySample is how many values of a column are opened for each key that sealed some.
const keySample = 10

// CheckKey opens a sample of every sealed column: some values of each key that
// sealed any, so that neither a wrong key nor one that is missing goes unnoticed
// because another column, or most of this one, opens.
func CheckKey(ctx context.Context, db database, box *secret.Box) error {
	for _, c := range sealedColumns() {
		sample, err := c.sample(ctx, db)
		if err != nil {
			return fmt.Errorf("read a sample of %s: %w", c.Column, err)
		}
		for _, v := range sample {
			if _, err := box.Open(v.Value, c.placeOf(v)); err != nil {
				return fmt.Errorf("open %s of %s: %w; give the TOWPATH_SECRET_KEY that it was sealed with (both keys while they are rotated); "+
					"if that is lost: %s", c.Column, v.Key, err, c.otherwise())
			}
		}
	}
	return nil
}

func (c *Sealed) sample(ctx context.Context, db database) ([]sealedValue, error) {
	alive := ""
	if c.table == "oauth_states" { // what has run out is only waiting to be deleted
		alive = " AND expires_at > clock_timestamp()"
	}
	rows, err := db.Query(ctx, fmt.Sprintf(`
		SELECT key, bound, value
		FROM (
			SELECT %[1]s::text AS key, %[2]s AS bound, %[3]s AS value,
				row_number() OVER (PARTITION BY substring(%[3]s FROM 1 FOR 5) ORDER BY random()) AS nth
			FROM %[4]s
			WHERE octet_length(%[3]s) > 0%[5]s -- an empty one was forgotten
		) AS sealed
		WHERE nth <= %[6]d`, c.key, c.bound, c.name, c.table, alive, keySample))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[sealedValue])
}

// otherwise is what helps where the key is gone for good.
func (c *Sealed) otherwise() string {
	if c.table == "oauth_states" {
		return "wait ten minutes, then the consents under way are over"
	}
	return "see \"A lost secret key\" in docs/operating.md (towpath secrets forget)"
}
