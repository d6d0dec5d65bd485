package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// addressOf is whom a wrong password is counted against: the peer; or, where the
// peer is on this machine or a private network and so may be a proxy, the address
// that it says it passes on. Who invents that one is held by what is counted for the
// account.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if peer = peer.Unmap(); peer.IsLoopback() || peer.IsPrivate() {
		all := r.Header.Values("X-Forwarded-For")
		last := strings.Join(all, ",")
		if named, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndex(last, ",")+1:])); err == nil {
			peer = named.Unmap()
		}
	}
	if peer.Is6() { // a household has 2^64 of them
		if network, err := peer.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return peer.String()
}
