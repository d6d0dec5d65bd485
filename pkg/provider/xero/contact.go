package xero

import (
	"strings"
	"unicode"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
)

const (
	maxName  = 255
	maxEmail = 255
)

type contactsBody struct {
	Contacts []contactBody
}

type contactBody struct {
	Name          string
	ContactNumber string
	FirstName     string        `json:",omitempty"`
	LastName      string        `json:",omitempty"`
	EmailAddress  string        `json:",omitempty"`
	Addresses     []addressBody `json:",omitempty"`
	Phones        []phoneBody   `json:",omitempty"`
}

type addressBody struct {
	AddressType  string
	AddressLine1 string `json:",omitempty"`
	AddressLine2 string `json:",omitempty"`
	AddressLine3 string `json:",omitempty"`
	AddressLine4 string `json:",omitempty"`
	City         string `json:",omitempty"`
	Region       string `json:",omitempty"`
	PostalCode   string `json:",omitempty"`
	Country      string `json:",omitempty"`
	AttentionTo  string `json:",omitempty"`
}

type phoneBody struct {
	PhoneType   string
	PhoneNumber string
}

// contactOf is what creates buyer under the given name and number.
func contactOf(buyer policy.Buyer, name, number string) contactBody {
	contact := contactBody{
		Name: name, ContactNumber: number,
		FirstName: cut(clean(buyer.FirstName), 255), LastName: cut(clean(buyer.LastName), 255),
		EmailAddress: email(buyer.Email),
	}
	for _, a := range buyer.Addresses {
		contact.Addresses = append(contact.Addresses, address(a, attention(buyer)))
	}
	if phone := cut(clean(buyer.Phone), 50); phone != "" {
		contact.Phones = []phoneBody{{PhoneType: "DEFAULT", PhoneNumber: phone}}
	}
	return contact
}

// contactNames are the names to try, one after another: names are unique among
// active contacts, so a namesake gets the customer's key behind his name, and the
// shop behind that where another shop's has the same.
func contactNames(buyer policy.Buyer, shop string) []string {
	name := cut(policy.CleanName(buyer.Name), maxName)
	names := []string{name, suffixed(name, shortKey(buyer.Key))}
	if shortKey(buyer.Key) != buyer.Key {
		names = append(names, suffixed(name, buyer.Key))
	}
	if own := shopNumber(buyer.Key, shop); own != "" {
		names = append(names, suffixed(name, own))
	}
	return names
}

func suffixed(name, key string) string {
	suffix := " (M-" + key + ")"
	return cut(name, maxName-units(suffix)) + suffix
}

// shortKey makes a guest's hash bearable to read: guest-1f2e3d4c.
func shortKey(key string) string {
	if rest, ok := strings.CutPrefix(key, "guest-"); ok && len(rest) > 8 {
		return "guest-" + rest[:8]
	}
	return key
}

// email is s if Xero takes it (umlauts are not supported), else empty: a
// contact without an e-mail is better than none.
func email(s string) string {
	s = strings.TrimSpace(s)
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(local) > maxLocalPart || !strings.Contains(domain, ".") || len(s) > maxEmail || !asciiOnly(s) ||
		strings.ContainsAny(s, " <>,;:()[]\\\"") || strings.Contains(domain, "@") || !dotted(local) || !dotted(domain) {
		return ""
	}
	return s
}

const maxLocalPart = 64

// dotted reports whether no dot of s stands at an end or beside another.
func dotted(s string) bool {
	return s != "" && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}

// attention is the person at a company, for the address.
func attention(buyer policy.Buyer) string {
	person := clean(buyer.FirstName + " " + buyer.LastName)
	if strings.EqualFold(person, clean(buyer.Name)) {
		return ""
	}
	return cut(person, 255)
}

// address is a in Xero's terms. Invoices print the POBOX address, so that is
// the billing one. Streets beyond four lines share the last.
func address(a canon.Address, attentionTo string) addressBody {
	kind := "POBOX"
	if a.Kind == "shipping" {
		kind = "STREET"
	}
	var lines [4]string
	for i, s := range a.Street {
		i = min(i, len(lines)-1)
		lines[i] = cut(clean(lines[i]+" "+s), 500)
	}
	return addressBody{
		AddressType: kind, AddressLine1: lines[0], AddressLine2: lines[1], AddressLine3: lines[2], AddressLine4: lines[3],
		City: cut(clean(a.City), 255), Region: cut(clean(value(a.Region)), 255), PostalCode: cut(clean(value(a.Postcode)), 50),
		Country: letters(a.CountryID), AttentionTo: attentionTo,
	}
}

// letters keeps what Xero allows in Country: A to Z, at most 50.
func letters(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII && unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
	return cut(s, 50)
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
