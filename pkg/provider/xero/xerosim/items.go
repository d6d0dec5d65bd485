package xerosim

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// item is a product or service of the price list; never one with tracked stock.
type item struct {
	id, code, name, description, account, taxType string
	price                                         *big.Rat
	updated                                       time.Time
}

// itemBy finds an item by id or code; codes differ by case.
func (s *Sim) itemBy(key string) *item {
	for _, i := range s.items {
		if key != "" && (i.code == key || strings.EqualFold(i.id, key)) {
			return i
		}
	}
	return nil
}

// writeItems takes PUT, which only creates, and POST, which also updates what has
// the id or the code.
func (s *Sim) writeItems(c call) answer {
	if c.unread != nil {
		return *c.unread
	}
	var shown []fields
	failed := false
	for _, element := range c.elements {
		if c.id != "" {
			element["ItemID"] = c.id
		}
		made, faults := s.takeItem(c, element)
		if len(faults) > 0 {
			failed = true
			shown = append(shown, s.echo(element, "ItemID", faults))
			continue
		}
		shown = append(shown, s.showItem(made))
	}
	return s.batch(c, "Items", shown, failed)
}

func (s *Sim) takeItem(c call, e map[string]any) (*item, []string) {
	var existing *item
	if existing = s.itemBy(stringOf(e["ItemID"])); existing == nil {
		existing = s.itemBy(stringOf(e["Code"]))
	}
	made, faults := s.readItem(e, existing)
	if existing != nil && c.method == http.MethodPut {
		faults = append(faults, fmt.Sprintf("Price List Item with Code '%s' already exists", existing.code))
	}
	if len(faults) > 0 {
		return nil, faults
	}
	if existing != nil {
		made.id = existing.id
		*existing = *made
		return existing, nil
	}
	made.id = s.guid()
	s.items = append(s.items, made)
	return made, nil
}

func (s *Sim) readItem(e map[string]any, existing *item) (*item, []string) {
	made := &item{price: new(big.Rat)}
	if existing != nil {
		*made = *existing
	}
	made.updated = s.cfg.Now()
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for name, field := range map[string]struct {
		to    *string
		limit int
	}{"Code": {&made.code, 30}, "Name": {&made.name, 50}, "Description": {&made.description, 4000}} {
		if e[name] != nil {
			*field.to = stringOf(e[name])
		}
		if len([]rune(*field.to)) > field.limit {
			fault("%s must not exceed %d characters", name, field.limit)
		}
	}
	if made.code == "" {
		fault("Item Code must be specified")
	}
	if e["IsTrackedAsInventory"] != nil && stringOf(e["IsTrackedAsInventory"]) != "false" || e["InventoryAssetAccountCode"] != nil {
		fault("Tracked inventory is not simulated")
	}
	s.readSalesDetails(made, e["SalesDetails"], fault)
	return made, faults
}

func (s *Sim) readSalesDetails(made *item, raw any, fault func(string, ...any)) {
	details, given := raw.(map[string]any)
	if !given {
		return
	}
	price, err := rational(details["UnitPrice"])
	switch {
	case err != nil || price != nil && price.Sign() < 0:
		fault("UnitPrice is not valid")
	case price != nil:
		made.price = rounded(price, 4)
	}
	if made.account = stringOf(details["AccountCode"]); made.account != "" {
		if a := s.org.account(made.account); a == nil || a.status != "ACTIVE" {
			fault("Account code '%s' is not a valid code for this document.", made.account)
		}
	}
	if made.taxType = stringOf(details["TaxType"]); made.taxType != "" && s.org.rate(made.taxType) == nil {
		fault("The TaxType code '%s' does not exist or cannot be used with this type of transaction.", made.taxType)
	}
}

func (s *Sim) getItems(c call) answer {
	if c.id != "" {
		found := s.itemBy(c.id)
		if found == nil {
			return notFound()
		}
		return s.document(http.StatusOK, fields{"Items": []fields{s.showItem(found)}})
	}
	return list(s, c, "Items", s.items, lister[*item]{
		fields: func(i *item) map[string]string {
			return map[string]string{"Code": i.code, "Name": i.name, "ItemID": i.id}
		},
		show: func(i *item, _ bool) fields { return s.showItem(i) }, updated: func(i *item) time.Time { return i.updated },
		orders: []string{"Code", "Name", "ItemID"}, unpaged: true,
	})
}

func (s *Sim) showItem(i *item) fields {
	return fields{
		"ItemID": i.id, "Code": i.code, "Name": i.name, "Description": i.description, "IsTrackedAsInventory": s.flag(false),
		"IsSold": s.flag(true), "SalesDetails": fields{"UnitPrice": s.num(i.price), "AccountCode": i.account, "TaxType": i.taxType},
		"HasErrors": s.flag(false), "StatusAttributeString": "OK", "UpdatedDateUTC": msDay(i.updated.UTC().Format(time.DateOnly)),
	}
}
