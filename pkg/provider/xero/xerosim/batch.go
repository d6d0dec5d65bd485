package xerosim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// elements reads a body: {"Invoices":[...]} with the key in any case, or one
// bare object.
func elements(c call) ([]map[string]any, *answer) {
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.UseNumber()
	var body map[string]any
	if err := decoder.Decode(&body); err != nil {
		return nil, badBody(err.Error())
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, badBody("more than one JSON value")
	}
	for key, value := range body {
		if !strings.EqualFold(key, c.list) {
			continue
		}
		list, ok := value.([]any)
		if !ok {
			return nil, badBody(key + " is not a list")
		}
		var found []map[string]any
		for _, item := range list {
			element, ok := item.(map[string]any)
			if !ok {
				return nil, badBody("an element is not an object")
			}
			found = append(found, element)
		}
		return found, nil
	}
	return []map[string]any{body}, nil
}

func badBody(why string) *answer {
	a := exception(http.StatusBadRequest, 17, "PostDataInvalidException", "The body could not be read: "+why)
	return &a
}

// batchCount is what came in the calls of one operation.
type batchCount struct{ elements, largest int }

// open reads the elements of a write and notes how many came, also where a fault
// strikes afterwards.
func (s *Sim) open(c *call) {
	if c.method == http.MethodGet {
		return
	}
	c.elements, c.unread = elements(*c)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.batches[c.operation]
	n.elements += len(c.elements)
	n.largest = max(n.largest, len(c.elements))
	s.batches[c.operation] = n
}

// batch answers a write. With summarizeErrors=false it is a 200 whatever
// happened to the elements; otherwise one bad element makes it a 400.
func (s *Sim) batch(c call, resource string, shown []fields, failed bool) answer {
	s.mix(shown)
	if failed && c.get("summarizeErrors") != "false" {
		return jsonAnswer(http.StatusBadRequest, fields{
			"ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation exception occurred", "Elements": shown,
		})
	}
	return s.document(http.StatusOK, fields{resource: shown})
}

// mix changes the order of what is shown, if that is asked for.
func (s *Sim) mix(shown []fields) {
	if s.cfg.ShuffleBatches != 0 {
		s.shuffle.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
	}
}

// echo is a refused element: what was sent, without an id, and why.
func (s *Sim) echo(element map[string]any, idField string, faults []string) fields {
	f := fields{}
	for key, value := range element {
		f[key] = value
	}
	f[idField] = zeroGUID
	f["HasErrors"] = s.flag(true)
	f["StatusAttributeString"] = "ERROR"
	f["ValidationErrors"] = messages(faults)
	return f
}
