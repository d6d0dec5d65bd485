package form

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// Known is what a form can offer and name.
type Known struct {
	Reference provider.Reference // zero: the ledger is not known
	Wire      string
	Methods   []string // ways to pay that really came
	Stores    []string
	Websites  []string
}

// Group is the settings under one heading.
type Group struct {
	Name     string
	Controls []Control
	Other    bool // of the other wire: they do nothing here
}

// Control is one setting as it is shown.
type Control struct {
	policy.Field
	ID      string // of its input, and the setting's full name
	Default string // in words
	Value   string // as typed
	Offers  []policy.Offer
	Chosen  bool // Offers are all that it may be: a select
	Hint    string
	Faults  []string
	Rows    []Row     // of a map, and of tracking
	Nested  []Control // of an object
}

// Row is one entry of a map, or one tracking option.
type Row struct {
	ID         string
	Key, Value string
	Offers     []policy.Offer // of the value
	Chosen     bool
	Suggested  bool // it came from the shop, and is not in the settings
	Faults     []string
}

// On reports whether a switch is on.
func (c Control) On() bool { return c.Value == "true" }

// IsSwitch, IsByKey and IsTracking are how the page tells kinds apart.
func (c Control) IsSwitch() bool { return c.Kind == policy.Switch }

// IsByKey reports a map.
func (c Control) IsByKey() bool { return c.Kind.ByKey() }

// IsTracking reports tracking options.
func (c Control) IsTracking() bool { return c.Kind == policy.Tracking }

// TextKeys reports whether the keys of a map are words, in place of numbers.
func (c Control) TextKeys() bool { return c.Kind == policy.BankByKey || c.Kind == policy.TypeByKey }

// KeyName is what a map's keys are.
func (c Control) KeyName() string {
	switch c.Kind {
	case policy.TaxTypeByRate:
		return "Rate"
	case policy.DaysByKey:
		return "Customer group"
	case policy.TextByKey:
		return "Store"
	case policy.BankByKey:
		return "Payment method"
	}
	return "Product type"
}

// ValueName is what its values are.
func (c Control) ValueName() string {
	switch c.Kind {
	case policy.TaxTypeByRate:
		return "Tax type"
	case policy.DaysByKey:
		return "Days"
	case policy.TextByKey:
		return "Prefix"
	case policy.BankByKey:
		return "Account"
	}
	return "Item type"
}

// blankRows are for entries to be added.
const blankRows = 3

// Of is the form with what was typed into it, and what is wrong with it. Those settings
// come last that the wire has no use for.
func Of(values url.Values, faults []policy.FieldError, known Known) []Group {
	b := builder{values: values, faults: slices.Clone(faults), known: known}
	var groups []Group
	other := Group{Name: "Only for the other way to speak to a ledger", Other: true}
	for _, f := range policy.Fields() {
		c := b.control("", f)
		if f.Wire != "" && f.Wire != known.Wire {
			other.Controls = append(other.Controls, c)
			continue
		}
		if len(groups) == 0 || groups[len(groups)-1].Name != f.Group {
			groups = append(groups, Group{Name: f.Group})
		}
		last := &groups[len(groups)-1]
		last.Controls = append(last.Controls, c)
	}
	return append(groups, other)
}

type builder struct {
	values url.Values
	faults []policy.FieldError
	known  Known
}

func (b *builder) control(prefix string, f policy.Field) Control {
	id := prefix + f.Name
	c := Control{Field: f, ID: id, Default: defaultOf(strings.Split(id, ".")), Value: reader{b.values}.text(id)}
	offers, told := f.Offers(b.known.Reference, b.known.Wire)
	switch {
	case f.Kind == policy.Nested:
		for _, nested := range f.Fields {
			c.Nested = append(c.Nested, b.control(id+".", nested))
		}
	case f.Kind.ByKey():
		c.Rows = b.rows(f, id, offers, told)
	case f.Kind == policy.Tracking:
		c.Rows = b.slots(id, offers, told)
	case f.Kind == policy.Choice:
		c.Offers, c.Chosen = withValue(same(f.Choices), c.Value), true
	case told:
		c.Offers, c.Chosen = withValue(offers, c.Value), true
	}
	c.Hint = b.hint(f, told)
	c.Faults = b.take(id, true)
	return c
}

// hint says what is known of the shop, or why there are no choices.
func (b *builder) hint(f policy.Field, told bool) string {
	came := func(what string, ids []string) string {
		if len(ids) == 0 {
			return ""
		}
		return "Seen in recent events: " + what + " " + strings.Join(ids, ", ") + "."
	}
	switch f.Name {
	case "website_filter":
		return came("websites", b.known.Websites)
	case "store_filter", "invoice_number_prefix_by_store":
		return came("stores", b.known.Stores)
	}
	refers := []policy.Kind{policy.Account, policy.Category, policy.TaxType, policy.TaxTypeByRate, policy.Bank, policy.BankByKey, policy.Theme, policy.Tracking}
	switch {
	case told || !slices.Contains(refers, f.Kind):
		return ""
	case f.Kind == policy.Tracking:
		return "The ledger's categories are not known now: write Category: Option."
	case f.Kind == policy.BankByKey:
		return "The ledger's accounts are not known now: write an id, or null to leave its invoices open."
	}
	return "What the ledger has is not known now: write the code or id."
}

