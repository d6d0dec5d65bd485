package freeagent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

const (
	perPage = 100 // the most that the wire gives
	// maxPages only ends what would never end: a server that gives the same page
	// again and again.
	maxPages = 1000
)

// list reads the pages of a list and gives each element to use, until use
// returns false or there are no more. An answer that is no such list is a
// Temporary failure, never an empty list: "not found" would lead to a second
// document. Pages are asked for by number, Link only says whether there is
// another: an URL out of an answer is never followed.
func list[T any](ctx context.Context, c *Client, operation, kind string, query url.Values, use func(T) bool) error {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	query.Set("per_page", strconv.Itoa(perPage))
	seen := 0
	for page := 1; page <= maxPages; page++ {
		query.Set("page", strconv.Itoa(page))
		a, err := c.must(ctx, call{operation: operation, method: http.MethodGet, path: "/" + kind, query: query})
		if err != nil {
			return err
		}
		elements, err := elementsOf[T](a, kind)
		if err != nil {
			return err
		}
		for _, element := range elements {
			if !use(element) {
				return nil
			}
		}
		seen += len(elements)
		if len(elements) == 0 || !hasMore(a.header, len(elements), seen) {
			return nil
		}
	}
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeProvider,
		Message: fmt.Sprintf("the ledger's list of %s does not end", kind)}
}

func elementsOf[T any](a answer, kind string) ([]T, error) {
	var envelope map[string]json.RawMessage
	err := json.Unmarshal(a.body, &envelope)
	raw, found := envelope[kind]
	if err == nil && !found {
		err = fmt.Errorf("no %q in it", kind)
	}
	var elements []T
	if err == nil {
		elements, err = readList[T](raw)
	}
	if err != nil {
		return nil, unreadable(kind, err)
	}
	return elements, nil
}

// maxElements is far above a page: a server may know no pages.
const maxElements = 100 * perPage

// readList reads an array one by one: [{},{},…] would take a hundred times its
// length.
func readList[T any](raw []byte) (elements []T, err error) {
	if string(raw) == "null" {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return nil, errors.New("it is not a list")
	}
	elements = []T{} // empty is not unknown
	for dec.More() {
		if len(elements) == maxElements {
			return nil, fmt.Errorf("it has more than %d entries", maxElements)
		}
		var element T
		if err := dec.Decode(&element); err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	return elements, nil
}

func unreadable(what string, err error) *provider.Failure {
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeProvider,
		Message: fmt.Sprintf("the ledger's answer for %s cannot be read", what), Err: foreign.Error(err, foreign.Kept)}
}

// hasMore asks Link first, then X-Total-Count, then whether the page was full.
func hasMore(h http.Header, onPage, seen int) bool {
	if link := strings.Join(h.Values("Link"), ","); link != "" {
		link = strings.ReplaceAll(strings.ToLower(link), `"`, "")
		return strings.Contains(link, "rel=next")
	}
	if total, err := strconv.Atoi(h.Get("X-Total-Count")); err == nil {
		return seen < total
	}
	return onPage >= perPage
}
