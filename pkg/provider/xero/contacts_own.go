package xero

import (
	"encoding/json"
	"strings"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// wanted is a buyer's contact as it is to be created: it changes with what Xero
// refuses.
type wanted struct {
	buyer  policy.Buyer
	shop   string   // names the shop in a number; empty: there is no such number
	names  []string // those not refused yet
	number string
	less   map[string]bool // optional parts that Xero did not take
	notes  []string
}

func newWanted(buyer policy.Buyer, shop string) *wanted {
	w := &wanted{buyer: buyer, shop: shop, names: contactNames(buyer, shop), number: buyer.Key, less: map[string]bool{}}
	if strings.TrimSpace(buyer.Email) != "" && email(buyer.Email) == "" {
		w.note("the contact is made without its e-mail, which Xero would not take")
	}
	return w
}

func (w *wanted) note(text string) { w.notes = append(w.notes, text) }

func (w *wanted) name() string { return w.names[0] }

// numbers are those under which the contact may exist.
func (w *wanted) numbers() []string {
	if own := shopNumber(w.buyer.Key, w.shop); own != "" {
		return []string{w.buyer.Key, own}
	}
	return []string{w.buyer.Key}
}

const maxContactNumber = 50

// shopNumber is the number of a customer whose own is a stranger's in Xero: it
// names the shop as well, is the same at every try, and fits into Xero's 50
// characters. Nobody else gives such numbers.
func shopNumber(key, shop string) string {
	if shop == "" || key == "" {
		return ""
	}
	suffix := "-" + cut(strings.ReplaceAll(strings.ToLower(shop), "-", ""), 8)
	return cut(key, maxContactNumber-len(suffix)) + suffix
}

// own reports whether the contact that bears the buyer's number is provably the
// buyer's: its number names the shop, or a guest's e-mail and name (which the
// number is made of); or the shop has known it; or its e-mail or name is the
// buyer's. Where several shops write to the organisation, a name does not outweigh
// another e-mail: two shops count their customers alike, and names are not rare.
func (w *wanted) own(found contactAnswer, try provider.Try) bool {
	number := string(found.ContactNumber)
	if try.Known != "" && strings.EqualFold(string(found.ContactID), try.Known) ||
		number == shopNumber(w.buyer.Key, w.shop) || canon.IsGuestKey(number) {
		return true
	}
	theirs, ours := strings.TrimSpace(string(found.EmailAddress)), strings.TrimSpace(w.buyer.Email)
	if theirs != "" && strings.EqualFold(theirs, ours) {
		return true
	}
	if try.Shared && theirs != "" && ours != "" {
		return false
	}
	return w.sameName(found)
}

// ownName reports whether an active contact with the buyer's name is his own under
// another number: it has his e-mail too. Name alone says nothing.
func (w *wanted) ownName(found contactAnswer) bool {
	theirs := strings.TrimSpace(string(found.EmailAddress))
	return theirs != "" && strings.EqualFold(theirs, strings.TrimSpace(w.buyer.Email)) && w.sameName(found)
}

func (w *wanted) sameName(found contactAnswer) bool {
	name := policy.CleanName(string(found.Name))
	for _, ours := range contactNames(w.buyer, w.shop) {
		if strings.EqualFold(name, ours) {
			return true
		}
	}
	return w.buyer.FirstName != "" && w.buyer.LastName != "" &&
		strings.EqualFold(policy.CleanName(string(found.FirstName)), w.buyer.FirstName) &&
		strings.EqualFold(policy.CleanName(string(found.LastName)), w.buyer.LastName)
}

// useShopNumber gives the buyer the number that names the shop, since a stranger
// has his own; false where there is none, or he has it already.
func (w *wanted) useShopNumber(stranger contactAnswer) bool {
	number := shopNumber(w.buyer.Key, w.shop)
	if number == "" || number == w.number {
		return false
	}
	w.note("contact code " + w.number + " is another contact's in Xero (" + string(stranger.Name) + "): the buyer's contact has the code " + number)
	w.number = number
	return true
}

// clash is what Xero refused of a contact.
type clash struct {
	number, name bool
	parts        []string // optional ones
}

func (c clash) any() bool { return c.number || c.name || len(c.parts) > 0 }

// The optional parts of a contact, and the words by which Xero names them.
var optionalParts = []struct{ part, word string }{
	{"e-mail", "email"}, {"e-mail", "e-mail"},
	{"phone", "phone"},
	{"address", "address"}, {"address", "postal"}, {"address", "city"}, {"address", "region"}, {"address", "country"}, {"address", "attention"},
	{"first and last name", "first name"}, {"first and last name", "firstname"},
	{"first and last name", "last name"}, {"first and last name", "lastname"},
}

// clashOf reads the words of a refusal. A line about the contact's name or number
// may hold any word, since it holds the name.
func clashOf(err error) clash {
	var c clash
	f := provider.AsFailure(err)
	if f.Kind != provider.Refused && !hasReason(err, reasonContactTaken, reasonNameTaken, reasonContactArchived) {
		return c
	}
	for line := range strings.SplitSeq(strings.ToLower(f.Detail), "; ") {
		switch {
		case strings.Contains(line, "contact name"):
			c.name = c.name || strings.Contains(line, "already assigned")
		case strings.Contains(line, "contact number"), strings.Contains(line, "archived"):
			c.number = true
		default:
			c.parts = append(c.parts, partsNamed(line)...)
		}
	}
	return c
}

// partsNamed are the optional parts that a line of Xero's names. "Email address"
// is no address.
func partsNamed(line string) []string {
	line = strings.ReplaceAll(strings.ReplaceAll(line, "email address", "email"), "e-mail address", "email")
	var parts []string
	for _, o := range optionalParts {
		if strings.Contains(line, o.word) {
			parts = append(parts, o.part)
		}
	}
	return parts
}

// without changes what is wanted by what was refused; false where nothing is left
// to change.
func (w *wanted) without(c clash) bool {
	changed := c.number // settled gave it another
	if c.name {
		if w.names = w.names[1:]; len(w.names) == 0 {
			w.names = contactNames(w.buyer, w.shop)
			return false
		}
		changed = true
	}
	for _, p := range c.parts {
		if !w.less[p] {
			w.less[p], changed = true, true
			w.note("the contact is made without its " + p + ", which Xero refused")
		}
	}
	return changed
}

// body is what creates the contact.
func (w *wanted) body() ([]byte, error) {
	contact := contactOf(w.buyer, w.name(), w.number)
	if w.less["e-mail"] {
		contact.EmailAddress = ""
	}
	if w.less["phone"] {
		contact.Phones = nil
	}
	if w.less["address"] {
		contact.Addresses = nil
	}
	if w.less["first and last name"] {
		contact.FirstName, contact.LastName = "", ""
		for i := range contact.Addresses {
			contact.Addresses[i].AttentionTo = ""
		}
	}
	return json.Marshal(contactsBody{Contacts: []contactBody{contact}})
}
