package xero

import (
	"net/url"
	"strings"
)

// kind is a sort of document that Xero keeps: where it lies, what it is called, and
// how several of it are looked up.
type kind struct {
	name             string // to people
	list             string // the resource, and the list in bodies and answers
	ofSales          string // Type of the shop's; suppliers' documents have numbers too
	opCreate, opFind string
	link             func(id string) string // where a person sees it
	// numbersAsked and idsAsked are the queries for several; numberWritten is how
	// one stands there, empty where it cannot stand beside others.
	numbersAsked, idsAsked   func([]string) url.Values
	numberWritten, idWritten func(string) string
}

func invoices() kind {
	return kind{
		name: "invoice", list: "Invoices", ofSales: "ACCREC", opCreate: opInvoiceCreate, opFind: opInvoiceFind, link: invoiceLink,
		numberWritten: listed, idWritten: listed,
		numbersAsked: func(numbers []string) url.Values {
			if len(numbers) == 1 && !listable(numbers[0]) {
				return anyOf("InvoiceNumber", numbers, quoted)
			}
			return url.Values{"InvoiceNumbers": {strings.Join(numbers, ",")}}
		},
		idsAsked: func(ids []string) url.Values { return url.Values{"IDs": {strings.Join(ids, ",")}} },
	}
}

// creditNotes has no list parameters: Xero offers where alone.
func creditNotes() kind {
	return kind{
		name: "credit note", list: "CreditNotes", ofSales: "ACCRECCREDIT", opCreate: opCreditCreate, opFind: opCreditFind, link: creditNoteLink,
		numberWritten: func(number string) string { return " OR CreditNoteNumber==" + quoted(number) },
		idWritten:     func(id string) string { return " OR CreditNoteID==" + guid(id) },
		numbersAsked:  func(numbers []string) url.Values { return anyOf("CreditNoteNumber", numbers, quoted) },
		idsAsked:      func(ids []string) url.Values { return anyOf("CreditNoteID", ids, guid) },
	}
}

func (k kind) byNumber() lookUp {
	return lookUp{kind: k, most: maxNumbers, written: k.numberWritten, asked: k.numbersAsked, pick: k.withNumber}
}

func (k kind) byID() lookUp {
	return lookUp{kind: k, most: maxNumbers, written: k.idWritten, asked: k.idsAsked, pick: withID}
}

// withID picks the document with that id; case says nothing.
func withID(documents []documentAnswer, id string) *documentAnswer {
	for i := range documents {
		if strings.EqualFold(string(documents[i].id()), id) {
			return &documents[i]
		}
	}
	return nil
}

// anyOf is the query for what has one of the values in a field.
func anyOf(field string, values []string, written func(string) string) url.Values {
	var conditions []string
	for _, v := range values {
		conditions = append(conditions, field+"=="+written(v))
	}
	return url.Values{"where": {strings.Join(conditions, " OR ")}}
}

// guid is an id of Xero's where language.
func guid(id string) string { return "guid(" + quoted(id) + ")" }

// creditNoteLink is where a person sees the credit note.
func creditNoteLink(id string) string {
	return "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID=" + url.QueryEscape(id)
}
