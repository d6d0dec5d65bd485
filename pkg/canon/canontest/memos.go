package canontest

import (
	"time"

	"towpath/pkg/canon"
)

// Memo ends the builder as a credit memo of an invoice with the same rows, through
// the shop's JSON: what it gives back in all, its adjustment refund and its fee.
func (b *Builder) Memo(grand, adjustment, fee string) canon.CreditMemo {
	invoice, number, created := canon.Int(7), "700000007", time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	memo := canon.CreditMemo{
		MagentoID: 9, IncrementID: "900000009", InvoiceID: &invoice, InvoiceIncrementID: &number, InvoiceCreatedAt: &created,
		WebsiteID: b.inv.WebsiteID, Currency: b.inv.Currency, Lines: b.inv.Lines, ShippingAmount: b.inv.ShippingAmount,
		ShippingTax: b.inv.ShippingTax, AdjustmentPositive: dec(adjustment), AdjustmentNegative: dec(fee), GrandTotal: dec(grand),
		CreatedAt: created.AddDate(0, 0, 3), BaseToOrderRate: b.inv.BaseToOrderRate,
	}
	if b.inv.ShippingAddress != nil {
		memo.Customer.Addresses = []canon.Address{*b.inv.ShippingAddress}
	}
	memo, err := canon.DecodeCreditMemo(canon.EncodeCreditMemo(memo))
	if err != nil {
		panic(err) // the test's own memo is broken
	}
	memo.StoreID = b.inv.StoreID
	return memo
}

// NamedMemo is a memo whose name says what it shows.
type NamedMemo struct {
	Name string
	Memo canon.CreditMemo
}

// Memos are those that every ledger has a golden file of.
func Memos() []NamedMemo {
	return []NamedMemo{
		{"memo_half_of_a_line", Sale().Row("Chair", "2", "60", "120", "24", "0").Row("Lamp", "0", "55", "0", "0", "0").Memo("144", "0", "0")},
		{"memo_after_a_discount", Sale().Row("Chair", "3", "33.33", "99.99", "18", "10").Memo("107.99", "0", "0")},
		{"memo_after_a_coupon_on_prices_with_tax", Sale().Row("Jug", "2", "50", "100", "18", "12").Row("Tea", "4", "10", "40", "1.80", "4.20").
			Shipping("6", "1.20", "0").Memo("153", "0", "0")},
		{"memo_of_the_shipping", Sale().Shipping("6", "1.20", "0").Memo("7.20", "0", "0")},
		{"memo_of_an_adjustment", Sale().Memo("15", "15", "0")},
		{"memo_with_a_fee_kept", Sale().Row("Chair", "1", "60", "60", "12", "0").Memo("69.50", "0", "2.50")},
		{"memo_after_a_gift_card", Sale().Row("Bag", "1", "55", "55", "11", "0").Memo("40.75", "0", "0")},
		{"memo_with_a_fixed_product_tax", Sale().Row("Fridge", "1", "250", "250", "50", "0").Memo("304.50", "0", "0")},
		{"memo_a_cent_off", Sale().Row("Bag", "3", "5.55", "16.65", "3.33", "0").Memo("19.97", "0", "0")},
	}
}
