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

// CheckURL judges the base address of a shop or a ledger before it is stored:
// an absolute https URL without user, query and fragment. With allowPrivate,
// plain http and private addresses are accepted too. Names are not resolved
// here; what they resolve to is judged at each connection.
func CheckURL(raw string, allowPrivate bool) error {
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
	case u.Scheme == "http" && !allowPrivate:
		return errors.New("url must begin with https:// (plain http only with TOWPATH_ALLOW_PRIVATE_URLS)")
	}
	if err := checkPort(u); err != nil {
		return err
	}
	return checkHost(u.Hostname(), allowPrivate)
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

func checkHost(host string, allowPrivate bool) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkAddr(addr, allowPrivate)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if !allowPrivate && (name == "localhost" || strings.HasSuffix(name, ".localhost")) {
		return fmt.Errorf("%w: %s is this machine (TOWPATH_ALLOW_PRIVATE_URLS permits it)", ErrAddressRefused, name)
	}
	return nil
}
