package canon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// Key names the customer across invoices: the shop's customer id, or for a
// guest a hash of e-mail and name in lower case: shops give one placeholder
// address to all who have none. A guest without an e-mail is told from others by
// everything the shop knows of them, so that two strangers never share a contact. It is the ContactNumber in Xero and the key under which a
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
	} else if name := c.guestName(); name != "" {
		identity += "\n" + name
	}
	sum := sha256.Sum256([]byte(identity))
	return guestPrefix + hex.EncodeToString(sum[:16])
}

const guestPrefix = "guest-"

// IsGuestKey reports whether key is one that Key gives to a guest: it is proof of
// the e-mail and name that it was made of.
func IsGuestKey(key string) bool {
	hash, ok := strings.CutPrefix(key, guestPrefix)
	return ok && len(hash) == 32 && strings.Trim(hash, "0123456789abcdef") == ""
}

// guestName is what tells guests with one e-mail apart.
func (c Contact) guestName() string {
	name := c.PersonName()
	if name == "" {
		name = c.CompanyName()
	}
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
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
