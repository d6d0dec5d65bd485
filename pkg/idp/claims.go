package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"towpath/pkg/foreign"
	"towpath/pkg/users"
)

// claims are what the provider says of somebody.
type claims map[string]json.RawMessage

// find answers a claim: the one of this very name, else a member of an object,
// "realm_access.roles".
func (c claims) find(name string) json.RawMessage {
	if raw, there := c[name]; there {
		return raw
	}
	head, rest, nested := strings.Cut(name, ".")
	if !nested {
		return nil
	}
	var inner claims
	if json.Unmarshal(c[head], &inner) != nil {
		return nil
	}
	return inner.find(rest)
}

func (c claims) text(name string) string {
	var s string
	_ = json.Unmarshal(c.find(name), &s) // what is no text is none
	return s
}

// texts are a claim's values: one text, or an array of them.
func (c claims) texts(name string) []string {
	if one := c.text(name); one != "" {
		return []string{one}
	}
	var all []any
	_ = json.Unmarshal(c.find(name), &all)
	var texts []string
	for _, v := range all {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// isTrue takes "true" too, as some providers write it.
func (c claims) isTrue(name string) bool {
	var b bool
	return json.Unmarshal(c.find(name), &b) == nil && b || c.text(name) == "true"
}

// complete asks the provider's userinfo for what the ID token does not say, where there is
// one: some providers put e-mail and groups there only. It is asked for the same subject
// by the token that came with the ID token.
func (p *Provider) complete(ctx context.Context, found *discovered, token *oauth2.Token, subject string, said claims) (claims, error) {
	named := said.text(p.cfg.UserClaim) != "" && (p.cfg.UserClaim != emailClaim || said.find(emailVerifiedClaim) != nil)
	ranked := said.find(p.cfg.RolesClaim) != nil || !slices.ContainsFunc(p.cfg.Roles, func(g Grant) bool { return g.Value != Anybody })
	if named && ranked || found.provider.UserInfoEndpoint() == "" || token.AccessToken == "" {
		return said, nil
	}
	info, err := found.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, &AwayError{fmt.Errorf("read userinfo: %w", err)}
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return nil, &AwayError{fmt.Errorf("read userinfo: %w", err)}
	}
	if info.Subject != subject { // OpenID Connect Core 5.3.4
		return nil, p.untrue("userinfo", errors.New("userinfo is of another subject"))
	}
	if !named && more.text(p.cfg.UserClaim) != "" {
		// Together: the one says of the other that it is verified.
		said[p.cfg.UserClaim], said[emailVerifiedClaim] = more.find(p.cfg.UserClaim), more.find(emailVerifiedClaim)
	}
	if !ranked {
		said[p.cfg.RolesClaim] = more.find(p.cfg.RolesClaim)
	}
	return said, nil
}

// vouched is whom the claims make of somebody here.
func (p *Provider) vouched(subject string, said claims) (users.Vouched, error) {
	v := users.Vouched{Issuer: p.cfg.Issuer, Subject: subject, Name: foreign.Text(said.text(p.cfg.UserClaim), 200), Proved: p.cfg.UserClaim == emailClaim}
	switch {
	case v.Name == "":
		return v, &Refusal{Reason: "no name", Text: fmt.Sprintf("%s does not say your %s. Its operator has to let this Towpath have it (TOWPATH_OIDC_SCOPES, TOWPATH_OIDC_USER_CLAIM).", p.Name(), p.cfg.UserClaim)}
	case v.Proved && !said.isTrue(emailVerifiedClaim):
		return v, &Refusal{Reason: "e-mail not verified", Text: fmt.Sprintf("%s has not verified that %s is your e-mail address. Have it verified there, and sign in again.", p.Name(), v.Name)}
	}
	has := said.texts(p.cfg.RolesClaim)
	for _, g := range p.cfg.Roles {
		if g.Value == Anybody || slices.Contains(has, g.Value) {
			v.Role = max(v.Role, g.Role)
		}
	}
	return v, nil
}
