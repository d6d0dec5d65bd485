package freeagent

import (
	"strings"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
)

type contactEnvelope struct {
	Contact contactBody `json:"contact"`
}

type contactBody struct {
	Organisation string `json:"organisation_name,omitempty"`
	FirstName    string `json:"first_name,omitempty"`
	LastName     string `json:"last_name,omitempty"`
	Email        string `json:"email,omitempty"`
	Phone        string `json:"phone_number,omitempty"`
	Address1     string `json:"address1,omitempty"`
	Address2     string `json:"address2,omitempty"`
	Address3     string `json:"address3,omitempty"`
	Town         string `json:"town,omitempty"`
	Region       string `json:"region,omitempty"`
	Postcode     string `json:"postcode,omitempty"`
	Country      string `json:"country,omitempty"`
}

// contactOf is the buyer in the wire's terms. It needs organisation_name, or
// both first_name and last_name: a buyer known by a person's whole name has
// those; every other name (a company's, half a name, an e-mail) is an
// organisation's.
func contactOf(buyer policy.Buyer) contactBody {
	body := contactBody{Email: buyer.Email, Phone: buyer.Phone}
	whole := buyer.FirstName != "" && buyer.LastName != ""
	isCompany := buyer.Company != "" && buyer.Name == buyer.Company
	if whole {
		body.FirstName, body.LastName = buyer.FirstName, buyer.LastName
	}
	if isCompany || body.FirstName == "" {
		body.Organisation = buyer.Name
	}
	if len(buyer.Addresses) > 0 {
		body.fillAddress(buyer.Addresses[0])
	}
	return body
}

// fillAddress puts a street of any number of lines into the wire's three.
func (b *contactBody) fillAddress(a canon.Address) {
	var street []string
	for _, line := range a.Street {
		if line = cleanText(line, maxField); line != "" {
			street = append(street, line)
		}
	}
	if len(street) > 3 {
		street = append(street[:2:2], strings.Join(street[2:], ", "))
	}
	for i, field := range []*string{&b.Address1, &b.Address2, &b.Address3} {
		if i < len(street) {
			*field = cleanText(street[i], maxField)
		}
	}
	b.Town = cleanText(a.City, maxField)
	b.Region = cleanText(text(a.Region), maxField)
	b.Postcode = cleanText(text(a.Postcode), maxField)
	b.Country = countryName(a.CountryID)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// address is the part of b that is an address.
func (b contactBody) address() contactBody {
	b.Organisation, b.FirstName, b.LastName, b.Email, b.Phone = "", "", "", "", ""
	return b
}

// without takes the optional parts out of what is to be created that refusal
// names, and notes it; false where it names none. Names are not optional on this
// wire.
func (s *sought) without(refusal answer) bool {
	said := strings.ToLower(words(refusal.body))
	var dropped []string
	b := &s.body
	taken := containsAny(said, "taken", "duplicate") && !strings.Contains(said, "name")
	if b.Email != "" && (taken || containsAny(said, "email", "e-mail")) {
		b.Email, dropped = "", append(dropped, "e-mail")
	}
	said = strings.ReplaceAll(strings.ReplaceAll(said, "email address", ""), "e-mail address", "")
	if b.Phone != "" && containsAny(said, "phone", "mobile") {
		b.Phone, dropped = "", append(dropped, "phone")
	}
	bare := contactBody{Organisation: b.Organisation, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Phone: b.Phone}
	if *b != bare && containsAny(said, "address", "town", "region", "postcode", "country") {
		*b, dropped = bare, append(dropped, "address")
	}
	done := "made"
	if s.update {
		done = "changed"
	}
	for _, part := range dropped {
		s.notes = append(s.notes, "the contact is "+done+" without its "+part+", which the ledger refused")
	}
	// What is left may exist: it is looked for by what is left.
	s.looked, s.found, s.fit = false, "", 0
	return len(dropped) > 0
}
