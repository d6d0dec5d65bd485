package policy

import (
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

const (
	maxTerms       = 365 // days
	maxAccountCode = 10  // Xero's limit
	maxTaxType     = 50
	maxReference   = 255
	maxPrefix      = 32 // with the longest increment id well within Xero's 255
	maxTracking    = 2  // Xero's limit per line
	maxTrackName   = 100
	maxGroup       = 1_000_000_000
)

// itemTypes are those that an invoice item of wire v2 may have for goods and work.
func itemTypes() []string {
	return []string{
		"Hours", "Days", "Weeks", "Months", "Years",
		"Products", "Services", "Training", "Expenses", "Stock",
	}
}

// maxTolerance bounds what may ever be booked as rounding.
func maxTolerance() decimal.Decimal { return decimal.NewFromInt(1) }

func readIDs(o object, name string, to *[]int64) {
	entries, ok := o.list(name)
	if !ok {
		return
	}
	ids := []int64{}
	for i, raw := range entries {
		id, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || id < 0 {
			o.fail(name+"."+strconv.Itoa(i), InvalidFormat, "write an id of the shop, a whole number such as 1")
			continue
		}
		ids = append(ids, id)
	}
	*to = ids
}

func readTermsByGroup(o object, name string, to map[string]int) {
	nested, ok := o.object(name)
	if !ok {
		return
	}
	for group := range nested.fields {
		id, err := strconv.Atoi(group)
		if err != nil || id < 0 || id > maxGroup || strconv.Itoa(id) != group {
			nested.take(group)
			nested.fail(shown(group), InvalidFormat, "write the id of a customer group, such as 1")
			continue
		}
		days := -1
		before := len(*nested.errs)
		nested.int(group, &days, 0, maxTerms)
		if days < 0 && len(*nested.errs) == before {
			nested.fail(group, InvalidFormat, "write a whole number from 0 to %d", maxTerms)
		}
		to[group] = days
	}
}

func readPrefix(o object, name string, to **string) {
	var prefix string
	if o.prefixText(name, &prefix); prefix != "" {
		*to = &prefix
	}
}

func readPrefixByStore(o object, name string, to map[string]string) {
	nested, ok := o.object(name)
	if !ok {
		return
	}
	for store := range nested.fields {
		if !isID(store) {
			nested.take(store)
			nested.fail(shown(store), InvalidFormat, "write the id of a store, such as 1")
			continue
		}
		var prefix string
		nested.prefixText(store, &prefix)
		to[store] = prefix
	}
}

// prefixText reads what may stand before a document's number.
func (o object) prefixText(name string, to *string) {
	var prefix string
	o.text(name, &prefix, maxPrefix)
	if strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r > '~' }) {
		o.fail(name, InvalidFormat, "write letters, digits and signs of plain ASCII")
		return
	}
	*to = prefix
}

// isID reports whether s is an id of the shop, in the one way to write it.
func isID(s string) bool {
	id, err := strconv.ParseInt(s, 10, 64)
	return err == nil && id >= 0 && strconv.FormatInt(id, 10) == s
}

func readGUID(o object, name string, to **string) {
	var id *string
	o.optional(name, &id, maxReference)
	if id == nil {
		return
	}
	if len(*id) != 36 || uuid.Validate(*id) != nil {
		o.fail(name, InvalidFormat, "write an id such as 5b2dfd12-4b0d-4b2c-9c53-0a0a0a0a0a0a")
		return
	}
	*to = id
}

func readURL(o object, name string, to **string) {
	var address *string
	o.optional(name, &address, maxReference)
	if address == nil {
		return
	}
	u, err := url.Parse(*address)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		o.fail(name, InvalidFormat, "write the full address, beginning with https://")
		return
	}
	*to = address
}

func readTracking(o object, name string, to *[]TrackingOption) {
	entries, ok := o.list(name)
	if !ok {
		return
	}
	if len(entries) > maxTracking {
		o.fail(name, OutOfRange, "name at most %d tracking categories", maxTracking)
		return
	}
	options := []TrackingOption{}
	for i, raw := range entries {
		at := name + "." + strconv.Itoa(i)
		entry, err := newObject(raw, o.prefix+at+".", o.errs)
		if err != nil {
			o.fail(at, InvalidFormat, `write {"name": …, "option": …}`)
			continue
		}
		var option TrackingOption
		entry.required("name", &option.Name, maxTrackName)
		entry.required("option", &option.Option, maxTrackName)
		entry.rest()
		if slices.ContainsFunc(options, func(t TrackingOption) bool { return strings.EqualFold(t.Name, option.Name) }) {
			o.fail(at+".name", InvalidFormat, "name each tracking category once")
		}
		options = append(options, option)
	}
	*to = options
}

func readConsolidation(o object, name string, to *B2CConsolidation) {
	nested, ok := o.object(name)
	if !ok {
		return
	}
	nested.bool("enabled", &to.Enabled)
	nested.text("fallback_contact_name", &to.FallbackContactName, maxNameRunes)
	if CleanName(to.FallbackContactName) != to.FallbackContactName {
		nested.fail("fallback_contact_name", InvalidFormat, "remove angle brackets, invisible characters and double spaces")
	}
	nested.text("fallback_contact_email", &to.FallbackContactEmail, maxReference)
	if to.FallbackContactEmail != "" && !isEmail(to.FallbackContactEmail) {
		nested.fail("fallback_contact_email", InvalidFormat, "write an e-mail address")
	}
	var minimum decimal.Decimal
	if raw, given := nested.fields["min_total_for_individual"]; given && string(raw) != "null" {
		nested.amount("min_total_for_individual", &minimum, decimal.New(1, 12), 4)
		to.MinTotalForIndividual = &minimum
	}
	nested.take("min_total_for_individual")
	nested.bool("always_individual_for_b2b", &to.AlwaysIndividualForB2B)
	nested.rest()
}

func isEmail(s string) bool {
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s
}

func readPaymentMethodMap(o object, name string, to map[string]*string) {
	nested, ok := o.object(name)
	if !ok {
		return
	}
	for method, raw := range nested.fields {
		if !isKey(method) {
			nested.take(method)
			nested.fail(shown(method), InvalidFormat, "write the code of a payment method, such as checkmo")
			continue
		}
		if string(raw) == "null" {
			nested.take(method)
			to[method] = nil
			continue
		}
		var account string
		nested.required(method, &account, maxReference)
		to[method] = &account
	}
}

func readItemTypeMap(o object, name string, to map[string]string) {
	nested, ok := o.object(name)
	if !ok {
		return
	}
	for productType := range nested.fields {
		if !isKey(productType) {
			nested.take(productType)
			nested.fail(shown(productType), InvalidFormat, "write a product type of the shop, such as virtual")
			continue
		}
		itemType := ""
		before := len(*nested.errs)
		nested.choice(productType, &itemType, itemTypes()...)
		if itemType == "" && len(*nested.errs) == before {
			nested.fail(productType, InvalidFormat, "write one of %s", strings.Join(itemTypes(), ", "))
		}
		to[productType] = itemType
	}
}

// isKey reports whether s can be a code of the shop.
func isKey(s string) bool {
	return s != "" && len(s) <= maxReference && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}
