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
func checkDial(private Private) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: not an IP address and port", ErrAddressRefused)
		}
		return private.check(ap.Addr())
	}
}

// check judges an address, and each IPv4 address to which some network on the way
// would carry the packet in its place.
func (p Private) check(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	faces := append([]netip.Addr{addr}, embeddedIPv4(addr)...)
	for _, face := range faces {
		if face.IsLinkLocalUnicast() || face.IsMulticast() || within(face, metadataHosts()) {
			return fmt.Errorf("%w: %s is link-local, multicast or a metadata service", ErrAddressRefused, addr)
		}
	}
	for _, face := range faces {
		if !isPublic(face) && !p.allows(face) {
			return fmt.Errorf("%w: %s is private (TOWPATH_ALLOW_PRIVATE_URLS permits it)", ErrAddressRefused, addr)
		}
	}
	return nil
}

func isPublic(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !within(addr, specialRanges())
}

// metadataHosts are those outside the link-local range, which nobody has as a shop:
// Alibaba's, Azure's wire server, Oracle's, and those over IPv6 of AWS (the whole
// prefix), Google, Oracle and Scaleway.
func metadataHosts() []string {
	return []string{
		"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
		"fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128",
	}
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
		if in(addr, p) {
			return true
		}
	}
	return false
}

// embeddedIPv4 finds the IPv4 addresses in an IPv6 address that some network may
// carry the packet to: as an old form of it (::a.b.c.d), by SIIT (RFC 2765, ::ffff:0:a.b.c.d),
// NAT64 (RFC 6052, with any length of the prefix that is for local use), 6to4 (RFC
// 3056), Teredo (RFC 4380: its server, and its client with all bits turned over) or
// ISATAP (RFC 5214, behind any prefix).
func embeddedIPv4(addr netip.Addr) (found []netip.Addr) {
	if addr.Is4() {
		return nil
	}
	raw := addr.As16()
	at := func(a, b, c, d int) { found = append(found, netip.AddrFrom4([4]byte{raw[a], raw[b], raw[c], raw[d]})) }
	switch {
	case in(addr, "::/96"), in(addr, "::ffff:0:0:0/96"), in(addr, "64:ff9b::/96"):
		at(12, 13, 14, 15)
	case in(addr, "64:ff9b:1::/48"):
		at(6, 7, 9, 10)
		at(7, 9, 10, 11)
		at(9, 10, 11, 12)
		at(12, 13, 14, 15)
	case in(addr, "2002::/16"):
		at(2, 3, 4, 5)
	case in(addr, "2001::/32"):
		at(4, 5, 6, 7)
		found = append(found, netip.AddrFrom4([4]byte{^raw[12], ^raw[13], ^raw[14], ^raw[15]}))
	}
	if raw[8]&^0x02 == 0 && raw[9] == 0 && raw[10] == 0x5e && raw[11] == 0xfe {
		at(12, 13, 14, 15)
	}
	return found
}

func in(addr netip.Addr, prefix string) bool { return netip.MustParsePrefix(prefix).Contains(addr) }
