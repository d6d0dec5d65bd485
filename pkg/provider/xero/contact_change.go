package xero

import (
	"encoding/json"
	"strings"

	"towpath/pkg/policy"
)

// contactChange is what is written of a contact that exists: only what the shop
// owns, and only where it differs. What the shop does not have is left alone: a
// partial POST keeps fields that it does not name (reference of the API, Contacts).
type contactChange struct {
	ContactID    string
	Name         string              // also where it stays: a refused element is known by it
	FirstName    string              `json:",omitempty"`
	LastName     string              `json:",omitempty"`
	EmailAddress string              `json:",omitempty"`
	Addresses    []map[string]string `json:",omitempty"`
	Phones       []map[string]string `json:",omitempty"`
}

// changed is a buyer's contact on its way to what the shop has of him.
type changed struct {
	*wanted
	shown contactAnswer
	id    string // of the contact that stands for it now, where it was merged
}

// change is what has to be written now, and whether that is anything.
func (w changed) change() (contactChange, bool) {
	c := contactChange{ContactID: w.id, Name: string(w.shown.Name)}
	target := contactOf(w.buyer, w.name(), "")
	renamed := w.renames()
	if renamed {
		c.Name = target.Name
	}
	if !w.less["first and last name"] {
		c.FirstName, c.LastName = news(w.shown.FirstName, target.FirstName), news(w.shown.LastName, target.LastName)
	}
	if !w.less["e-mail"] {
		c.EmailAddress = news(w.shown.EmailAddress, target.EmailAddress)
	}
	if !w.less["address"] {
		c.Addresses = w.addresses(target.Addresses)
	}
	if !w.less["phone"] && len(target.Phones) > 0 {
		c.Phones = w.phones(target.Phones[0])
	}
	return c, renamed || c.FirstName != "" || c.LastName != "" || c.EmailAddress != "" || c.Addresses != nil || c.Phones != nil
}

// renames reports whether the contact gets another name. A name that is already one
// of the buyer's, with or without what was put behind it, stays. A person's name
// does not replace a company's, which an invoice knew and the profile does not; nor
// does an e-mail or a number that stands in for a name replace any.
func (w changed) renames() bool {
	name := policy.CleanName(string(w.shown.Name))
	for _, ours := range contactNames(w.buyer, w.shop) {
		if strings.EqualFold(name, ours) {
			return false
		}
	}
	if w.buyer.Company != "" {
		return true
	}
	person := policy.CleanName(string(w.shown.FirstName) + " " + string(w.shown.LastName))
	return w.buyer.FirstName+w.buyer.LastName != "" && person != "" && strings.EqualFold(unsuffixed(name), person)
}

// unsuffixed is a contact's name without the key that stands behind a namesake's.
func unsuffixed(name string) string {
	if i := strings.LastIndex(name, " (M-"); i > 0 && strings.HasSuffix(name, ")") {
		return name[:i]
	}
	return name
}

// news is ours where it says something else than theirs.
func news(theirs text, ours string) string {
	if clean(string(theirs)) == clean(ours) {
		return ""
	}
	return ours
}

// addresses are all of the contact's, with the buyer's in their places; nil where
// none is news. An address is replaced as a whole: half of an old one under half of
// a new one is nobody's. So each of its lines is said, also an empty one.
func (w changed) addresses(target []addressBody) []map[string]string {
	all, different := shownAs(w.shown.Addresses, "AddressType"), false
	for _, a := range target {
		ours := map[string]string{}
		raw, err := json.Marshal(wholeAddress(a))
		if err != nil || json.Unmarshal(raw, &ours) != nil {
			continue // unreachable: an address holds only texts
		}
		var set bool
		all, set = placed(all, "AddressType", ours)
		different = different || set
	}
	if !different {
		return nil
	}
	return all
}

// wholeAddress has every field of an address, also those that are empty.
type wholeAddress struct {
	AddressType, AddressLine1, AddressLine2, AddressLine3, AddressLine4 string
	City, Region, PostalCode, Country, AttentionTo                      string
}

// phones are the contact's slots with the buyer's in its own; nil where it is known.
func (w changed) phones(ours phoneBody) []map[string]string {
	slot := map[string]string{"PhoneType": ours.PhoneType, "PhoneNumber": ours.PhoneNumber}
	for _, shown := range w.shown.Phones {
		dialled := string(shown["PhoneCountryCode"]) + string(shown["PhoneAreaCode"]) + string(shown["PhoneNumber"])
		if string(shown["PhoneType"]) == ours.PhoneType && digits(dialled) == digits(ours.PhoneNumber) {
			return nil // Xero may have taken the number apart
		}
	}
	slot["PhoneAreaCode"], slot["PhoneCountryCode"] = "", ""
	all, _ := placed(shownAs(w.shown.Phones, "PhoneType"), "PhoneType", slot)
	return all
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// shownAs are those of shown that have a type, as they would be sent back.
func shownAs(shown list[map[string]text], kind string) []map[string]string {
	var all []map[string]string
	for _, one := range shown {
		back := map[string]string{}
		for name, value := range one {
			if value != "" {
				back[name] = string(value)
			}
		}
		if len(back) > 1 && back[kind] != "" {
			all = append(all, back)
		}
	}
	return all
}

// placed puts ours in the place of its type; false where nothing differs.
func placed(all []map[string]string, kind string, ours map[string]string) ([]map[string]string, bool) {
	for i, one := range all {
		if one[kind] != ours[kind] {
			continue
		}
		for name, value := range ours {
			if clean(one[name]) != clean(value) {
				all[i] = ours
				return all, true
			}
		}
		return all, false
	}
	return append(all, ours), true
}
