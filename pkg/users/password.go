package users

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost is what one guess costs, of memory and of time.
type Cost struct {
	KiB    uint32
	Passes uint32
}

// usual is OWASP's recommendation for argon2id: 19 MiB, two passes, one lane.
func usual() Cost { return Cost{KiB: 19 * 1024, Passes: 2} }

// Most of what a stored hash may ask for: a row that somebody else wrote must not
// take the machine's memory.
const (
	maxKiB    = 256 * 1024
	maxPasses = 16
)

// The length of passwords, in characters and in bytes.
const (
	MinPassword      = 12
	maxPasswordBytes = 1024
)

// CheckPassword says in words for a person why a password is not taken.
func CheckPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return fmt.Errorf("the password has %d characters; use at least %d, such as those of: openssl rand -base64 18", n, MinPassword)
	case len(password) > maxPasswordBytes:
		return fmt.Errorf("the password is longer than %d bytes", maxPasswordBytes)
	case !utf8.ValidString(password):
		return errors.New("the password is not UTF-8")
	}
	return nil
}

// NewPassword makes one: 130 random bits that are read out and typed without
// mistakes.
func NewPassword() string { return strings.ToLower(rand.Text()) }

const saltBytes, digestBytes = 16, 32

// typed is a password as it is hashed: an umlaut is the same whether the keyboard
// composed it or not.
func typed(password string) []byte { return norm.NFC.Bytes([]byte(password)) }

// hash is a password's in PHC form: $argon2id$v=19$m=…,t=…,p=1$salt$digest.
func (c Cost) hash(password string) string {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	return c.phc(salt, argon2.IDKey(typed(password), salt, c.Passes, c.KiB, 1, digestBytes))
}

func (c Cost) phc(salt, digest []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, c.KiB, c.Passes, b64(salt), b64(digest))
}

// phc is a stored hash, taken apart.
type phc struct {
	cost         Cost
	lanes        uint8
	salt, digest []byte
}

func parsePHC(s string) (phc, error) {
	var p phc
	var version int
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, errors.New("no argon2id hash in PHC form")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return p, fmt.Errorf("argon2 version %q is not known", parts[2])
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.cost.KiB, &p.cost.Passes, &p.lanes); err != nil {
		return p, fmt.Errorf("read cost %q: %w", parts[3], err)
	}
	if p.cost.KiB < 8 || p.cost.KiB > maxKiB || p.cost.Passes < 1 || p.cost.Passes > maxPasses || p.lanes < 1 || p.lanes > 16 {
		return p, fmt.Errorf("cost %q is out of range", parts[3])
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(p.salt) < 8 {
		return p, errors.New("the salt cannot be read")
	}
	if p.digest, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.digest) < 16 || len(p.digest) > 64 {
		return p, errors.New("the digest cannot be read")
	}
	return p, nil
}

// is reports whether the password is the one that was hashed, in the same time
// either way.
func (p phc) is(password string) bool {
	given := argon2.IDKey(typed(password), p.salt, p.cost.Passes, p.cost.KiB, p.lanes, uint32(len(p.digest)))
	return subtle.ConstantTimeCompare(given, p.digest) == 1
}

// nobody is a hash that no password has: whoever names a user that is not there waits
// as long as one who errs.
func (c Cost) nobody() phc {
	return phc{cost: c, lanes: 1, salt: make([]byte, saltBytes), digest: make([]byte, digestBytes)}
}
