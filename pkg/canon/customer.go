package canon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// Key names the customer across invoices: the shop's customer id, or for a
// guest a hash of the e-mail in lower case. A guest without an e-mail is told
// from others by everything the shop knows of them, so that two strangers never
// share a contact. It is the ContactNumber in Xero and the key under which a
// contact is remembered; it has at most 50 characters.
func (c Contact) Key() string {
	if c.MagentoID > 0 {
		return strconv.FormatInt(int64(c.MagentoID), 10)
	}
	identity := strings.ToLower(strings.TrimSpace(c.Email))
	if identity == "" {
		known, err := json.Marshal(c)
		if err != nil {
			panic(err) // unreachable: a Contact holds only texts and integers
		}
		identity = string(known)
	}
	sum := sha256.Sum256([]byte(identity))
	return "guest-" + hex.EncodeToString(sum[:16])
}

// IsGuest reports whether the buyer has no account in the shop.
func (c Contact) IsGuest() bool { return c.MagentoID == 0 }

// PersonName is first and last name, empty where the shop has neither.
func (c Contact) PersonName() string {
	return strings.TrimSpace(value(c.FirstName) + " " + value(c.LastName))
}

// CompanyName is the company, empty where the shop has none.
func (c Contact) CompanyName() string { return strings.TrimSpace(value(c.Company)) }

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
