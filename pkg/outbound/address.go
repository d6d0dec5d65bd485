package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrAddressRefused is an address that this service does not call: private,
// loopback or otherwise not on the public Internet.
var ErrAddressRefused = errors.New("address is not allowed")

// checkDial judges the address that a name was resolved to, right before the
// connection, so a name that resolves differently the second time gains
// nothing.
func checkDial(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: not an IP address and port", ErrAddressRefused)
		}
		return checkAddr(ap.Addr(), allowPrivate)
	}
}

func checkAddr(addr netip.Addr, allowPrivate bool) error {
	addr = embeddedIPv4(addr.WithZone("").Unmap())
	switch {
	case addr.IsLinkLocalUnicast() || addr.IsMulticast() || within(addr, metadataHosts()):
		return fmt.Errorf("%w: %s is link-local, multicast or a metadata service", ErrAddressRefused, addr)
	case !allowPrivate && !isPublic(addr):
		return fmt.Errorf("%w: %s is private (TOWPATH_ALLOW_PRIVATE_URLS permits it)", ErrAddressRefused, addr)
	}
	return nil
}

func isPublic(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !within(addr, specialRanges())
}

// metadataHosts are those outside the link-local range: Alibaba's, Azure's wire
// server, AWS over IPv6.
func metadataHosts() []string {
	return []string{"100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128"}
}

// specialRanges are those of the IANA special-purpose registries that are
// neither public nor covered by package netip's own tests.
func specialRanges() []string {
	return []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	}
}

func within(addr netip.Addr, prefixes []string) bool {
	for _, p := range prefixes {
		if netip.MustParsePrefix(p).Contains(addr) {
			return true
		}
	}
	return false
}

// embeddedIPv4 finds the IPv4 address to which NAT64 and 6to4 would carry the
// packet; any other address is returned as it is.
func embeddedIPv4(addr netip.Addr) netip.Addr {
	raw := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr):
		return netip.AddrFrom4([4]byte(raw[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(addr):
		return netip.AddrFrom4([4]byte(raw[2:6]))
	}
	return addr
}
