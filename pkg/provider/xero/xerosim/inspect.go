package xerosim

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// Invoice is a document as a test or a page looks at it; money as text with two
// decimals.
type Invoice struct {
	ID, Number, Reference, Status, Type string
	ContactID, Currency, CurrencyRate   string
	Date, DueDate, URL                  string
	SubTotal, TotalTax, Total           string
	Lines                               []Line
}

// Line is one of its lines.
type Line struct {
	Description, Account, TaxType     string
	Quantity, Unit, Amount, TaxAmount string
	Item                              string // its code
}

// Contact is a contact as a test or a page looks at it.
type Contact struct {
	ID, Number, Name, Email, Status string
	FirstName, LastName, Phone      string
	City                            string // of the POBOX address
}

// Item is an item of the price list as a test or a page looks at it.
type Item struct{ ID, Code, Name, Account, Price string }

// Items are all items, oldest first.
func (s *Sim) Items() []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Item{}
	for _, i := range s.items {
		list = append(list, Item{i.id, i.code, i.name, i.account, decimalText(i.price)})
	}
	return list
}

// DeleteItem takes an item off the price list, as a person does in Xero.
func (s *Sim) DeleteItem(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = slices.DeleteFunc(s.items, func(i *item) bool { return i.code == code })
}

// Allocation is a part of a credit note that was set against an invoice.
type Allocation struct{ ID, CreditNote, Invoice, Amount string }

// Allocations are all that stand, oldest first.
func (s *Sim) Allocations() []Allocation {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Allocation{}
	for _, a := range s.allocations {
		list = append(list, Allocation{a.id, a.credit.number, a.invoice.number, a.amount.FloatString(2)})
	}
	return list
}

// Invoices are all documents, oldest first, whatever their status.
func (s *Sim) Invoices() []Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inspect(s.invoices)
}

func (s *Sim) inspect(documents []*invoice) []Invoice {
	list := []Invoice{}
	for _, v := range documents {
		shown := Invoice{
			ID: v.id, Number: v.number, Reference: v.reference, Status: s.standing(v), Type: v.kind, ContactID: v.contactID,
			Currency: v.currency, CurrencyRate: decimalText(v.rate), Date: v.date, DueDate: v.due, URL: v.url,
			SubTotal: v.sub.FloatString(2), TotalTax: v.tax.FloatString(2), Total: v.total.FloatString(2),
		}
		for _, l := range v.lines {
			shown.Lines = append(shown.Lines, Line{
				Description: l.description, Account: l.account, TaxType: l.taxType, Quantity: decimalText(l.quantity),
				Unit: decimalText(l.unit), Amount: l.amount.FloatString(2), TaxAmount: l.tax.FloatString(2), Item: l.item,
			})
		}
		list = append(list, shown)
	}
	return list
}

// Payment is a payment as a test or a page looks at it; Document is the number of
// the invoice or credit note.
type Payment struct {
	ID, Document, AccountID, Date, Reference, Amount string
}

// Payments are all payments that stand, oldest first.
func (s *Sim) Payments() []Payment {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Payment{}
	for _, p := range s.payments {
		if !p.deleted {
			list = append(list, Payment{p.id, p.of.number, p.accountID, p.date, p.reference, p.amount.FloatString(2)})
		}
	}
	return list
}

// CreditNotes are all credit notes, oldest first, whatever their status.
func (s *Sim) CreditNotes() []Invoice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inspect(s.credits)
}

// AmountDue is what is open on the invoice, or left of the credit note, with that
// number, with two decimals; empty where there is none.
func (s *Sim) AmountDue(number string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.invoiceBy("", number)
	if v == nil {
		v = s.creditBy("", number)
	}
	if v == nil {
		return ""
	}
	return s.due(v).FloatString(2)
}

// Contacts are all contacts, oldest first.
func (s *Sim) Contacts() []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Contact{}
	for _, k := range s.contacts {
		shown := Contact{
			ID: k.id, Number: k.number, Name: k.name, Email: k.email, Status: k.status,
			FirstName: stringOf(k.raw["FirstName"]), LastName: stringOf(k.raw["LastName"]), Phone: stringOf(typed(k.raw["Phones"], "PhoneType", "DEFAULT")["PhoneNumber"]),
			City: stringOf(typed(k.raw["Addresses"], "AddressType", "POBOX")["City"]),
		}
		list = append(list, shown)
	}
	return list
}

// typed is the entry of a list that has that type; empty where none has.
func typed(raw any, field, kind string) map[string]any {
	entries, _ := raw.([]any)
	for _, item := range entries {
		if entry, _ := item.(map[string]any); stringOf(entry[field]) == kind {
			return entry
		}
	}
	return nil
}

