package provider

import (
	"encoding/json"

	"github.com/shopspring/decimal"
)

// CatalogItem is a product on a ledger's price list. It never carries quantities:
// stock is the shop's.
type CatalogItem struct {
	Code    string              `json:"code"` // the SKU, or its stable short form where the ledger's codes are shorter
	SKU     string              `json:"sku"`
	Name    string              `json:"name"`
	Price   decimal.NullDecimal `json:"price"` // net of tax, in the organisation's base currency; not Valid: left alone
	Account string              `json:"account"`
	Body    json.RawMessage     `json:"body"`
	Notes   []string            `json:"notes"`
}

// Key is the item's code.
func (i CatalogItem) Key() string { return i.Code }

// Hash is the SHA-256 of the body in hex.
func (i CatalogItem) Hash() string { return hash(i.Body) }
