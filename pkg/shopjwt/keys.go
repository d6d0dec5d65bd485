package shopjwt

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// The two directions; each is the HKDF info of its subkey.
const (
	outbound = "byte8-magento-outbound-v1" // the shop signs
	inbound  = "byte8-magento-inbound-v1"  // this service signs
)

const keyBytes = 32

// NewAPIKey makes a pairing's master key: 256 random bits as 64 hex characters.
func NewAPIKey() string {
	var raw [keyBytes]byte
	_, _ = rand.Read(raw[:]) // never fails: the program stops instead
	return hex.EncodeToString(raw[:])
}

// subkey derives the signing key of one direction: HKDF-SHA256 over the ASCII
// bytes of the api_key (they are not hex-decoded), empty salt, 32 bytes.
func subkey(apiKey, direction string) ([]byte, error) {
	if apiKey == "" {
		return nil, errors.New("api key is empty")
	}
	key, err := hkdf.Key(sha256.New, []byte(apiKey), nil, direction, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive subkey %q: %w", direction, err)
	}
	return key, nil
}
