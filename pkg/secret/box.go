package secret

import (
	"errors"
	"fmt"
	"slices"
)

// What a sealed value begins with: the version of the envelope, then the id of
// the key. A nonce of 12 bytes, the ciphertext and its tag follow.
const (
	version     = 1
	headerBytes = 1 + len(KeyID{})
)

// Refusals of Open and SealedBy.
var (
	// ErrUnknownKey: the value was sealed with a key that is not at hand; it is
	// not lost, the key is missing from the configuration.
	ErrUnknownKey = errors.New("sealed with a key that is not configured")
	// ErrNotOpened: the value was changed, or belongs to another place.
	ErrNotOpened = errors.New("sealed value was changed or belongs elsewhere")
)

// Box seals and opens with AES-256-GCM and a random nonce, which is safe for
// some four thousand million values a key. It is safe for concurrent use.
type Box struct{ keys []key }

// String keeps the keys out of prints.
func (b *Box) String() string { return "secret.Box" }

// GoString is String: %#v would print the keys.
func (b *Box) GoString() string { return b.String() }

// Current is the key that seals. What another key sealed is to be sealed anew
// while keys are rotated.
func (b *Box) Current() KeyID { return b.keys[0].id }

// Seal closes plaintext with the current key. aad is not stored: Open needs the
// same again. It names the place of the value, see Place.
func (b *Box) Seal(plaintext []byte, aad string) []byte {
	k := b.keys[0]
	header := append([]byte{version}, k.id[:]...)
	return k.aead.Seal(slices.Clone(header), nil, plaintext, bound(header, aad))
}

// Open gives back what Seal closed under the same aad. The error is
// ErrUnknownKey or ErrNotOpened and holds nothing of the value.
func (b *Box) Open(sealed []byte, aad string) ([]byte, error) {
	id, err := SealedBy(sealed)
	if err != nil {
		return nil, err
	}
	found := false
	for _, k := range b.keys {
		if k.id != id { // two keys may share an id: try each
			continue
		}
		found = true
		plaintext, err := k.aead.Open(nil, nil, sealed[headerBytes:], bound(sealed[:headerBytes], aad))
		if err == nil {
			return plaintext, nil
		}
	}
	if !found {
		return nil, fmt.Errorf("open sealed value: %w: key id %s", ErrUnknownKey, id)
	}
	return nil, fmt.Errorf("open sealed value: %w", ErrNotOpened)
}

// SealedBy tells which key sealed a value, without opening it.
func SealedBy(sealed []byte) (KeyID, error) {
	if len(sealed) < headerBytes || sealed[0] != version {
		return KeyID{}, fmt.Errorf("read sealed value: %w: not an envelope of version %d", ErrNotOpened, version)
	}
	return KeyID(sealed[1:headerBytes]), nil
}

// bound ties the envelope's header to the ciphertext together with aad; the
// header has a fixed length, so the two cannot be shifted against each other.
func bound(header []byte, aad string) []byte {
	return append(slices.Clone(header), aad...)
}

// Place is the aad of a value in the database: its column and the id of its
// row, such as Place("tenants.api_key_sealed", tenantID).
func Place(column, id string) string { return column + "/" + id }

// Places of the sealed columns.
const (
	TenantAPIKey = "tenants.api_key_sealed"
	BindingToken = "bindings.token_sealed"
)
