package freeagentsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type contact struct {
	id      int
	fields  map[string]string
	created time.Time
}

func (c *contact) outside() Contact { return Contact{ID: c.id, Fields: maps.Clone(c.fields)} }

func (c *contact) shown(base string) map[string]any {
	shown := map[string]any{
		"url": fmt.Sprintf("%s/contacts/%d", base, c.id), "account_balance": "0.0", "active_projects_count": 0,
		"created_at": stamp(c.created), "updated_at": stamp(c.created),
	}
	for key, value := range c.fields {
		if value != "" {
			shown[key] = value
		}
	}
	return shown
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func contactFields() []string {
	return []string{
		"organisation_name", "first_name", "last_name", "email", "billing_email", "phone_number", "mobile",
		"address1", "address2", "address3", "town", "region", "postcode", "country", "charge_sales_tax", "locale", "status",
	}
}

// unwrap reads {"kind":{...}}.
func unwrap(body []byte, kind string) (map[string]json.RawMessage, bool) {
	var envelope map[string]json.RawMessage
	if json.Unmarshal(body, &envelope) != nil || len(envelope) != 1 {
		return nil, false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(envelope[kind], &fields) != nil || fields == nil {
		return nil, false
	}
	return fields, true
}

func (s *Server) createContact(base string, body []byte) reply {
	fields := map[string]string{"charge_sales_tax": "Auto", "status": "Active"}
	if refusal := s.readContact(body, fields, nil); refusal.status != 0 {
		return refusal
	}
	c := &contact{id: s.nextID(), fields: fields, created: s.cfg.Now()}
	s.contacts = append(s.contacts, c)
	return created(fmt.Sprintf("%s/contacts/%d", base, c.id), map[string]any{"contact": c.shown(base)})
}

// updateContact changes the fields that are sent, and leaves the others.
func (s *Server) updateContact(base, id string, body []byte) reply {
	at := slices.IndexFunc(s.contacts, func(c *contact) bool { return strconv.Itoa(c.id) == id })
	if at < 0 {
		return notFound()
	}
	fields := maps.Clone(s.contacts[at].fields)
	if refusal := s.readContact(body, fields, s.contacts[at]); refusal.status != 0 {
		return refusal
	}
	s.contacts[at].fields = fields
	return ok(map[string]any{"contact": s.contacts[at].shown(base)})
}

// readContact puts the fields of body into fields, and checks them; own is the
// contact that they are of, nil for a new one.
func (s *Server) readContact(body []byte, fields map[string]string, own *contact) reply {
	raw, ok := unwrap(body, "contact")
	if !ok {
		return malformed("param is missing or the value is empty: contact")
	}
	for key, value := range raw {
		var text string
		if !slices.Contains(contactFields(), key) {
			return malformed("found unpermitted parameters: " + key)
		}
		if !bytes.Equal(value, []byte("null")) && json.Unmarshal(value, &text) != nil {
			return malformed(fmt.Sprintf("'%s' parameter does not match expected type 'string'", key))
		}
		fields[key] = text
	}
	if refusals := s.contactFaults(fields, own); len(refusals) > 0 {
		return invalid(refusals...)
	}
	return reply{}
}

func (s *Server) contactFaults(fields map[string]string, own *contact) []string {
	var faults []string
	if fields["organisation_name"] == "" {
		for _, needed := range []string{"first_name", "last_name"} {
			if fields[needed] == "" {
				faults = append(faults, needed+" can't be blank")
			}
		}
	}
	if email := fields["email"]; email != "" {
		if !strings.Contains(email, "@") {
			faults = append(faults, "Email is invalid")
		}
		if other := s.contactByEmail(email); !s.cfg.DuplicateEmails && other != nil && other != own {
			faults = append(faults, "Email has already been taken")
		}
	}
	if len(fields["country"]) == 2 {
		faults = append(faults, "Country is not included in the list")
	}
	return faults
}

func (s *Server) contactByEmail(email string) *contact {
	for _, c := range s.contacts {
		if strings.EqualFold(c.fields["email"], email) {
			return c
		}
	}
	return nil
}

func (s *Server) getContact(base, id string) reply {
	for _, c := range s.contacts {
		if strconv.Itoa(c.id) == id {
			return ok(map[string]any{"contact": c.shown(base)})
		}
	}
	return notFound()
}

// listContacts knows view, sort and, unless it plays FreeAgent itself, email.
func (s *Server) listContacts(base string, r *http.Request) reply {
	query := r.URL.Query()
	var all []map[string]any
	for _, c := range s.contacts {
		hidden := c.fields["status"] == "Hidden"
		switch view := query.Get("view"); {
		case view == "hidden" && !hidden, view != "hidden" && view != "all" && hidden:
			continue
		}
		if email := query.Get("email"); email != "" && !s.cfg.IgnoreEmailFilter && !strings.EqualFold(c.fields["email"], email) {
			continue
		}
		all = append(all, c.shown(base))
	}
	if query.Get("sort") == "-created_at" {
		slices.Reverse(all)
	}
	return page(r, "contacts", all)
}

// AddContact puts a contact in as a person would, past all checks, and returns
// its id.
func (s *Server) AddContact(fields map[string]string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &contact{id: s.nextID(), fields: maps.Clone(fields), created: s.cfg.Now()}
	s.contacts = append(s.contacts, c)
	return c.id
}
