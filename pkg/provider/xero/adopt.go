package xero

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"towpath/pkg/mistake"
	"towpath/pkg/provider"
)

// adopt takes found as doc if it is provably the same document.
func (k kind) adopt(found *documentAnswer, doc provider.Document, err error) (provider.Posted, error) {
	if err != nil {
		return provider.Posted{}, err
	}
	sent := k.sent(doc)
	posted := k.posted(*found, true)
	difference := ""
	posted.Proven, posted.Source, difference = names(string(found.Url), sent.Url)
	if difference == "" {
		difference = found.differs(doc, sent)
	}
	if mistake.Made(mistake.AdoptByNumber) {
		posted.Proven, difference = true, ""
	}
	if difference != "" {
		f := held(reasonNumberTaken, k.name+" number "+strconv.Quote(doc.Number)+" is taken in Xero by another "+k.name+" ("+
			difference+"): "+posted.URL+
			"; set a number prefix of this shop's own (invoice_number_prefix, or invoice_number_prefix_by_store), or remove that "+k.name+" and retry")
		f.Wrote = provider.WroteNo // the number is another's
		return provider.Posted{}, f
	}
	return posted, nil
}

// sentDocument is what a body says of itself.
type sentDocument struct{ Date, Reference, Url string }

// sent is what doc's body says of itself; empty where there is no body.
func (k kind) sent(doc provider.Document) sentDocument {
	var sent sentDocument
	if json.Unmarshal(loneElement(doc.Body, k.list), &sent) != nil {
		return sentDocument{}
	}
	return sent
}

// names compares the page that a document in Xero links to with the run's own. The
// last part of a page's address is its run's id, which no two runs share: the same
// one is proof, wherever this Towpath is reached now. Another run's page at the
// same place is for the caller to judge, who knows the runs; any other address is
// another program's. A document without one proves nothing.
func names(theirs, ours string) (proven bool, source, difference string) {
	if theirs == "" {
		return false, "", ""
	}
	theirPlace, theirRun := runPage(theirs)
	ourPlace, ourRun := runPage(ours)
	switch {
	case theirRun != "" && theirRun == ourRun, theirs == ours:
		return true, "", ""
	case theirRun != "" && theirPlace == ourPlace:
		return false, theirRun, ""
	}
	return false, "", "it links to " + clip(theirs, 200)
}

// runPage divides the address of a run's page into its place and the run's id,
// which is empty where it names no run.
func runPage(raw string) (place, run string) {
	u, err := url.Parse(raw)
	if err != nil {
		return raw, ""
	}
	i := strings.LastIndex(u.Path, "/")
	id, err := uuid.Parse(u.Path[i+1:])
	if i < 0 || err != nil {
		return raw, ""
	}
	return strings.ToLower(u.Host) + u.Path[:i], id.String()
}

// differs names what makes found another document than doc; empty if it is the
// same.
func (a documentAnswer) differs(doc provider.Document, sent sentDocument) string {
	switch {
	case a.dead():
		return "its status is " + string(a.Status)
	case a.number() != doc.Number:
		return "its number is " + strconv.Quote(a.number())
	case !strings.EqualFold(string(a.Contact.Value.ContactID), doc.ContactID):
		return "it belongs to another contact"
	case a.CurrencyCode != "" && !strings.EqualFold(string(a.CurrencyCode), doc.Currency):
		return "its currency is " + string(a.CurrencyCode)
	case !a.Total.Valid || !a.Total.Decimal.Equal(doc.Total):
		return "its total is " + a.Total.Decimal.StringFixed(2) + ", not " + doc.Total.StringFixed(2)
	case a.date() != sent.Date:
		return "its date is " + strconv.Quote(a.date()) + ", not " + sent.Date
	case clean(string(a.Reference)) != sent.Reference:
		return "its reference is " + strconv.Quote(clip(string(a.Reference), 200)) + ", not " + strconv.Quote(sent.Reference)
	}
	return ""
}

// date is the day of the document; the twin without a zone goes first.
func (a documentAnswer) date() string {
	if a.DateString != "" {
		return string(a.DateString)
	}
	return string(a.Date)
}
