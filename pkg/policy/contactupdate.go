package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// ContactUpdate is a buyer's contact as the ledger's is to become: what Buyer does
// not have is left there as it is.
type ContactUpdate struct {
	ContactID string // the ledger's: a GUID, or the URL on wire v2
	Buyer     Buyer
}

// Key is the contact's id.
func (u ContactUpdate) Key() string { return u.ContactID }

// Hash changes with everything that is written of the buyer, so that news is told
// from a repetition.
func (u ContactUpdate) Hash() string {
	buyer, err := json.Marshal(u.Buyer)
	if err != nil {
		panic(err) // unreachable: a Buyer holds only texts
	}
	sum := sha256.Sum256(buyer)
	return hex.EncodeToString(sum[:])
}
