package ingress

import (
	"net/url"
	"strings"
)

// provider is the provider that the query asks for, or empty.
func provider(query url.Values) (string, error) {
	name := query.Get("provider")
	if len(name) > 32 || strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}) {
		return "", refuse(codeNoActiveBinding, "tenant has no active binding with a provider of this name")
	}
	return name, nil
}

// chooseBinding is the live binding with the asked provider, or the only one
// where none is asked for. A binding that needs consent is live: its runs are
// held until it has it.
func chooseBinding(live []binding, asked string) (binding, error) {
	if asked != "" {
		for _, b := range live {
			if b.provider == asked {
				return b, nil
			}
		}
		return binding{}, refuse(codeNoActiveBinding, "tenant has no active %s binding", asked)
	}
	switch len(live) {
	case 0:
		return binding{}, refuse(codeNoActiveBinding, "tenant has no active binding")
	case 1:
		return live[0], nil
	}
	names := make([]string, len(live))
	for i, b := range live {
		names[i] = b.provider
	}
	return binding{}, refuse(codeAmbiguousBinding, "tenant has several active bindings (%s); say which by ?provider=",
		strings.Join(names, ", "))
}

// readQuery refuses a query that cannot be read instead of leaving parts out.
func readQuery(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil || len(raw) > 1024 {
		return nil, refuse(codeMalformedRequest, "the query of the address cannot be read")
	}
	return query, nil
}
