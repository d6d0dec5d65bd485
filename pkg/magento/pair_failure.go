package magento

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	"towpath/pkg/outbound"
)

// Problem is why a shop was not paired: a closed list, for machines.
type Problem string

// The problems.
const (
	ProblemCode          Problem = "code_refused"      // wrong, expired or used: the module does not say which
	ProblemModule        Problem = "module_missing"    // a Magento without the provider's module
	ProblemHTTPS         Problem = "https_required"    // plain http where the shop wants https
	ProblemRedirect      Problem = "redirect"          // the shop has another address
	ProblemNotMagento    Problem = "not_magento"       // something else answers there
	ProblemName          Problem = "name_unknown"      // the host's name does not resolve
	ProblemNoListener    Problem = "nothing_listens"   // connection refused
	ProblemNoConnection  Problem = "no_connection"     // no connection came about in time, or no route
	ProblemCertificate   Problem = "certificate"       // the TLS certificate is not valid for us
	ProblemNoTLS         Problem = "no_tls"            // no TLS at that port
	ProblemAddress       Problem = "address_refused"   // a private address that we do not call
	ProblemPassword      Problem = "password"          // HTTP basic authentication before the shop
	ProblemBlocked       Problem = "blocked"           // a firewall or web server before the shop
	ProblemBusy          Problem = "too_many_requests" // 429
	ProblemUnavailable   Problem = "unavailable"       // 5xx: maintenance, or a crash
	ProblemAnswerLost    Problem = "answer_lost"       // sent, and no answer
	ProblemRefused       Problem = "refused"           // the module's own words say why
	ProblemKeyNotTaken   Problem = "key_not_taken"     // the answer was lost, and /ping shows that nothing was done
	ProblemHeaderDropped Problem = "header_dropped"    // paired, but our tokens do not reach the module
)

// PairFailure says why a shop was not paired and what to do. It holds no secret.
type PairFailure struct {
	Problem Problem
	// Maybe: the shop may have paired all the same. Otherwise it certainly has not,
	// and the code is as good as it was.
	Maybe  bool
	What   string // one sentence without its full stop
	Do     string // likewise; what a person does about it
	Detail string // the other side's own words, if it said any
	Err    error  // the cause, if there was no answer
}

// Error has what is wrong and what to do.
func (f *PairFailure) Error() string {
	text := f.What
	if f.Detail != "" {
		text += " (it says: " + f.Detail + ")"
	}
	if cause := f.cause(); cause != "" {
		text += " (" + cause + ")"
	}
	return text + ". " + f.Do + "."
}

// cause is said where What leaves it open.
func (f *PairFailure) cause() string {
	switch f.Problem {
	case ProblemAddress, ProblemName, ProblemNoListener, ProblemCertificate, ProblemNoTLS:
		return ""
	}
	if f.Err == nil {
		return ""
	}
	return outbound.Plain(f.Err).Error()
}

// Unwrap is the cause.
func (f *PairFailure) Unwrap() error { return f.Err }

func (f *PairFailure) maybe() *PairFailure {
	f.Maybe = true
	return f
}

func because(f *PairFailure, said string) *PairFailure {
	f.Detail = said
	return f
}

// againSameCode is what is done where nothing shows whether the code was used.
const againSameCode = "Run the same command again with the same code: it finds out whether the shop has paired, and pairs it if not"

func codeRefused(plain bool) *PairFailure {
	f := &PairFailure{Problem: ProblemCode,
		What: "The shop does not accept the pairing code: it is mistyped, older than 30 minutes, used already, or replaced by a newer one",
		Do:   "Make a new code in the shop's admin, where this one came from, and pair with it within 30 minutes"}
	if plain {
		f.Do += "; if the shop refuses that one too, give its address with https://"
	}
	return f
}

func moduleMissing(base, provider string) *PairFailure {
	return &PairFailure{Problem: ProblemModule,
		What: fmt.Sprintf("There is a Magento at %s, but its Byte8 module for %s is not installed, or disabled", base, provider),
		Do: fmt.Sprintf("Install byte8/magento-%s-accounting in the shop (composer require, bin/magento module:enable, setup:upgrade), "+
			"or give --provider as the module that made the code; then make a code and pair", provider)}
}

func httpsRequired(base string) *PairFailure {
	return &PairFailure{Problem: ProblemHTTPS,
		What: "The shop refuses to be paired over plain http: in production mode it wants https",
		Do:   "Give its address as " + asHTTPS(base) + "; the code is as good as before"}
}

func redirects(base, to string) *PairFailure {
	if to == "" {
		return &PairFailure{Problem: ProblemRedirect, What: base + " redirects, without saying where",
			Do: "Give the address that a browser ends at when it opens the shop; the code is as good as before"}
	}
	if to == base { // the same address with another path: a login, a language
		return &PairFailure{Problem: ProblemNotMagento, What: base + " redirects its REST API to another page of its own",
			Do: "Give the shop's base URL (Stores > Configuration > Web > Secure Base URL); the code is as good as before"}
	}
	return &PairFailure{Problem: ProblemRedirect, What: fmt.Sprintf("%s redirects to %s", base, to),
		Do: "Give --magento-url " + to + " if that is your shop; the code is as good as before"}
}

