package xero

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"towpath/pkg/provider"
)

// Spec is what is known of Xero beforehand; others are wires of other folders that
// its bindings may speak as well.
func Spec(others ...provider.Wire) provider.Spec {
	return provider.Spec{
		Name: "xero", Title: "Xero", Wires: append([]provider.Wire{wire()}, others...),
		PairPath: "/xero_accounting/setup/pair",
		OAuth: provider.OAuth{
			ClientCredentials: true, IdentityServer: true,
			// All that posting needs. Apps made since March 2026 get only such granular ones.
			Scopes:    []string{"accounting.invoices", "accounting.payments", "accounting.contacts", "accounting.settings.read"},
			Endpoints: endpoints, Organisations: organisations,
		},
	}
}

// wire is the Accounting API: 60 calls a minute and 5 at once for each organisation.
// When its minute begins differs between organisations and is not told. The day's
// limit depends on the app's tier and is read from its answers.
func wire() provider.Wire {
	return provider.Wire{
		Name: provider.WireAccounting, Title: "Accounting API", APIURL: "https://api.xero.com",
		Limits: provider.Limits{PerMinute: 60, AtOnce: 5}, Batch: maxElements, NamesOrganisation: true, Operations: Operations(),
		MayDuplicate: false, // it refuses the second: by number, and by idempotency key
	}
}

func endpoints(api *url.URL, identity string) provider.Endpoints {
	return provider.Endpoints{
		Authorize:     under(cmp.Or(identity, "https://login.xero.com"), "/identity/connect/authorize"),
		Token:         under(cmp.Or(identity, "https://identity.xero.com"), "/connect/token"),
		Organisations: api.Scheme + "://" + api.Host + "/connections",
	}
}

func under(base, path string) string { return strings.TrimRight(base, "/") + path }

// organisations are Xero's connections, without those to an accountant's practice.
func organisations(body []byte) ([]provider.Reached, error) {
	var answer []struct {
		ID   string `json:"tenantId"`
		Kind string `json:"tenantType"`
		Name string `json:"tenantName"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil, errors.New("its connections could not be read")
	}
	var found []provider.Reached
	for _, o := range answer {
		if o.Kind == "ORGANISATION" && o.ID != "" {
			found = append(found, provider.Reached{ID: o.ID, Name: o.Name})
		}
	}
	return found, nil
}
