package xero

import (
	"encoding/json"
	"regexp"

	"towpath/pkg/provider"
)

// An item that was written may be deleted in Xero meanwhile; then Xero refuses the
// documents whose lines name it. They are sent once more without any item code, as a
// contact is without an optional part: what was sold and for how much is in the lines.
//
//   - the second call failed: nothing exists, the next attempt begins with the first,
//     which is refused again;
//   - it failed but took effect, or the process stopped here: the next attempt has
//     Uncertain and finds the document by its number.

// itemUnknown is Xero's word on a code that is not on its price list.
var itemUnknown = regexp.MustCompile(`(?i)item code '(.+?)' is not valid`)

// goneItems are the codes for which Xero refused a document; nil where it refused it
// for something else, besides or alone: that has to be put right first.
func goneItems(err error) []string {
	if !hasKind(err, provider.Refused) {
		return nil
	}
	var codes []string
	for _, found := range itemUnknown.FindAllStringSubmatch(provider.AsFailure(err).Detail, -1) {
		codes = append(codes, found[1])
	}
	return codes
}

// withoutItems is a document whose lines name no item. It is another body, so it has
// another key, and the same at every attempt.
func withoutItems(k kind, item provider.Item[provider.Document]) provider.Item[provider.Document] {
	var body map[string][]map[string]json.RawMessage
	if json.Unmarshal(item.Value.Body, &body) != nil {
		return item
	}
	for _, document := range body[k.list] {
		var lines []map[string]json.RawMessage
		if json.Unmarshal(document["LineItems"], &lines) != nil {
			return item
		}
		for _, line := range lines {
			delete(line, "ItemCode")
		}
		document["LineItems"] = encoded(lines)
	}
	item.Value.Body, item.Try.Key = encoded(body), derivedKey(item.Try.Key, "without items")
	return item
}

func encoded(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable: it was decoded from JSON
	}
	return raw
}

// withoutItems are the parts that were refused for their items, to be sent without, and
// the others.
func (s *documentSet) withoutItems(refused []refusedPart) (bare []part, others []refusedPart) {
	for _, r := range refused {
		codes := goneItems(r.failure)
		if len(codes) == 0 {
			others = append(others, r)
			continue
		}
		s.gone[r.at] = codes
		s.set[r.at] = withoutItems(s.kind, s.set[r.at])
		p := r.part
		p.key, p.element = s.set[r.at].Try.Key, loneElement(s.set[r.at].Value.Body, s.list)
		bare = append(bare, p)
	}
	return bare, others
}
