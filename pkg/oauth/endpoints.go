package oauth

import (
	"errors"
	"fmt"
	"net/url"

	"towpath/pkg/provider/specs"
)

// findProvider fills in what is known of the grant's provider, and where to ask it.
func (g *grant) findProvider() error {
	spec, known := specs.Of(g.Provider)
	if !known {
		return fmt.Errorf("there is no OAuth for provider %q", g.Provider)
	}
	api, err := url.Parse(g.ApiUrl)
	if err != nil || api.Host == "" {
		return errors.New("the api url of the binding is not a url")
	}
	g.spec, g.endpoints = spec, spec.OAuth.Endpoints(api, g.OauthGrant.IdentityUrl)
	return nil
}
