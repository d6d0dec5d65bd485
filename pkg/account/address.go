package account

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"towpath/pkg/outbound"
)

// CheckShopURL judges a shop's base URL before it is stored; private says which
// private addresses it may have.
func CheckShopURL(raw string, private outbound.Private) error {
	if !strings.Contains(raw, "://") {
		return fmt.Errorf("%q has no https:// before it; give the whole address, such as https://shop.example.com", raw)
	}
	if path := strings.TrimRight(raw, "/"); strings.HasSuffix(path, "/rest") || strings.HasSuffix(path, "/rest/V1") {
		return fmt.Errorf("%q is the address of its REST API; give the shop's base URL, without /rest", raw)
	}
	return private.CheckURL(raw)
}

// CheckBaseURL judges the address that a shop will call. It refuses one that this
// shop certainly cannot reach, and warns of what is likely wrong.
func CheckBaseURL(base, shop string) (warnings []string, err error) {
	b, err := url.Parse(base)
	switch {
	case base == "":
		return nil, errors.New("it is not set; give the address at which the shop reaches this Towpath, the same that towpath serve has, such as https://towpath.example.com")
	case err != nil || b.Host == "" || b.Scheme != "http" && b.Scheme != "https":
		return nil, fmt.Errorf("%q is no address; give the one at which the shop reaches this Towpath, such as https://towpath.example.com", base)
	case b.User != nil || b.RawQuery != "" || b.Fragment != "":
		return nil, errors.New("it must not hold a user, a query or a fragment")
	}
	s, err := url.Parse(shop)
	if err != nil {
		return nil, errors.New("the shop's address is malformed")
	}
	switch {
	case isThisMachine(b.Hostname()) && !isThisMachine(s.Hostname()):
		return nil, fmt.Errorf("%s is an address that only this machine can reach, and the shop at %s is elsewhere; "+
			"give the one at which the shop reaches this Towpath, the same that towpath serve has", base, s.Host)
	case sameAddress(base, shop):
		return nil, fmt.Errorf("%s is the shop's own address; give the one at which the shop reaches this Towpath", base)
	}
	if b.Scheme == "http" && s.Scheme == "https" {
		warnings = append(warnings, fmt.Sprintf("the shop will send its events to %s in plain http, for anybody on the way to read", base))
	}
	if isPrivate(b.Hostname()) && !isPrivate(s.Hostname()) && !isThisMachine(b.Hostname()) {
		warnings = append(warnings, fmt.Sprintf("%s is a private address: make sure that the shop's server can reach it", base))
	}
	return warnings, nil
}

// isThisMachine: a loopback address, or one to listen at that is none to call.
func isThisMachine(host string) bool {
	name := strings.ToLower(strings.TrimRight(host, "."))
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost")
	}
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsUnspecified()
}

func isPrivate(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Unmap().IsPrivate() || addr.Unmap().IsLoopback())
}

// sameAddress reports whether two base addresses are one shop's: the case of the
// host, a slash at the end, and whether it is http or https at its usual port make
// no difference.
func sameAddress(a, b string) bool { return plainAddress(a) == plainAddress(b) }

func plainAddress(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	port := u.Port()
	if port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		port = ""
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimRight(u.Hostname(), ".")), port) + strings.TrimRight(u.Path, "/")
}
