package oauth

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// endpoints are a provider's addresses for OAuth.
type endpoints struct {
	name          string // of the provider, for people
	authorize     string
	token         string
	organisations string
	scopes        []string
}

// xeroScopes is all that posting needs. Apps made since March 2026 get only
// such granular ones.
func xeroScopes() []string {
	return []string{"accounting.invoices", "accounting.payments", "accounting.contacts", "accounting.settings.read"}
}

// endpointsOf says where to ask. identityURL stands in for Xero's own
// identity server where it is set; FreeAgent's is at the address of its API.
func endpointsOf(provider, apiURL, identityURL string) (endpoints, error) {
	api, err := url.Parse(apiURL)
	if err != nil || api.Host == "" {
		return endpoints{}, fmt.Errorf("the api url of the binding is not a url")
	}
	switch provider {
	case "xero":
		return endpoints{
			name:          "Xero",
			authorize:     under(cmp.Or(identityURL, "https://login.xero.com"), "/identity/connect/authorize"),
			token:         under(cmp.Or(identityURL, "https://identity.xero.com"), "/connect/token"),
			organisations: api.Scheme + "://" + api.Host + "/connections",
			scopes:        xeroScopes(),
		}, nil
	case "freeagent":
		root := apiURL
		if strings.Trim(api.Path, "/") == "" {
			root = under(root, "/v2")
		}
		return endpoints{
			name:          "FreeAgent",
			authorize:     under(root, "/approve_app"),
			token:         under(root, "/token_endpoint"),
			organisations: under(root, "/company"),
		}, nil
	}
	return endpoints{}, fmt.Errorf("there is no OAuth for provider %q", provider)
}

func under(base, path string) string { return strings.TrimRight(base, "/") + path }
