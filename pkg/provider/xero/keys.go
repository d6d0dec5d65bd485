package xero

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// derivedKey is a key for another body than the one that key stands for.
func derivedKey(key string, parts ...string) string {
	sum := sha256.Sum256([]byte(key + "\n" + strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}
