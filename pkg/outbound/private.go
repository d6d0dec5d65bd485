package outbound

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Private says which addresses that are not public may be called all the same; the
// zero value allows none. Link-local addresses and the metadata services of clouds
// stay refused whatever it says.
type Private struct {
	All    bool
	Ranges []netip.Prefix
}

// ParsePrivate reads a setting: yes or no as strconv.ParseBool has it, or addresses
// and ranges in CIDR form, separated by commas. An empty text allows none.
func ParsePrivate(text string) (Private, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Private{}, nil
	}
	if all, err := strconv.ParseBool(text); err == nil {
		return Private{All: all}, nil
	}
	var p Private
	for _, item := range strings.Split(text, ",") {
		item = strings.TrimSpace(item)
		r, err := parseRange(item)
		if err != nil {
			return Private{}, fmt.Errorf("%q is neither true or false nor a list of addresses and ranges such as 10.0.0.0/8", item)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p, nil
}

func parseRange(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.WithZone("").Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	r, err := netip.ParsePrefix(text)
	if err == nil && r.Addr().Is4In6() && r.Bits() >= 96 {
		r = netip.PrefixFrom(r.Addr().Unmap(), r.Bits()-96)
	}
	return r.Masked(), err
}

// none reports whether nothing but public addresses may be called.
func (p Private) none() bool { return !p.All && len(p.Ranges) == 0 }

// Any reports whether some private address may be called.
func (p Private) Any() bool { return !p.none() }

func (p Private) allows(addr netip.Addr) bool {
	if p.All {
		return true
	}
	for _, r := range p.Ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}
