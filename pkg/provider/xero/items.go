package xero

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

const (
	maxItemCode = 30
	maxItemName = 50
)

type itemBody struct {
	Code         string
	Name         string `json:",omitempty"`
	IsSold       bool
	SalesDetails salesBody
}

type salesBody struct {
	UnitPrice   json.Number `json:",omitempty"`
	AccountCode string      `json:",omitempty"`
}

// ItemCode is the code of a product in Xero: its SKU, or where that is longer than
// Xero's 30 characters, its first 21 and eight hex digits of its SHA-256.
func ItemCode(sku string) string {
	sku = clean(sku)
	if units(sku) <= maxItemCode {
		return sku
	}
	sum := sha256.Sum256([]byte(sku))
	return cut(sku, maxItemCode-9) + "-" + hex.EncodeToString(sum[:])[:8]
}

// Item is product on Xero's price list: code, name, and what it is sold for and on
// which account. It never has quantities, so that Xero keeps no stock of it. A price
// in another currency than the organisation's, as far as the settings tell, is left
// out.
func (c *Client) Item(product canon.Product, pol policy.Policy, ref provider.Reference) (provider.CatalogItem, error) {
	b := builder{pol: pol, ref: ref}
	item := provider.CatalogItem{Code: ItemCode(product.SKU), SKU: product.SKU, Name: cut(clean(product.Name), maxItemName), Account: pol.RevenueAccountCode}
	if item.Code == "" {
		return item, refused("a product without a SKU has no code in Xero")
	}
	if item.Code != clean(product.SKU) {
		item.Notes = append(item.Notes, "the SKU is longer than Xero's 30 characters: the code is "+item.Code)
	}
	if err := b.checkAccount(item.Account); err != nil && item.Account != "" {
		return item, err
	}
	body := itemBody{Code: item.Code, Name: item.Name, IsSold: true, SalesDetails: salesBody{AccountCode: item.Account}}
	switch shop := shopCurrency(product, pol); {
	case product.Price == nil:
		item.Notes = append(item.Notes, "the shop has no price of its own for it: Xero's is left as it is")
	case shop != "" && ref.Organisation.BaseCurrency != "" && shop != ref.Organisation.BaseCurrency:
		item.Notes = append(item.Notes, "the price is in "+shop+", the organisation's currency is "+ref.Organisation.BaseCurrency+": Xero's is left as it is")
	default:
		item.Price.Decimal, item.Price.Valid = product.Price.Round(maxDecimals), true
		body.SalesDetails.UnitPrice = number(item.Price.Decimal, 2)
	}
	raw, err := json.Marshal(map[string][]itemBody{"Items": {body}})
	if err != nil {
		return item, &provider.Failure{Kind: provider.Bug, Code: provider.CodeInternal, Message: "encode item", Err: err}
	}
	item.Body = raw
	return item, nil
}

// shopCurrency is the currency of the shop's catalog as the settings tell it; empty
// where they do not, or tell different ones for the product's websites.
func shopCurrency(product canon.Product, pol policy.Policy) string {
	found := ""
	for i, website := range product.WebsiteIDs {
		code := pol.ShopBaseCurrency.Of(canon.Invoice{WebsiteID: website})
		if i > 0 && code != found {
			return ""
		}
		found = code
	}
	return found
}

// EnsureItems writes the items of set, in one call. POST finds an item by its code
// and updates it, else makes it, so a call that failed but took effect is simply
// made again: the price list is as the last one says. Code and SKU are one to one,
// and an item that a person made under the SKU is that product.
func (c *Client) EnsureItems(ctx context.Context, set []provider.Item[provider.CatalogItem]) []provider.Outcome[provider.Posted] {
	return traced(ctx, func(ctx context.Context) []provider.Outcome[provider.Posted] {
		b := &batch[provider.Posted]{
			client: c, outcomes: make([]provider.Outcome[provider.Posted], len(set)), list: "Items", read: readItem,
			create: request{operation: opItemUpsert, method: http.MethodPost, path: "/Items", query: url.Values{"summarizeErrors": {"false"}, "unitdp": {"4"}}},
		}
		parts := make([]part, len(set))
		for i, item := range set {
			parts[i] = part{at: i, number: item.Value.Code, key: derivedKey(item.Try.Key, "item", string(item.Value.Body)), element: loneElement(item.Value.Body, "Items")}
		}
		left := b.createAll(ctx, b.withoutDuplicates(parts))
		for _, p := range left.alone {
			b.createOne(ctx, p)
		}
		for i, item := range set {
			if b.outcomes[i].Err == nil {
				b.outcomes[i].Notes = item.Value.Notes
			}
		}
		return b.outcomes
	})
}

func readItem(raw json.RawMessage) (element[provider.Posted], error) {
	var a struct {
		outcome
		ItemID text
		Code   text
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return element[provider.Posted]{}, err
	}
	return element[provider.Posted]{
		number: string(a.Code), saved: a.saved(a.ItemID), raw: raw, value: provider.Posted{ID: string(a.ItemID), Number: string(a.Code)},
	}, nil
}