func (b *builder) rows(f policy.Field, id string, offers []policy.Offer, told bool) []Row {
	var all []Row
	var keys []string
	r := reader{b.values}
	for i := range Rows {
		row := id + "." + strconv.Itoa(i)
		if !r.has(row) {
			break
		}
		key, value := r.text(row+".key"), r.text(row+".value")
		if key == "" && value == "" {
			continue
		}
		keys = append(keys, key)
		all = append(all, Row{Key: key, Value: value})
	}
	if f.Kind == policy.BankByKey {
		for _, method := range b.known.Methods {
			if !slices.Contains(keys, method) {
				all = append(all, Row{Key: method, Suggested: true})
			}
		}
	}
	all = append(all, make([]Row, blankRows)...)
	for i := range all {
		row := &all[i]
		row.ID = id + "." + strconv.Itoa(i)
		switch {
		case f.Kind == policy.BankByKey && told:
			row.Offers = append([]policy.Offer{{Value: leftOpen, Text: "left open: not paid here"}}, offers...)
		case f.Kind == policy.TypeByKey:
			row.Offers = same(f.Choices)
		default:
			row.Offers = offers
		}
		row.Chosen = told || f.Kind == policy.TypeByKey
		if row.Chosen {
			row.Offers = withValue(row.Offers, row.Value)
		}
		if row.Key != "" {
			row.Faults = b.take(id+"."+row.Key, false)
		}
	}
	return all
}

func (b *builder) slots(id string, offers []policy.Offer, told bool) []Row {
	var all []Row
	for i := range trackingSlots {
		row := Row{ID: id + "." + strconv.Itoa(i), Value: reader{b.values}.text(id + "." + strconv.Itoa(i)), Chosen: told}
		if told {
			row.Offers = withValue(offers, row.Value)
		} else if shown := plain([]byte(row.Value)); strings.HasPrefix(row.Value, "{") && shown != "" {
			row.Value = string(fieldText(row.Value, "name") + ": " + fieldText(row.Value, "option"))
		}
		row.Faults = b.take(row.ID, true)
		all = append(all, row)
	}
	return all
}

func fieldText(raw, name string) string { return plain(fieldOf([]byte(raw), name)) }

// take hands out the faults of a setting, or of an entry, once; with those of what is in
// it where whole is true. The entry 20 of a map has nothing to do with 20.00.
func (b *builder) take(id string, whole bool) []string {
	var texts []string
	b.faults = slices.DeleteFunc(b.faults, func(f policy.FieldError) bool {
		mine := f.Field == id || whole && strings.HasPrefix(f.Field, id+".")
		if mine {
			texts = append(texts, f.Message)
		}
		return mine
	})
	return texts
}

// withValue adds what is chosen and not offered, so that it is not lost by being shown.
func withValue(offers []policy.Offer, value string) []policy.Offer {
	there := slices.ContainsFunc(offers, func(o policy.Offer) bool { return o.Value == value })
	if value == "" || there {
		return offers
	}
	return append([]policy.Offer{{Value: value, Text: value + " (not offered by the ledger)"}}, offers...)
}

func same(values []string) []policy.Offer {
	var offers []policy.Offer
	for _, v := range values {
		offers = append(offers, policy.Offer{Value: v, Text: v})
	}
	return offers
}

// defaultOf is a setting's default as a person would say it.
func defaultOf(path []string) string {
	switch text := plain(policy.Value(policy.Default(), path...)); text {
	case "":
		return "none"
	case "true":
		return "on"
	case "false":
		return "off"
	default:
		return text
	}
}

// Places maps each fault's setting to the id of the input that it is shown at.
func Places(groups []Group, faults []policy.FieldError) map[string]string {
	places := map[string]string{}
	var ids []string
	var walk func(c Control)
	keys := map[string]string{}
	walk = func(c Control) {
		ids = append(ids, c.ID)
		for _, row := range c.Rows {
			if c.IsTracking() {
				keys[row.ID] = row.ID
			} else if row.Key != "" {
				keys[c.ID+"."+row.Key] = row.ID + ".value"
			} else if keys[c.ID] == "" {
				keys[c.ID] = row.ID + ".key"
			}
		}
		for _, nested := range c.Nested {
			walk(nested)
		}
	}
	for _, g := range groups {
		for _, c := range g.Controls {
			walk(c)
		}
	}
	known := slices.Concat(ids, slices.Collect(maps.Keys(keys)))
	for _, f := range faults {
		best := ""
		for _, id := range known {
			if (f.Field == id || strings.HasPrefix(f.Field, id+".")) && len(id) > len(best) {
				best = id
			}
		}
		if at, row := keys[best]; row {
			best = at
		}
		places[f.Field] = best
	}
	return places
}
