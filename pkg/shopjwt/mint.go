package shopjwt

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// claimSet is the order and form in which both sides write a token.
type claimSet struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	IssuedAt  int64  `json:"iat"`
	NotBefore int64  `json:"nbf"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
}

// Mint makes a token for one call to the shop. The shop has no leeway for nbf
// and refuses lifetimes above 300 s, so the token is valid from Leeway before
// now until 180 s after: a shop whose webhooks we accept, its clock being at
// most Leeway off, accepts our calls too. Each attempt needs its own token, as
// the shop accepts a jti once.
func Mint(apiKey, tenantID string, now time.Time) (string, error) {
	from := now.Add(-Leeway)
	return mint(apiKey, inbound, claimSet{
		Issuer: "byte8-ledger", Subject: tenantID, Audience: "magento",
		IssuedAt: from.Unix(), NotBefore: from.Unix(), ExpiresAt: from.Add(MaxLifetime).Unix(),
	})
}

// MintShop makes a token as the shop does for one webhook: valid from its now,
// for 60 s. The simulated shop and tests use it.
func MintShop(apiKey, tenantID string, now time.Time) (string, error) {
	return mint(apiKey, outbound, claimSet{
		Issuer: "magento", Subject: tenantID, Audience: "byte8-ledger",
		IssuedAt: now.Unix(), NotBefore: now.Unix(), ExpiresAt: now.Unix() + 60,
	})
}

func mint(apiKey, direction string, c claimSet) (string, error) {
	key, err := subkey(apiKey, direction)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	c.ID = uuid.NewString()
	return sign(key, c)
}
