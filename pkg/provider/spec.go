package provider

import "net/url"

// The wires that a binding may speak.
const (
	WireAccounting = "accounting" // Xero's Accounting API 2.0
	WireV2         = "v2"         // FreeAgent's
)

// Spec is what is known of a provider before anybody calls it. Each folder has one;
// package specs lists them.
type Spec struct {
	Name  string // in the tables, on the command line, in a webhook's ?provider=
	Title string // for people
	Wires []Wire // the first is the default
	// PairPath is where its module of the shop takes a pairing, below /rest/V1/byte8.
	PairPath string
	OAuth    OAuth
}

// Wire is one way of speaking to a provider.
type Wire struct {
	Name   string
	Title  string
	APIURL string // where it answers; empty: it has no address of its own
	Limits Limits
	Batch  int // documents in one call, at most
	// NamesOrganisation: a call says which organisation it is for, so that a token
	// alone reaches none.
	NamesOrganisation bool
	// TwinContacts: it accepts a second contact with one e-mail, so that a buyer's is
	// looked up before one is created.
	TwinContacts bool
	// MayDuplicate: it may accept one document twice, so that a call of a process
	// that is given up for dead must have timed out before anybody tries again. The
	// database asks towpath_may_duplicate; a test compares the two.
	MayDuplicate bool
	Operations   []string // what the client's Observe may be told
}

// OAuth is how tokens are had.
type OAuth struct {
	ClientCredentials bool // an app may connect by itself, without a person's consent
	SecretForConsent  bool // an app that asks for consent needs a secret
	IdentityServer    bool // it is apart from the API, so that it may be replaced by another
	Scopes            []string
	// Endpoints are the addresses; identity stands in for its identity server where
	// that may be replaced, and is empty for its own.
	Endpoints func(api *url.URL, identity string) Endpoints
	// Organisations reads what a token reaches out of the answer of that endpoint.
	Organisations func(body []byte) ([]Reached, error)
}

// Endpoints are a provider's addresses for OAuth.
type Endpoints struct{ Authorize, Token, Organisations string }

// Reached is an organisation that a token reaches, in the provider's words as they
// came.
type Reached struct{ ID, Name string }

// Wire is the wire of that name; false where the provider does not speak it.
func (s Spec) Wire(name string) (Wire, bool) {
	for _, w := range s.Wires {
		if w.Name == name {
			return w, true
		}
	}
	return Wire{}, false
}

// WireNames are the names of its wires, the default first.
func (s Spec) WireNames() []string {
	var names []string
	for _, w := range s.Wires {
		names = append(names, w.Name)
	}
	return names
}
