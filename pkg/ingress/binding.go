package ingress

import (
	"net/url"
	"slices"
	"strings"

	"towpath/pkg/metrics"
)

// provider is the provider that the query asks for, or empty.
func provider(query url.Values) (string, error) {
	name := query.Get("provider")
	if len(name) > 32 || strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}) {
		return "", refuse(codeUnknownProvider, "there is no provider of this name")
	}
	return name, nil
}

// chooseBinding is the live binding with the asked provider, or the only one
// where none is asked for. A binding that needs consent is live: its runs are
// held until it has it. A shop without a binding, whether it has none yet, or its
// own was ended and another is being made, is in an ordinary state, and one with
// two that names none is mended without the shop: 503, so that the event comes
// again. Only a provider that this Towpath can never bind is the event's fault.
func chooseBinding(live []binding, asked string) (binding, error) {
	if asked != "" {
		for _, b := range live {
			if b.provider == asked {
				return b, nil
			}
		}
		if !slices.Contains(metrics.Providers(), asked) {
			return binding{}, refuse(codeUnknownProvider, "there is no provider %s here", asked)
		}
		return binding{}, refuse(codeNoActiveBinding, "the shop is not connected to %s yet; this will be sent again", asked)
	}
	switch len(live) {
	case 0:
		return binding{}, refuse(codeNoActiveBinding, "the shop is paired and not connected to a ledger yet; this will be sent again")
	case 1:
		return live[0], nil
	}
	names := make([]string, len(live))
	for i, b := range live {
		names[i] = b.provider
	}
	return binding{}, refuse(codeAmbiguousBinding, "the shop is connected to several ledgers (%s) and says not which is meant; end one, or send ?provider=",
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
