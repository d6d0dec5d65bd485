package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const keyBytes = 32

// howTo ends every complaint about a key.
const howTo = "make one with: openssl rand -base64 32"

// KeyID names a key without telling it: the first bytes of its SHA-256.
type KeyID [4]byte

func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

type key struct {
	id   KeyID
	aead cipher.AEAD
}

// ParseKeys makes a Box of one or more keys of 32 bytes, each in base64,
// separated by commas: the first seals, all open. Blanks and line ends around a
// key, as a file has them, do not count. No error shows any part of a key.
func ParseKeys(value string) (*Box, error) {
	if strings.TrimSpace(value) == "" {
		return nil, errors.New("parse secret key: it is empty; " + howTo)
	}
	parts := strings.Split(value, ",")
	box := &Box{}
	seen := map[string]int{}
	for i, part := range parts {
		raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("parse secret key %d of %d: it is not base64; %s", i+1, len(parts), howTo)
		}
		if len(raw) != keyBytes {
			return nil, fmt.Errorf("parse secret key %d of %d: it has %d bytes instead of %d; %s",
				i+1, len(parts), len(raw), keyBytes, howTo)
		}
		if first, again := seen[string(raw)]; again {
			return nil, fmt.Errorf("parse secret key %d of %d: it is the same as key %d", i+1, len(parts), first)
		}
		seen[string(raw)] = i + 1
		k, err := newKey(raw)
		if err != nil {
			return nil, err
		}
		box.keys = append(box.keys, k)
	}
	return box, nil
}

func newKey(raw []byte) (key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, fmt.Errorf("prepare secret key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, fmt.Errorf("prepare secret key: %w", err)
	}
	sum := sha256.Sum256(raw)
	return key{id: KeyID(sum[:len(KeyID{})]), aead: aead}, nil
}

// NewBox makes a Box with a key of its own that nobody keeps: what it seals can be
// opened for as long as the process lives.
func NewBox() (*Box, error) {
	raw := make([]byte, keyBytes)
	_, _ = rand.Read(raw) // never fails
	k, err := newKey(raw)
	return &Box{keys: []key{k}}, err
}
