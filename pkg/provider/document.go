package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/shopspring/decimal"
)

// Document is an invoice or a credit note in a ledger's terms, ready to be sent:
// the exact body and the totals that the ledger will compute from it.
type Document struct {
	Number    string `json:"number"`     // InvoiceNumber or CreditNoteNumber, or reference on wire v2
	ContactID string `json:"contact_id"` // ContactID, or contact URL on wire v2
	Currency  string `json:"currency"`
	// Status is what the document is to reach: in the body where the wire takes it
	// there, by a second call where it does not.
	Status   string          `json:"status"`
	Body     json.RawMessage `json:"body"`
	SubTotal decimal.Decimal `json:"sub_total"`
	TotalTax decimal.Decimal `json:"total_tax"`
	Total    decimal.Decimal `json:"total"`    // equals the shop's grand_total
	Rounding decimal.Decimal `json:"rounding"` // the rounding line; zero where there is none
	Notes    []string        `json:"notes"`    // how each line came to be, for explain
}

// Key is the document's number.
func (d Document) Key() string { return d.Number }

// Hash is the SHA-256 of the body in hex: what the intent records, and with the
// run's id the source of the idempotency key.
func (d Document) Hash() string { return hash(d.Body) }

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Posted is a document, a payment, an allocation or an item that is known to
// exist at the provider; or, where Settled, the knowledge that none is needed.
type Posted struct {
	ID       string // InvoiceID, or the invoice's URL on wire v2; at most 64 characters
	Number   string
	URL      string // where a person can look at it
	Status   string
	SubTotal decimal.NullDecimal // as answered; not Valid where the answer has none
	TotalTax decimal.NullDecimal
	Total    decimal.NullDecimal // of a payment or an allocation: the amount that was written
	// Settled: of a payment or an allocation, nothing was written, since nothing was
	// open that it could have been written against: somebody else has paid the
	// document, or used the credit. ID is empty, URL is the document's.
	Settled bool
	// Absent: it was only to be looked for (Try.Look), and is not there.
	Absent  bool
	Adopted bool // it was there already: an earlier attempt had created it
	// Proven: an adopted document itself names this very run. Where it does not, only
	// whoever knows all shops of the organisation can say that it is not another's.
	Proven  bool
	Source  string // the id of the run that an adopted document names, where that is another
	Contact string // the id of the contact that it is booked on; empty where that is not known
	// GoneItems are the item codes that the ledger did not know any more: the document
	// was written without any.
	GoneItems []string
}

// Try says how a write is to be made.
type Try struct {
	Key       string // idempotency key, at most 128 characters, the same for the same body
	Uncertain bool   // an earlier attempt may have taken effect: look before writing
	Known     string // of a contact: the id that the shop had for it, which the ledger would not take any more
	Shared    bool   // other shops write to the organisation too
	// Look: what is not there is not written, and its outcome is Absent. Of a document, a
	// payment or an allocation that is not to be any more and may exist already.
	Look bool
}
