package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const maxURL = 2048

// CheckURL is Private's, with all or none of them.
func CheckURL(raw string, allowPrivate bool) error { return Private{All: allowPrivate}.CheckURL(raw) }

// CheckURL judges the base address of a shop or a ledger before it is stored:
// an absolute https URL without user, query and fragment. Where any private
// addresses are allowed, so is plain http. Names are not resolved
// here; what they resolve to is judged at each connection.
func (p Private) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURL:
		return errors.New("url is too long")
	case err != nil:
		return errors.New("url is malformed") // the parser's error repeats the text, which may hold a password
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("url must begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("url has no host")
	case u.User != nil:
		return errors.New("url must not hold a user name or password")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return errors.New("url must not hold a fragment")
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("url must not hold a query")
	case u.Scheme == "http" && p.none():
		return errors.New("url must begin with https://, since over plain http keys and documents can be read on the way (http:// is for addresses on this machine or a private network, with TOWPATH_ALLOW_PRIVATE_URLS=true)")
	}
	if err := checkPort(u); err != nil {
		return err
	}
	return p.checkHost(u.Hostname())
}

func checkPort(u *url.URL) error {
	if u.Port() == "" {
		if strings.HasSuffix(u.Host, ":") {
			return errors.New("url has an empty port")
		}
		return nil
	}
	if n, err := strconv.Atoi(u.Port()); err != nil || n < 1 || n > 65535 {
		return errors.New("url has an invalid port")
	}
	return nil
}

func (p Private) checkHost(host string) error {
	name := strings.ToLower(strings.TrimRight(host, "."))
	if addr, err := netip.ParseAddr(name); err == nil {
		return p.check(addr)
	}
	if name == "" {
		return errors.New("url has no host")
	}
	if endsInNumber(name) {
		return fmt.Errorf("%w: an IPv4 address is written as four decimal numbers", ErrAddressRefused)
	}
	if p.none() && (name == "localhost" || strings.HasSuffix(name, ".localhost")) {
		return fmt.Errorf("%w: %s is this machine (TOWPATH_ALLOW_PRIVATE_URLS permits it)", ErrAddressRefused, name)
	}
	return nil
}

// endsInNumber reports whether the last label is decimal or 0x and hexadecimal.
// No public name is such, but resolvers read it as IPv4 in an old form: 127.1,
// 0x7f.1, 0177.0.0.1, 2130706433.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	digits, hex := strings.CutPrefix(last, "0x")
	if hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
