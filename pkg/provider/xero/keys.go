package xero

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// derivedKey is a key for another body than the one that key stands for.
func derivedKey(key string, parts ...string) string {
	sum := sha256.Sum256([]byte(key + "\n" + strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

// freshKey is a key that no earlier attempt has used.
func (c *Client) freshKey(key string) string {
	return derivedKey(key, "afresh", strconv.FormatInt(c.now().UnixNano(), 10))
}
