package freeagent

import (
	"cmp"
	"strings"

	"towpath/pkg/policy"
	"towpath/pkg/pricing"
	"towpath/pkg/provider"
)

// categories are the URLs of the wire's accounts for an invoice's items.
type categories struct {
	income, charges, paidOtherwise string
}

func (c categories) of(kind pricing.Kind) string {
	switch kind {
	case pricing.Charge:
		return c.charges
	case pricing.PaidOtherwise:
		return c.paidOtherwise
	case pricing.Fee:
		return cmp.Or(c.charges, c.income)
	}
	return c.income
}

func (c *Client) categories(pol policy.Policy, ref provider.Reference) (categories, error) {
	income, err := incomeCategory(pol, ref)
	if err != nil {
		return categories{}, err
	}
	return categories{
		income:        income,
		charges:       c.categoryURL(pol.ChargesAccount, ref),
		paidOtherwise: c.categoryURL(pol.PaidOtherwiseAccount, ref),
	}, nil
}

// categoryURL is the category of a nominal code, or of its URL.
func (c *Client) categoryURL(named string, ref provider.Reference) string {
	if named == "" || strings.Contains(named, "://") {
		return named
	}
	for _, category := range ref.Categories {
		if category.NominalCode == named {
			return category.URL
		}
	}
	return c.root + "/categories/" + named
}

// incomeCategory is the policy's; without one, the ledger's where it has
// exactly one. Any other choice would book a shop's whole income by the alphabet.
func incomeCategory(pol policy.Policy, ref provider.Reference) (string, error) {
	if url := text(pol.V2IncomeCategoryURL); url != "" {
		return url, nil
	}
	if len(ref.Categories) == 1 {
		return ref.Categories[0].URL, nil
	}
	return "", held(provider.HeldMissingMapping, "default_income_category_url is not set; choose the income category for the shop's sales")
}