func notMagento(base string, status int) *PairFailure {
	return &PairFailure{Problem: ProblemNotMagento,
		What: fmt.Sprintf("What answers at %s/rest is not Magento's REST API (status %d)", base, status),
		Do: "Give the shop's base URL as its admin shows it (Stores > Configuration > Web > Secure Base URL), " +
			"and see that the web server passes /rest on to Magento"}
}

func passwordProtected(base string) *PairFailure {
	return &PairFailure{Problem: ProblemPassword, What: "A password (HTTP basic authentication) stands before " + base,
		Do: "Let /rest/V1/byte8 through without it: the header that it needs is the one that carries our tokens"}
}

func blocked(base string, status int) *PairFailure {
	return &PairFailure{Problem: ProblemBlocked, What: fmt.Sprintf("A firewall or web server before %s refuses our call (status %d)", base, status),
		Do: "Let /rest/V1/byte8 through to Magento for the machine that Towpath runs on"}
}

func busy(base string) *PairFailure {
	return &PairFailure{Problem: ProblemBusy, What: base + " asks to be called less often",
		Do: "Wait a minute and pair again; the code is as good as before"}
}

func unavailable(base string, status int) *PairFailure {
	return &PairFailure{Problem: ProblemUnavailable,
		What: fmt.Sprintf("%s answers %d: it is in maintenance, or its server failed at the call", base, status),
		Do:   "When the shop works again: " + lowerFirst(againSameCode)}
}

func refusedPairing(base string, status int, ledgerBaseURL string) *PairFailure {
	return &PairFailure{Problem: ProblemRefused, What: fmt.Sprintf("%s refuses the pairing (status %d)", base, status),
		Do: fmt.Sprintf("See what it says, and that %s is the address at which it can reach Towpath (TOWPATH_BASE_URL)", ledgerBaseURL)}
}

// unconnected tells the ways in which no connection comes about.
func unconnected(base string, err error) *PairFailure {
	var name *net.DNSError
	var record tls.RecordHeaderError
	host := hostOf(base)
	switch {
	case errors.Is(err, outbound.ErrAddressRefused):
		return &PairFailure{Problem: ProblemAddress, What: host + " is on a private address",
			Do: "Set TOWPATH_ALLOW_PRIVATE_URLS=true if the shop is on your own network, here and for towpath serve"}
	case errors.As(err, &name):
		return &PairFailure{Problem: ProblemName, What: "The name " + host + " does not resolve",
			Do: "Check how it is spelled in --magento-url, and that this machine's DNS knows it"}
	case outbound.CertificateFault(err) != "":
		return &PairFailure{Problem: ProblemCertificate, What: "The TLS certificate of " + host + " is not valid: " + outbound.CertificateFault(err),
			Do: "Mend the certificate, or this machine's list of authorities if the shop's is one of your own (SSL_CERT_FILE names it); the code is as good as before"}
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return &PairFailure{Problem: ProblemNoTLS, What: host + " does not speak TLS at that port",
			Do: "Check the port in --magento-url; with http:// the shop can be paired in developer mode only"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &PairFailure{Problem: ProblemNoListener, What: "Nothing listens at " + host,
			Do: "Check host and port of --magento-url, and that the shop's web server runs"}
	}
	return &PairFailure{Problem: ProblemNoConnection, What: "No connection to " + host + " comes about",
		Do: "Check --magento-url, and that a firewall lets this machine through; the code is as good as before"}
}

func answerLost(base string, err error) *PairFailure {
	return &PairFailure{Problem: ProblemAnswerLost, Maybe: true, Err: err, What: base + " took the request, and its answer was lost", Do: againSameCode}
}

// KeyNotTaken is a lost answer after which the shop does not know the key.
func KeyNotTaken(lost *PairFailure) *PairFailure {
	return &PairFailure{Problem: ProblemKeyNotTaken, Maybe: true, Detail: lost.Detail, Err: lost.Err,
		What: lost.What + ", and does not know the key, so it has most likely not paired", Do: againSameCode}
}

// HeaderDropped is a shop that has just paired and refuses the first token.
func HeaderDropped(base string, refused error) *PairFailure {
	if strings.HasPrefix(base, "http://") {
		f := httpsRequired(base)
		f.What, f.Err = "The shop has paired, but refuses our calls over plain http: in production mode it wants https", refused
		f.Do = "Give its address as " + asHTTPS(base) + ": towpath tenant change, with --magento-url"
		return f
	}
	return &PairFailure{Problem: ProblemHeaderDropped, Err: refused,
		What: "The shop has paired, but refuses our first call, as if it had no token",
		Do:   "See that its web server passes the header Authorization on to PHP (Apache with FastCGI drops it: CGIPassAuth On)"}
}

func hostOf(base string) string {
	if u, err := url.Parse(base); err == nil {
		return u.Host
	}
	return base
}

// asHTTPS is the address with https; a port of plain http does not go with it.
func asHTTPS(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return "https://…"
	}
	return "https://" + u.Hostname() + u.Path
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