// Total is the sum that this Xero computed for the invoice with that number,
// with two decimals; empty where there is none.
func (s *Sim) Total(number string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.invoiceBy("", number); v != nil {
		return v.total.FloatString(2)
	}
	return ""
}

// Calls is how often an operation ("PUT /Invoices") was called, refused calls
// included.
func (s *Sim) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

// Batches is how many elements came in the calls of an operation ("PUT
// /Invoices") altogether, and how many in the largest: those of calls that were
// let in, whatever became of them.
func (s *Sim) Batches(operation string) (elements, largest int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.batches[operation]
	return n.elements, n.largest
}

// AllCalls are the counters of every operation.
func (s *Sim) AllCalls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// MostInFlight is the largest number of calls that were open at one moment.
func (s *Sim) MostInFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.maxSeenInFlight
}

// AddContact makes a contact as a person in Xero would, and returns its id. An
// empty number is usual there.
func (s *Sim) AddContact(number, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &contact{
		id: s.guid(), number: number, name: name, status: "ACTIVE", updated: s.cfg.Now(),
		raw: map[string]any{"ContactNumber": number, "Name": name},
	}
	s.contacts = append(s.contacts, k)
	return k.id
}

// RefuseContactsOnce refuses the next contact that is written with that number, in
// these words.
func (s *Sim) RefuseContactsOnce(number, said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusals == nil {
		s.refusals = map[string]string{}
	}
	s.refusals[number] = said
}

// ArchiveContact and RestoreContact are a person's acts in Xero.
func (s *Sim) ArchiveContact(id string) { s.setContact(id, "ARCHIVED", "") }

// RestoreContact undoes ArchiveContact.
func (s *Sim) RestoreContact(id string) { s.setContact(id, "ACTIVE", "") }

// MergeContact merges one contact into another: the first is archived and keeps
// its number, its documents move.
func (s *Sim) MergeContact(id, into string) {
	s.setContact(id, "ARCHIVED", into)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range slices.Concat(s.invoices, s.credits) {
		if v.contactID == id {
			v.contactID = into
		}
	}
}

func (s *Sim) setContact(id, status, merged string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.contactByID(id); k != nil {
		k.status, k.merged = status, merged
	}
}

// SetInvoiceStatus voids or deletes an invoice as a person would.
func (s *Sim) SetInvoiceStatus(number, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.invoiceBy("", number); v != nil {
		v.status = status
	}
}

// SetLockDates sets the period's and the year's lock date (YYYY-MM-DD, empty:
// none).
func (s *Sim) SetLockDates(period, endOfYear string) error {
	for _, day := range []string{period, endOfYear} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return errors.New("lock date " + day + " is not YYYY-MM-DD")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org.periodLock, s.org.endOfYear = period, endOfYear
	return nil
}

// SetAccountStatus archives or restores an account.
func (s *Sim) SetAccountStatus(code, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.org.account(code); a != nil {
		a.status = status
	}
}

// RemoveAccount takes an account out of the chart.
func (s *Sim) RemoveAccount(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org.accounts = slices.DeleteFunc(s.org.accounts, func(a account) bool { return a.code == code })
}

// AddTaxRate adds a tax rate for sales, in percent ("9.5"), or changes its rate.
func (s *Sim) AddTaxRate(taxType, percent string) error {
	rate, err := rational(percent)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.org.rate(taxType); known != nil {
		known.percent = rate
		return nil
	}
	s.org.rates = append(s.org.rates, taxRate{taxType: taxType, name: taxType, status: "ACTIVE", percent: rate, revenue: true})
	return nil
}

// SetTaxRateStatus deletes, archives or restores a tax rate.
func (s *Sim) SetTaxRateStatus(taxType, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.org.rate(taxType); r != nil {
		r.status = status
	}
}

// SetCurrencies replaces the enabled currencies; the base stays.
func (s *Sim) SetCurrencies(codes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org.currencies = append([]string{s.org.base}, codes...)
}

// SetApprovalsLeft is how many invoices the plan lets approve from now on; -1
// means no cap.
func (s *Sim) SetApprovalsLeft(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.approvals = n
}

// Hide makes a resource ("Currencies") answer 404, as an organisation without it
// does.
func (s *Sim) Hide(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org.hidden[strings.TrimPrefix(resource, "/")] = true
}

// ThemeID is the id of the branding theme with that name.
func (s *Sim) ThemeID(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.org.themes {
		if t.name == name {
			return t.id
		}
	}
	return ""
}
