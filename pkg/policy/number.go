package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"towpath/pkg/canon"
)

// Number is the document's number in the ledger: the prefix of its store, else
// the binding's, and the shop's increment id as PlainNumber writes it.
func Number(inv canon.Invoice, p Policy) string {
	return NumberOf(inv.IncrementID, inv.StoreID, p)
}

// NumberOf is Number for any document of the shop. A shop whose increment ids
// begin with the prefix gets it once. A prefix of digits only is always put
// before: with prefix 1 the ids 00042 and 100042 would else become one number.
func NumberOf(incrementID string, store canon.Int, p Policy) string {
	prefix, ofStore := p.NumberPrefixByStore[strconv.FormatInt(int64(store), 10)]
	if !ofStore {
		prefix = text(p.InvoiceNumberPrefix)
	}
	id := PlainNumber(incrementID)
	telling := strings.Trim(prefix, "0123456789") != ""
	if telling && strings.HasPrefix(id, prefix) {
		return id
	}
	return prefix + id
}

// WithNumber is p with the prefix that gives inv this number, so that a document
// which may exist under it keeps it. A number that is not the invoice's id with
// something before it leaves p as it is.
func WithNumber(inv canon.Invoice, p Policy, number string) Policy {
	prefix, ok := strings.CutSuffix(number, PlainNumber(inv.IncrementID))
	if !ok {
		return p
	}
	p.InvoiceNumberPrefix, p.NumberPrefixByStore = &prefix, nil
	if prefix == "" {
		p.InvoiceNumberPrefix = nil
	}
	return p
}

// maxPlainNumber leaves room for any prefix in the 255 characters that a ledger
// takes, and for the people who read it. Magento's own ids have at most 50.
const maxPlainNumber = 100

// PlainNumber is a shop's increment id as every ledger takes it: printable ASCII,
// no space at either end, at most 100 characters. An id that is so already stays
// as it is. Any other is written with the nearest letters (é as e, ß as ss, № as
// No), what has none is left out, and "-" and the first six hex digits of the
// SHA-256 of the shop's own id follow, so that two ids do not become one number. It
// depends on the id alone: every try gives the same.
func PlainNumber(id string) string {
	if isPlain(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	suffix := hex.EncodeToString(sum[:3])
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, norm.NFKD.String(undecomposed.Replace(id)))
	plain = strings.TrimSpace(plain)
	plain = strings.TrimSpace(plain[:min(len(plain), maxPlainNumber-len(suffix)-1)])
	if plain == "" {
		return suffix
	}
	return plain + "-" + suffix
}

func isPlain(id string) bool {
	return id != "" && len(id) <= maxPlainNumber && strings.TrimSpace(id) == id &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' })
}

// undecomposed are letters that Unicode does not take apart.
var undecomposed = strings.NewReplacer("ß", "ss", "æ", "ae", "Æ", "AE", "ø", "o", "Ø", "O", "œ", "oe", "Œ", "OE",
	"ł", "l", "Ł", "L", "đ", "d", "Đ", "D", "ð", "d", "þ", "th")
