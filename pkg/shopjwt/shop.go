package shopjwt

import (
	"errors"
	"fmt"
	"time"
)

// shopIssuedAhead is how far in the shop's future iat may lie.
const shopIssuedAhead = 30 * time.Second

// VerifyAsShop judges a token of ours by the shop's own rules: no leeway but
// 30 s for iat. The simulated shop and tests use it; whether the jti is new is
// the shop's to remember.
func VerifyAsShop(apiKey, tenantID, token string, now time.Time) (Claims, error) {
	key, err := subkey(apiKey, inbound)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	b, err := unverified(token)
	if err == nil && !isSigned(key, token) {
		err = errors.New("signature")
	}
	if err == nil {
		err = b.check("byte8-ledger", "magento", tenantID)
	}
	if err == nil {
		err = b.checkTimesAsShop(now)
	}
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return b.claims(now), nil
}

func (b body) checkTimesAsShop(now time.Time) error {
	switch {
	case unix(b.NotBefore).After(now):
		return errors.New("nbf is in the shop's future")
	case unix(b.IssuedAt).After(now.Add(shopIssuedAhead)):
		return errors.New("iat is more than 30 s in the shop's future")
	case !unix(b.ExpiresAt).After(now):
		return errors.New("expired by the shop's clock")
	}
	return nil
}
