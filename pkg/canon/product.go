package canon

import (
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// Product is the shop's canonical product, as GET /rest/V1/byte8/product/{id}
// answers it; of its stock nothing is read.
type Product struct {
	MagentoID    Int              `json:"magento_id"`
	SKU          string           `json:"sku"`
	Name         string           `json:"name"`
	ProductType  string           `json:"product_type"`
	Price        *decimal.Decimal `json:"price"` // in the shop's base currency; nil where it has none of its own
	SpecialPrice *decimal.Decimal `json:"special_price"`
	WebsiteIDs   []Int            `json:"website_ids"`
}

type wireProduct struct {
	MagentoID    Int       `json:"magento_id"`
	SKU          text      `json:"sku"`
	Name         text      `json:"name"`
	ProductType  text      `json:"product_type"`
	Price        *amount   `json:"price"`
	SpecialPrice *amount   `json:"special_price"`
	WebsiteIDs   list[Int] `json:"website_ids"`
}

func (w *wireProduct) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }

// DecodeProduct reads a canonical product.
func DecodeProduct(raw []byte) (Product, error) {
	var w wireProduct
	if err := decode("product", raw, &w); err != nil {
		return Product{}, err
	}
	p := Product{
		MagentoID: w.MagentoID, SKU: string(w.SKU), Name: string(w.Name), ProductType: string(w.ProductType),
		Price: rate(w.Price), SpecialPrice: rate(w.SpecialPrice), WebsiteIDs: w.WebsiteIDs,
	}
	switch {
	case p.MagentoID <= 0:
		return Product{}, fmt.Errorf("decode product: %w", errors.New("magento_id is missing or not positive"))
	case strings.TrimSpace(p.SKU) == "":
		return Product{}, fmt.Errorf("decode product %d: %w", p.MagentoID, errors.New("sku is missing"))
	}
	return p, nil
}
