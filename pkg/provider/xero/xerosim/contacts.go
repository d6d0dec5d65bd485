package xerosim

import (
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// contact is a contact as Xero keeps it.
type contact struct {
	id, number, name, email, status, merged string
	raw                                     map[string]any
	updated                                 time.Time
}

func (s *Sim) contactByID(id string) *contact {
	for _, k := range s.contacts {
		if id != "" && strings.EqualFold(k.id, id) {
			return k
		}
	}
	return nil
}

func (s *Sim) contactByNumber(number string) *contact {
	for _, k := range s.contacts {
		if number != "" && strings.EqualFold(k.number, number) {
			return k
		}
	}
	return nil
}

// contactOf finds the contact that an invoice names by id or number.
func (s *Sim) contactOf(raw any, fault func(string, ...any)) (*contact, error) {
	given, _ := raw.(map[string]any)
	id, number := stringOf(given["ContactID"]), stringOf(given["ContactNumber"])
	var found *contact
	switch {
	case id != "":
		if found = s.contactByID(id); found == nil {
			return nil, unknownContact{id}
		}
	case number != "":
		found = s.contactByNumber(number)
	}
	if found == nil {
		fault("A Contact must be specified for this type of transaction")
		return nil, nil
	}
	if found.status != "ACTIVE" {
		fault("The contact with the specified contact details has been archived. The contact must be un-archived before creating new invoices or credit notes.")
	}
	return found, nil
}

func (s *Sim) writeContacts(c call) answer {
	if c.unread != nil {
		return *c.unread
	}
	var shown []fields
	failed := false
	for _, element := range c.elements {
		if c.id != "" {
			element["ContactID"] = c.id
		}
		if id := stringOf(element["ContactID"]); id != "" && s.contactByID(id) == nil {
			return notFound()
		}
		made, faults := s.takeContact(c, element)
		if len(faults) > 0 {
			failed = true
			f := s.echo(element, "ContactID", faults)
			f["HasValidationErrors"] = s.flag(true)
			shown = append(shown, f)
			continue
		}
		shown = append(shown, s.showContact(made, true))
	}
	return s.batch(c, "Contacts", shown, failed)
}

// takeContact creates one; POST updates whatever has the id, the number or the
// name, and leaves alone what it does not name.
func (s *Sim) takeContact(c call, e map[string]any) (*contact, []string) {
	var existing *contact
	if c.method == http.MethodPost {
		if existing = s.contactByID(stringOf(e["ContactID"])); existing == nil {
			existing = s.contactByNumber(stringOf(e["ContactNumber"]))
		}
		if existing == nil {
			existing = s.activeNamed(stringOf(e["Name"]))
		}
		if existing != nil { // what is not named stays
			merged := maps.Clone(existing.raw)
			maps.Copy(merged, e)
			e = merged
		}
	}
	k := &contact{
		number: stringOf(e["ContactNumber"]), name: stringOf(e["Name"]), email: stringOf(e["EmailAddress"]),
		status: "ACTIVE", raw: e, updated: s.cfg.Now(),
	}
	if existing != nil && existing.status != "ACTIVE" {
		return nil, []string{"The specified contact details matched an archived contact. Archived contacts cannot currently be edited via the API."}
	}
	if faults := s.checkContact(k, existing); len(faults) > 0 {
		return nil, faults
	}
	if existing != nil {
		k.id, k.status = existing.id, existing.status
		*existing = *k
		return existing, nil
	}
	k.id = s.guid()
	s.contacts = append(s.contacts, k)
	return k, nil
}

var lettersOnly = regexp.MustCompile(`^[A-Za-z]*$`)

func (s *Sim) checkContact(k, existing *contact) []string {
	var faults []string
	fault := func(text string) { faults = append(faults, text) }
	switch {
	case k.name == "" && existing == nil:
		fault("The Contact Name must be specified")
	case k.name != strings.TrimSpace(k.name), strings.Contains(k.name, "  "), strings.ContainsAny(k.name, "<>"), len([]rune(k.name)) > 255:
		fault("The Contact Name is not valid")
	}
	if len(k.number) > 50 {
		fault("ContactNumber must not exceed 50 characters")
	}
	if other := s.contactByNumber(k.number); other != nil && other != existing {
		if other.status != "ACTIVE" {
			fault("The specified contact details matched an archived contact. Archived contacts cannot currently be edited via the API.")
		} else {
			fault("Another contact has this contact number. The contact number must be unique.")
		}
	}
	if other := s.activeNamed(k.name); other != nil && other != existing {
		fault("The contact name " + k.name + " is already assigned to another contact. The contact name must be unique across all active contacts.")
	}
	if k.email != "" && !validEmail(k.email) {
		fault("Email address must be valid.")
	}
	if said := s.refusals[k.number]; said != "" {
		delete(s.refusals, k.number)
		fault(said)
	}
	return append(faults, checkAddresses(k.raw)...)
}

// validEmail is stricter than the standard, as Xero is: no dot at an end or beside
// another, no comment, no umlaut, no scheme.
func validEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > 255 || len(local) > 64 || strings.ContainsAny(s, " <>()[],;:\\\"") || strings.Contains(domain, "@") || !strings.Contains(domain, ".") {
		return false
	}
	for _, part := range []string{local, domain} {
		if part == "" || part[0] == '.' || part[len(part)-1] == '.' || strings.Contains(part, "..") {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

func checkAddresses(raw map[string]any) []string {
	var faults []string
	list, _ := raw["Addresses"].([]any)
	for _, item := range list {
		a, _ := item.(map[string]any)
		if kind := stringOf(a["AddressType"]); kind != "POBOX" && kind != "STREET" {
			faults = append(faults, "AddressType must be POBOX or STREET")
		}
		if country := stringOf(a["Country"]); !lettersOnly.MatchString(country) || len(country) > 50 {
			faults = append(faults, "Country is not valid")
		}
		for name, limit := range map[string]int{
			"AddressLine1": 500, "AddressLine2": 500, "AddressLine3": 500, "AddressLine4": 500,
			"City": 255, "Region": 255, "PostalCode": 50, "AttentionTo": 255,
		} {
			if len([]rune(stringOf(a[name]))) > limit {
				faults = append(faults, name+" is too long")
			}
		}
	}
	return faults
}

func (s *Sim) activeNamed(name string) *contact {
	for _, k := range s.contacts {
		if k.status == "ACTIVE" && name != "" && strings.EqualFold(k.name, name) {
			return k
		}
	}
	return nil
}

// getContacts lists or shows contacts. Archived ones are shown on demand; where a
// contact was merged into is told only to who asks for one, or for a page.
func (s *Sim) getContacts(c call) answer {
	if c.id != "" {
		k := s.contactByID(c.id)
		if k == nil {
			k = s.contactByNumber(c.id)
		}
		if k == nil {
			return answer{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html"}}}
		}
		return s.document(http.StatusOK, fields{"Contacts": []fields{s.showContact(k, true)}})
	}
	return list(s, c, "Contacts", s.contacts, lister[*contact]{
		fields: (*contact).fields, updated: func(k *contact) time.Time { return k.updated }, show: s.showContact,
		orders: []string{"UpdatedDateUTC", "Name", "ContactID"}, lists: map[string]string{"IDs": "ContactID"},
		also: []string{"includeArchived", "searchTerm", "summaryOnly"},
		keep: func(k *contact) bool {
			return (k.status == "ACTIVE" || c.get("includeArchived") == "true") && k.matches(c.get("searchTerm"))
		},
	})
}

// matches is Xero's search: any of the names, numbers and addresses has the term.
func (k *contact) matches(term string) bool {
	for _, text := range []string{k.name, k.number, k.email, stringOf(k.raw["FirstName"]), stringOf(k.raw["LastName"]), stringOf(k.raw["CompanyNumber"])} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(term)) {
			return true
		}
	}
	return false
}

// fields are what a where clause may ask for.
func (k *contact) fields() map[string]string {
	return map[string]string{"ContactNumber": k.number, "EmailAddress": k.email, "Name": k.name, "ContactID": k.id, "UpdatedDateUTC": k.updated.UTC().Format(time.RFC3339Nano)}
}

func (s *Sim) showContact(k *contact, single bool) fields {
	f := fields{
		"ContactID": k.id, "ContactNumber": k.number, "ContactStatus": k.status, "Name": k.name, "EmailAddress": k.email,
		"FirstName": stringOf(k.raw["FirstName"]), "LastName": stringOf(k.raw["LastName"]),
		"Addresses": orEmpty(k.raw["Addresses"]), "Phones": phones(k.raw["Phones"]), "ContactPersons": []fields{},
		"HasValidationErrors": s.flag(false), "UpdatedDateUTC": msDay(k.updated.UTC().Format(time.DateOnly)),
	}
	if single && k.merged != "" {
		f["MergedToContactID"] = k.merged
	}
	return f
}

// phones pads to Xero's four slots.
func phones(raw any) []fields {
	list := []fields{}
	for _, kind := range []string{"DDI", "DEFAULT", "FAX", "MOBILE"} {
		slot := fields{"PhoneType": kind, "PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""}
		given, _ := raw.([]any)
		for _, item := range given {
			if p, _ := item.(map[string]any); stringOf(p["PhoneType"]) == kind {
				slot["PhoneNumber"], slot["PhoneAreaCode"] = stringOf(p["PhoneNumber"]), stringOf(p["PhoneAreaCode"])
				slot["PhoneCountryCode"] = stringOf(p["PhoneCountryCode"])
			}
		}
		list = append(list, slot)
	}
	return list
}

func orEmpty(raw any) any {
	if raw == nil {
		return []fields{}
	}
	return raw
}
