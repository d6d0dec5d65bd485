package oauth

import (
	"context"

	"github.com/google/uuid"

	"towpath/pkg/provider/specs"
	"towpath/pkg/secret"
)

// SpoilRefreshToken makes the newest refresh token one that no server knows.
func (k *Keeper) SpoilRefreshToken(ctx context.Context, binding uuid.UUID) error {
	g, err := k.read(ctx, k.cfg.Pool, binding)
	if err != nil {
		return err
	}
	g.tokens.refresh = secret.NewString("known-to-nobody")
	sealed, err := g.tokens.seal(k.cfg.Box, binding)
	if err != nil {
		return err
	}
	_, err = k.cfg.Pool.Exec(ctx, `UPDATE oauth_grants SET tokens_sealed = $2 WHERE binding_id = $1`, binding, sealed)
	return err
}

// SealedColumns are the columns that Rotate knows.
func SealedColumns() []string {
	var names []string
	for _, c := range sealedColumns() {
		names = append(names, c.Column)
	}
	return names
}

// Words is what is kept of an identity server's own words.
func Words(text string, secrets []string) string { return words(text, secrets) }

// Organisations reads an answer and prints what it names.
func Organisations(from string, body []byte) (string, error) {
	spec, _ := specs.Of(from)
	found, err := readOrganisations(spec, body)
	return list(found), err
}
