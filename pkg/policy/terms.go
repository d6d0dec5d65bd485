package policy

import (
	"strconv"
	"strings"

	"towpath/pkg/canon"
)

// PaymentTerms is how many days after its date inv is due: those of the
// buyer's customer group, else the policy's default. A guest whose group the
// shop does not tell belongs to Magento's group 0, "NOT LOGGED IN".
func PaymentTerms(inv canon.Invoice, p Policy) int {
	return termsOr(inv, p, p.PaymentTermsDays)
}

// V2PaymentTerms is PaymentTerms with wire v2's own default.
func V2PaymentTerms(inv canon.Invoice, p Policy) int {
	return termsOr(inv, p, p.V2PaymentTermsDays)
}

func termsOr(inv canon.Invoice, p Policy, otherwise int) int {
	group := inv.Customer.GroupID
	if group == nil && inv.Customer.IsGuest() {
		group = new(canon.Int)
	}
	if group == nil {
		return otherwise
	}
	if days, ok := p.PaymentTermsByGroup[strconv.FormatInt(int64(*group), 10)]; ok {
		return days
	}
	return otherwise
}

// Reference is what the merchant searches for in the ledger: the order's
// number and, where the buyer gave one, the purchase order's.
func Reference(inv canon.Invoice) string {
	parts := []string{}
	if order := CleanName(inv.OrderIncrementID); order != "" {
		parts = append(parts, "Order "+order)
	}
	if po := CleanName(text(inv.PONumber)); po != "" {
		parts = append(parts, "PO "+po)
	}
	return CleanName(strings.Join(parts, ", "))
}
