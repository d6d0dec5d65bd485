package find

import (
	"encoding/json"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"
)

// Facts are what people know a run by. Customer, and of Terms the names and the e-mail,
// are personal data.
type Facts struct {
	Number   string // of the document, or a product's SKU; empty: it has none
	Customer string // company, or person, or e-mail
	Amount   string // with two decimals, or as many as it needs; empty: there is none
	Currency string
	Terms    []string // lower case, none empty, each of one line
}

// Lines are the terms as a query takes them, a line each.
func (f Facts) Lines() string { return strings.Join(f.Terms, "\n") }

// loose is a value that the shop may write as a number or as a string. What is neither
// is taken for nothing: a form that is odd is still found by the rest.
type loose string

// UnmarshalJSON never refuses.
func (l *loose) UnmarshalJSON(raw []byte) error {
	var s string
	switch {
	case json.Unmarshal(raw, &s) == nil:
		*l = loose(clean(s))
	case len(raw) > 0 && raw[0] != '{' && raw[0] != '[' && string(raw) != "null":
		*l = loose(clean(string(raw)))
	}
	return nil
}

// person is the buyer: in a document, or as the form itself.
type person struct {
	Email, First, Last, Company loose
}

type form struct {
	IncrementID        loose           `json:"increment_id"`
	OrderIncrementID   loose           `json:"order_increment_id"`
	InvoiceIncrementID loose           `json:"invoice_increment_id"`
	SKU                loose           `json:"sku"`
	GrandTotal         loose           `json:"grand_total"`
	Amount             loose           `json:"amount"`
	Currency           loose           `json:"currency"`
	Customer           json.RawMessage `json:"customer"`
	Email              loose           `json:"email"`
	First              loose           `json:"first_name"`
	Last               loose           `json:"last_name"`
	Company            loose           `json:"company"`
}

// Of reads the facts out of a canonical form of any event; none out of what is no form.
func Of(canonical []byte) Facts {
	var doc form
	if len(canonical) == 0 || json.Unmarshal(canonical, &doc) != nil {
		return Facts{}
	}
	var buyer form // the same fields, one level down; absent: a customer's own form
	if len(doc.Customer) == 0 || json.Unmarshal(doc.Customer, &buyer) != nil {
		buyer = doc
	}
	who := person{Email: buyer.Email, First: buyer.First, Last: buyer.Last, Company: buyer.Company}
	f := Facts{
		Number:   first(doc.IncrementID, doc.InvoiceIncrementID, doc.SKU),
		Customer: first(who.Company, loose(strings.TrimSpace(string(who.First+" "+who.Last))), who.Email),
		Amount:   first(doc.GrandTotal, doc.Amount),
		Currency: string(doc.Currency),
	}
	if sum, ok := money(f.Amount); ok {
		f.Amount = sum
	}
	f.Terms = termsOf(doc, who, f.Amount)
	return f
}

func termsOf(doc form, who person, amount string) []string {
	seen, terms := map[string]bool{}, []string{}
	add := func(term string) {
		if term = shortened(strings.ToLower(term)); term != "" && !seen[term] {
			seen[term], terms = true, append(terms, term)
		}
	}
	for _, whole := range []loose{doc.IncrementID, doc.OrderIncrementID, doc.InvoiceIncrementID, doc.SKU, who.Email} {
		for _, word := range strings.Fields(string(whole)) {
			add(word)
		}
	}
	for _, name := range []loose{who.First, who.Last, who.Company} {
		for _, word := range strings.Fields(string(name)) {
			add(word)
			for _, part := range strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
				add(part)
			}
		}
	}
	for _, word := range strings.Fields(amount) {
		add(word)
	}
	return terms
}

// money writes an amount as all are searched for: with two decimals, or with as many
// as it needs.
func money(text string) (string, bool) {
	if text == "" || len(text) > 30 || strings.ContainsAny(text, "eE") {
		return "", false
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return "", false
	}
	if rounded := d.Round(2); rounded.Equal(d) {
		return rounded.StringFixed(2), true
	}
	return d.String(), true
}

// longest is how much of a term is kept, in bytes: Postgres takes 2,046.
const longest = 100

func shortened(term string) string {
	if len(term) > longest {
		term = strings.ToValidUTF8(term[:longest], "")
	}
	return term
}

// clean is a text of one line that Postgres can store.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	if s = strings.TrimSpace(s); len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return s
}

func first(of ...loose) string {
	for _, s := range of {
		if s != "" {
			return string(s)
		}
	}
	return ""
}
