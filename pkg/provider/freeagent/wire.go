package freeagent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/shopspring/decimal"
)

// invoiceEnvelope is the body of POST /v2/invoices. Decimals go as strings,
// which the wire takes as well as numbers and which no reader in between can
// make inexact.
type invoiceEnvelope struct {
	Invoice invoiceBody `json:"invoice"`
}

type invoiceBody struct {
	Contact   string `json:"contact"`
	Reference string `json:"reference"`
	DatedOn   string `json:"dated_on"`
	// Terms has no omitempty: 0 must be sent, the wire refuses a missing one.
	Terms        int        `json:"payment_terms_in_days"`
	Currency     string     `json:"currency"`
	ExchangeRate string     `json:"exchange_rate,omitempty"`
	Comments     string     `json:"comments,omitempty"`
	Items        []itemBody `json:"invoice_items"`
}

type itemBody struct {
	Position     int    `json:"position"`
	ItemType     string `json:"item_type,omitempty"` // omitted: no unit
	Quantity     string `json:"quantity"`            // always sent: it defaults to 0
	Description  string `json:"description"`
	Price        string `json:"price"`
	SalesTaxRate string `json:"sales_tax_rate"`
	Category     string `json:"category"`
}

// encode writes v as JSON with < > & as they are, so that bodies can be read.
func encode(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode body: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// amount is a decimal of an answer: a string or a number, read without loss;
// null, absent and anything that no ledger writes leave it not Valid.
type amount struct{ decimal.NullDecimal }

// UnmarshalJSON never fails: a strange amount is one that was not told. Huge
// exponents, whose values have millions of digits, the library refuses.
func (a *amount) UnmarshalJSON(raw []byte) error {
	text := bytes.Trim(raw, `"`)
	if len(text) > 40 {
		return nil
	}
	if d, err := decimal.NewFromString(string(text)); err == nil {
		a.NullDecimal = decimal.NewNullDecimal(d)
	}
	return nil
}

// documentAnswer is what is read of an invoice or a credit note; of a create only
// URL is relied on.
type documentAnswer struct {
	URL       string `json:"url"`
	Contact   string `json:"contact"`
	Reference string `json:"reference"`
	Currency  string `json:"currency"`
	DatedOn   string `json:"dated_on"`
	Status    string `json:"status"`
	Net       amount `json:"net_value"`
	Tax       amount `json:"sales_tax_value"`
	Total     amount `json:"total_value"`
	Due       amount `json:"due_value"`
	Paid      amount `json:"paid_value"`
	Refunded  amount `json:"refunded_value"` // a credit note's
}

type contactAnswer struct {
	URL          string `json:"url"`
	Organisation string `json:"organisation_name"`
	FirstName    string `json:"first_name"`
	LastName     string `json:"last_name"`
	Email        string `json:"email"`
	Phone        string `json:"phone_number"`
	Address1     string `json:"address1"`
	Town         string `json:"town"`
	Postcode     string `json:"postcode"`
	Status       string `json:"status"`
}

// createdURL is the URL of what a create made: the body's, else Location's.
func (c *Client) createdURL(a answer, inBody string) (string, error) {
	for _, candidate := range []string{inBody, a.header.Get("Location")} {
		if candidate == "" || idOf(candidate) == "" {
			continue
		}
		base, err := url.Parse(c.root)
		if err != nil {
			return "", err
		}
		if u, err := base.Parse(candidate); err == nil {
			return u.String(), nil
		}
	}
	return "", errors.New("the answer has neither url nor Location")
}
