package xero

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"towpath/pkg/provider"
)

// element is what an answer says of one part.
type element[T any] struct {
	number string
	saved  bool
	value  T
	raw    json.RawMessage
}

// createBatch makes one call for chunk. What can come of it:
//   - nothing was sent, or Xero is there for nobody: the failure is everybody's;
//   - the answer was lost, or the process stops here: each may have been written;
//     the next call has Uncertain and looks every number up;
//   - a 200: each element is judged by itself;
//   - a refusal that names elements: likewise, but see judge;
//   - a refusal of the whole: one bad element must not hurt the others, so each
//     half goes on by itself, down to single ones.
func (b *batch[T]) createBatch(ctx context.Context, chunk []part, left *leftover) {
	if !b.mayCall(chunk...) {
		return
	}
	if len(chunk) == 1 {
		left.alone = append(left.alone, chunk[0])
		return
	}
	call := b.create
	call.body, call.key = together(b.list, chunk), jointKey(chunk)
	answer, err := b.client.send(about(ctx, chunk...), call)
	shown := b.elements(answer, chunk)
	b.noteParts(answer, chunk, shown)
	if err != nil {
		b.fail(chunk, err)
		return
	}
	switch {
	case len(shown) > 0:
		b.judge(answer, chunk, shown, left)
	case answer.divisible():
		for i := range chunk {
			chunk[i].mayExist = chunk[i].mayExist || !answer.unread()
		}
		half := len(chunk) / 2
		b.createBatch(ctx, chunk[:half], left)
		b.createBatch(ctx, chunk[half:], left)
	default:
		b.fail(chunk, answer.jointFailure(call))
	}
}

// noteParts keeps of a joint call each part's own element, sent and answered, and where
// the answer names none what it says of the whole.
func (b *batch[T]) noteParts(answer reply, chunk []part, shown map[string]element[T]) {
	for _, p := range chunk {
		kept := provider.CallPart{Sent: provider.Body(together(b.list, []part{p})), Answer: provider.Body(shown[p.number].raw)}
		if len(shown) == 0 && answer.status != http.StatusOK {
			kept.Answer = provider.Body(clip(answer.body, 2000))
		}
		answer.noted.Part(p.at, kept)
	}
}

// judge gives each part what its own element says. An element with errors was
// not saved. In a 200 one without errors was; a 400 does not say so, since it
// may have been refused for the others' sake. What is not known is looked up by
// the next call, under another key, since this answer is remembered.
func (b *batch[T]) judge(answer reply, chunk []part, shown map[string]element[T], left *leftover) {
	var none T
	for _, p := range chunk {
		e, there := shown[p.number]
		switch {
		case !there:
			b.end(p, none, unsaid("Xero's answer does not show the document; it will be looked up"))
		case answer.status == http.StatusOK && e.saved:
			b.end(p, e.value, nil)
		case answer.status != http.StatusOK && len(complaints(e.raw)) == 0:
			b.end(p, none, unsaid("Xero refused other documents of the call and does not say what became of this one; it will be looked up"))
		default:
			f := elementRefusal(e.raw)
			b.end(p, none, f)
			if f.Wrote == provider.WroteNo {
				left.refused = append(left.refused, refusedPart{p, f})
			}
		}
	}
}

// elements are the elements of the answer that bear a number of chunk, by their
// number: Xero does not promise their order. Of two with one number the saved
// one counts.
func (b *batch[T]) elements(answer reply, chunk []part) map[string]element[T] {
	sent := map[string]bool{}
	for _, p := range chunk {
		sent[p.number] = true
	}
	shown := map[string]element[T]{}
	for _, raw := range answer.elements(b.list) {
		e, err := b.read(raw)
		if err != nil || !sent[e.number] {
			continue
		}
		if earlier, twice := shown[e.number]; !twice || !earlier.saved {
			shown[e.number] = e
		}
	}
	return shown
}

// elements are the list of a 200, or what a 400 complains of.
func (a reply) elements(name string) []json.RawMessage {
	switch a.status {
	case http.StatusBadRequest:
		name = "Elements"
	case http.StatusOK:
	default:
		return nil
	}
	all, err := listIn[json.RawMessage](request{}, []byte(a.body), name)
	if err != nil {
		return nil
	}
	return all
}

// divisible reports whether the answer refuses the call for what it holds, so
// that a smaller one may fare better.
func (a reply) divisible() bool {
	if a.status < 400 || a.status >= 500 {
		return false
	}
	switch classify(a).Kind {
	case provider.Refused, provider.Held, provider.Bug:
		return true
	}
	return false
}

// unread reports whether Xero refused the body without having read documents in
// it, so that none was saved.
func (a reply) unread() bool {
	return a.status == http.StatusRequestEntityTooLarge || strings.Contains(strings.ToLower(a.body), "postdatainvalidexception")
}

// jointFailure is what an answer without usable elements means for all parts.
func (a reply) jointFailure(call request) *provider.Failure {
	if a.status != http.StatusOK {
		return classify(a)
	}
	var anything map[string]json.RawMessage
	if err := decode(call, []byte(a.body), &anything); err != nil {
		return provider.AsFailure(err)
	}
	return unsaid("Xero's answer shows none of the documents; they will be looked up")
}

// together is the body of a joint call; each element keeps its bytes.
func together(list string, chunk []part) []byte {
	elements := make([][]byte, len(chunk))
	for i, p := range chunk {
		elements[i] = p.element
	}
	return append(append([]byte(`{"`+list+`":[`), bytes.Join(elements, []byte(","))...), "]}"...)
}

// loneElement is the one element of a body that creates one thing; nil where it
// is not of that form, which then goes alone and gets Xero's own opinion.
func loneElement(body []byte, list string) json.RawMessage {
	var lists map[string][]json.RawMessage
	if json.Unmarshal(body, &lists) != nil || len(lists) != 1 || len(lists[list]) != 1 {
		return nil
	}
	return lists[list][0]
}

// jointKey follows from the keys of the parts in their order, so that the same
// set sent again gets Xero's stored answer, and any other set does not.
func jointKey(chunk []part) string {
	var keys []string
	for _, p := range chunk {
		keys = append(keys, p.key)
	}
	return derivedKey("together", keys...)
}
