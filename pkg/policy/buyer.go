package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"towpath/pkg/canon"
)

// SharedKey is the key of the one contact that B2C consolidation books on.
const SharedKey = "web-sales"

const (
	sharedName   = "Web sales"
	maxNameRunes = 255
)

// Buyer is whom the ledger's document is made out to, in terms that every
// ledger accepts.
type Buyer struct {
	Key       string // canon.Contact.Key(), or SharedKey; at most 50 characters; becomes ContactNumber
	Shared    bool   // the one contact of B2C consolidation
	Name      string // by customer_name_priority; never empty, at most 255 runes, as CleanName leaves it
	Company   string
	FirstName string
	LastName  string
	Email     string
	Phone     string
	Addresses []canon.Address // billing first; empty on the shared contact
}

// BuyerOf is the buyer of inv under pol. The shared contact carries nothing of
// the person who happened to order: neither e-mail, phone nor address.
func BuyerOf(inv canon.Invoice, pol Policy) Buyer {
	if Consolidated(inv, pol) {
		return sharedBuyer(pol.B2CConsolidation)
	}
	c := inv.Customer
	return Buyer{
		Key:       c.Key(),
		Name:      displayName(c, pol.CustomerNamePriority),
		Company:   CleanName(c.CompanyName()),
		FirstName: CleanName(text(c.FirstName)),
		LastName:  CleanName(text(c.LastName)),
		Email:     strings.TrimSpace(c.Email),
		Phone:     phone(inv),
		Addresses: addresses(inv),
	}
}

// BuyerOfCustomer is a customer's own contact, as his profile is now. What the
// profile does not have may be known from an invoice, and stays.
func BuyerOfCustomer(who canon.Customer, pol Policy) Buyer {
	return BuyerOf(canon.Invoice{Customer: who.Contact}, Policy{CustomerNamePriority: pol.CustomerNamePriority})
}

// Consolidated reports whether inv goes to the shared contact: consolidation is
// on, the buyer is no company that must stay individual, and the grand total, in
// the invoice's own currency, is below min_total_for_individual. Without that
// minimum every such invoice is shared.
func Consolidated(inv canon.Invoice, pol Policy) bool {
	b := pol.B2CConsolidation
	if !b.Enabled {
		return false
	}
	if b.AlwaysIndividualForB2B && CleanName(inv.Customer.CompanyName()) != "" {
		return false
	}
	return b.MinTotalForIndividual == nil || inv.GrandTotal.LessThan(*b.MinTotalForIndividual)
}

func sharedBuyer(b B2CConsolidation) Buyer {
	name := CleanName(b.FallbackContactName)
	if name == "" {
		name = sharedName
	}
	return Buyer{Key: SharedKey, Shared: true, Name: name, Email: strings.TrimSpace(b.FallbackContactEmail)}
}

func displayName(c canon.Contact, priority string) string {
	candidates := []string{c.CompanyName(), c.PersonName(), c.Email, "Customer " + c.Key()}
	if priority == "person" {
		candidates[0], candidates[1] = candidates[1], candidates[0]
	}
	for _, candidate := range candidates {
		if name := CleanName(candidate); name != "" {
			return name
		}
	}
	return "" // unreachable: the last candidate is never empty
}

// CleanName is s as a ledger accepts a contact's name: valid UTF-8 without
// angle brackets, control and other invisible characters, single spaces, no
// space at either end, at most 255 runes.
func CleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '<', r == '>':
			return ' '
		case unicode.Is(unicode.Cf, r), r == utf8.RuneError, unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxNameRunes {
		s = strings.TrimRight(string([]rune(s)[:maxNameRunes]), " ")
	}
	return s
}

func phone(inv canon.Invoice) string {
	if p := strings.TrimSpace(text(inv.Customer.Phone)); p != "" {
		return p
	}
	if inv.BillingAddress != nil {
		return strings.TrimSpace(text(inv.BillingAddress.Telephone))
	}
	return ""
}

// addresses takes those of the document; where it has none of a kind (an order
// of downloads has no shipping address) the customer's own.
func addresses(inv canon.Invoice) []canon.Address {
	var list []canon.Address
	for _, want := range []struct {
		kind string
		on   *canon.Address
	}{{"billing", inv.BillingAddress}, {"shipping", inv.ShippingAddress}} {
		found := want.on
		for i := 0; found == nil && i < len(inv.Customer.Addresses); i++ {
			if inv.Customer.Addresses[i].Kind == want.kind {
				found = &inv.Customer.Addresses[i]
			}
		}
		if found == nil {
			continue
		}
		address := *found
		address.Kind = want.kind
		list = append(list, address)
	}
	return list
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
