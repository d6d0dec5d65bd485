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

// Number is the document's number in the ledger: the prefix of its store, else
// the binding's, and the shop's increment id. A shop whose increment ids begin with the prefix gets it once.
// A prefix of digits only is always put before: with prefix 1 the ids 00042 and
// 100042 would else become one number.
func Number(inv canon.Invoice, p Policy) string {
	prefix, ofStore := p.NumberPrefixByStore[strconv.FormatInt(int64(inv.StoreID), 10)]
	if !ofStore {
		prefix = text(p.InvoiceNumberPrefix)
	}
	telling := strings.Trim(prefix, "0123456789") != ""
	if telling && strings.HasPrefix(inv.IncrementID, prefix) {
		return inv.IncrementID
	}
	return prefix + inv.IncrementID
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

// WithNumber is p with the prefix that gives inv this number, so that a document
// which may exist under it keeps it. A number that is not the invoice's id with
// something before it leaves p as it is.
func WithNumber(inv canon.Invoice, p Policy, number string) Policy {
	prefix, ok := strings.CutSuffix(number, inv.IncrementID)
	if !ok {
		return p
	}
	p.InvoiceNumberPrefix, p.NumberPrefixByStore = &prefix, nil
	if prefix == "" {
		p.InvoiceNumberPrefix = nil
	}
	return p
}
