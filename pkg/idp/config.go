// Package idp signs people in by an identity provider, as OpenID Connect has it: the
// authorization code flow with PKCE, begun and ended by one browser.
//
// What a browser brings back is worth nothing without the cookie that it was sent away
// with; what the provider says is taken from a signed ID token (and, of claims that are
// not in it, from the provider's userinfo, for the same subject). Whom that makes of
// somebody here is package users' matter.
package idp

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"towpath/pkg/secret"
	"towpath/pkg/users"
)

// Config is how this installation uses its provider; the zero value is none.
type Config struct {
	Issuer       string // its address, exactly as its tokens have it
	ClientID     string
	ClientSecret secret.String
	Roles        []Grant
	RolesClaim   string   // what Roles look at; "a.b" is the member b of a
	UserClaim    string   // what names a user; an e-mail address must be verified
	Scopes       []string // asked for beside openid
	Title        string   // what people call the provider
}

// Grant is a role for those whose claim has a value; Anybody: for all.
type Grant struct {
	Role  users.Role
	Value string
}

// Anybody is the value of a grant for everybody whom the provider lets in.
const Anybody = "*"

// What holds where a setting is not given.
const (
	DefaultRolesClaim = "groups"
	DefaultUserClaim  = emailClaim
	DefaultScopes     = "email profile"
)

const emailClaim, emailVerifiedClaim = "email", "email_verified"

// Configured reports whether there is a provider.
func (c Config) Configured() bool { return c.Issuer != "" }

// AdminPossible reports whether somebody may be an admin by the provider's word.
func (c Config) AdminPossible() bool {
	return slices.ContainsFunc(c.Roles, func(g Grant) bool { return g.Role == users.Admin })
}

// Name is what people call the provider: the title, else its host.
func (c Config) Name() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return c.Title
	}
	return cmp.Or(c.Title, u.Host)
}

// SettingError is a setting that cannot be used.
type SettingError struct{ Setting, Text string }

func (e *SettingError) Error() string { return e.Setting + " " + e.Text }

// Check answers the first setting that does not fit. Nobody is asked.
func (c Config) Check() error {
	if !c.Configured() {
		for setting, set := range map[string]bool{"TOWPATH_OIDC_CLIENT_ID": c.ClientID != "", "TOWPATH_OIDC_CLIENT_SECRET": !c.ClientSecret.IsEmpty(), "TOWPATH_OIDC_ROLES": len(c.Roles) > 0} {
			if set {
				return &SettingError{"TOWPATH_OIDC_ISSUER", "is not set, and " + setting + " is; set the address of the identity provider, or take the others away"}
			}
		}
		return nil
	}
	if err := checkIssuer(c.Issuer); err != nil {
		return &SettingError{"TOWPATH_OIDC_ISSUER", err.Error()}
	}
	switch {
	case c.ClientID == "":
		return &SettingError{"TOWPATH_OIDC_CLIENT_ID", "is not set; the identity provider gives it to this Towpath as to an application"}
	case c.ClientSecret.IsEmpty():
		return &SettingError{"TOWPATH_OIDC_CLIENT_SECRET", "is not set, nor TOWPATH_OIDC_CLIENT_SECRET_FILE; the identity provider gives it with the client id"}
	case len(c.Roles) == 0:
		return &SettingError{"TOWPATH_OIDC_ROLES", "is not set; it says who gets which role, such as admin=towpath-admins, viewer=staff"}
	case c.RolesClaim == "":
		return &SettingError{"TOWPATH_OIDC_ROLES_CLAIM", "is empty"}
	case c.UserClaim == "":
		return &SettingError{"TOWPATH_OIDC_USER_CLAIM", "is empty"}
	}
	return nil
}

// checkIssuer takes private addresses too: the operator alone sets it. Without TLS only
// on this machine: the client's secret and the tokens go there.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is no address such as https://id.example.com/realms/staff") // the parser's error may show a password
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("must be an address without user, query and fragment, as the provider's discovery document has it")
	case strings.HasSuffix(u.Path, "/.well-known/openid-configuration"):
		return errors.New("is the address of the discovery document; take /.well-known/openid-configuration off its end")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("must begin with https:// (http only for this machine)")
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// ParseRoles reads a setting, "admin=towpath-admins, operator=ops, viewer=*": pairs of a
// role and a value of the claim, with commas between them, or semicolons where a value
// has a comma.
func ParseRoles(text string) ([]Grant, error) {
	separator := ","
	if strings.Contains(text, ";") {
		separator = ";"
	}
	var all []Grant
	for _, pair := range strings.Split(text, separator) {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		role, err := users.ParseRole(strings.TrimSpace(name))
		value = strings.TrimSpace(value)
		if !ok || err != nil || value == "" {
			return nil, fmt.Errorf("has %q; use pairs such as admin=towpath-admins, viewer=staff: a role (viewer, operator, admin) and a value of the claim, "+
				"* for everybody; semicolons between them where a value has a comma", pair)
		}
		all = append(all, Grant{role, value})
	}
	return all, nil
}
