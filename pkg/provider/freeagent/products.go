package freeagent

import (
	"context"

	"towpath/pkg/canon"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// Item fails: the wire has no price list that an invoice could refer to, so policy
// skips products (PRODUCT_TYPE_NOT_SUPPORTED) before they come here.
func (c *Client) Item(canon.Product, policy.Policy, provider.Reference) (provider.CatalogItem, error) {
	return provider.CatalogItem{}, noProducts()
}

// EnsureItems fails as Item does, without a call.
func (c *Client) EnsureItems(_ context.Context, set []provider.Item[provider.CatalogItem]) []provider.Outcome[provider.Posted] {
	return provider.Failed[provider.Posted](len(set), noProducts())
}

func noProducts() error {
	return &provider.Failure{Kind: provider.Refused, Code: provider.CodeValidation, Message: "wire v2 has no products"}
}
