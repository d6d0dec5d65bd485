package magento

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/outbound"
	"towpath/pkg/provider"
	"towpath/pkg/shopjwt"
)

// Reasons of held failures: what must change outside before the shop can answer.
const (
	ReasonClockSkew      = "clock_skew"      // the shop's clock is further off than any token allows
	ReasonModuleMissing  = "module_missing"  // the shop's module is not installed or disabled
	ReasonHTTPSRequired  = "https_required"  // the shop refuses plain http
	ReasonAddressRefused = "address_refused" // the shop's name leads to a private address
)

// Reasons lists them, for closed label values.
func Reasons() []string {
	return []string{ReasonClockSkew, ReasonModuleMissing, ReasonHTTPSRequired, ReasonAddressRefused}
}

// maxRetryAfter bounds how long the shop can make us wait at once.
const maxRetryAfter = 24 * time.Hour

// judge turns an answer into a failure, nil for 2xx: the one table of what the
// shop's answers mean.
//
//	2xx             fine; the body is the caller's to judge
//	3xx             temporary: it is not the module that redirects
//	401, 403        auth; a 401 while the clocks differ by more than a token allows: held
//	404 in JSON     gone; held if Magento says that it has no such route
//	429             rate limited
//	400 and other 4xx in JSON   refused, with the shop's message; held if it demands https
//	408, 425, 5xx, and any other 4xx that is not JSON   temporary: a proxy or a maintenance page
func judge(a answer, now time.Time) *provider.Failure {
	said := a.said()
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status >= 300 && a.status < 400:
		return a.temporary("The shop redirects to "+orUnknown(a.location)+"; correct the shop's address", "", now)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return judgeAuth(a, said, now)
	case a.status == http.StatusTooManyRequests:
		return &provider.Failure{
			Kind: provider.RateLimited, Code: provider.CodeRateLimited,
			Message: "The shop asks to be called less often", Detail: said, RetryAfter: a.retryAfter(now),
		}
	case a.status >= 500 || a.status == http.StatusRequestTimeout || a.status == http.StatusTooEarly || !a.isJSON():
		return a.temporary(fmt.Sprintf("The shop answered %d", a.status), said, now)
	}
	return judgeRefusal(a, said)
}

// judgeAuth: a token out of its times has the same 401 as a wrong key, but the
// Date of the answer tells them apart.
func judgeAuth(a answer, said string, now time.Time) *provider.Failure {
	date, err := http.ParseTime(a.header.Get("Date"))
	off := date.Sub(now).Round(time.Second)
	if a.status == http.StatusUnauthorized && err == nil && off.Abs() > shopjwt.Leeway {
		return held(ReasonClockSkew, fmt.Sprintf("The shop's clock and ours differ by %s; set both by NTP", off.Abs()), said)
	}
	message := "The shop refuses our key; pair the shop again"
	switch {
	case !a.isJSON():
		message = "The shop's web server or firewall refuses our calls; let /rest/V1/byte8 through"
	case a.plain && a.status == http.StatusUnauthorized:
		// In production mode the shop refuses plain http so, whatever the key.
		message = "The shop refuses our call over plain http, as every shop in production mode does: " +
			"change its address to https://. Only if it refuses that too, pair the shop again"
	}
	return &provider.Failure{Kind: provider.Auth, Code: provider.CodeAuth, Message: message, Detail: said}
}

// judgeRefusal is for a 4xx that the shop itself says, in JSON.
func judgeRefusal(a answer, said string) *provider.Failure {
	switch {
	case strings.HasPrefix(said, "Request does not match any route"):
		return held(ReasonModuleMissing, "The shop's module is not installed, disabled or too old", said)
	case strings.HasPrefix(said, "Operation allowed only in HTTPS"):
		return held(ReasonHTTPSRequired, "The shop accepts only https; change the shop's address", said)
	case a.status == http.StatusNotFound:
		return &provider.Failure{
			Kind: provider.Gone, Code: provider.CodeNotFound,
			Message: "The shop has no such document", Detail: said,
		}
	}
	return &provider.Failure{
		Kind: provider.Refused, Code: provider.CodeValidation,
		Message: "The shop refused the request", Detail: said,
	}
}

// unreachable is a call without an answer. Nothing here tells whether the shop
// acted on it: every call but Pair is repeated anyway.
func unreachable(err error) *provider.Failure {
	f := &provider.Failure{Kind: provider.Temporary, Code: provider.CodeHTTP, Message: "The shop could not be reached", Err: err}
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.Is(err, outbound.ErrAddressRefused):
		f = held(ReasonAddressRefused, "The shop's address is private: set TOWPATH_ALLOW_PRIVATE_URLS in the environment of towpath serve and restart it, or correct the address", "")
		f.Err = err
	case errors.Is(err, context.Canceled):
		f.Message = "The call to the shop was given up"
	case outbound.IsTimeout(err):
		f.Message, f.NoAnswer = "The shop did not answer in time", provider.HeldShopNoAnswer
	case errors.As(err, &certificate):
		f.Message = "The shop's TLS certificate is not valid"
	case errors.As(err, &name):
		f.Message = "The shop's name does not resolve"
	case outbound.Sent(err):
		f.Message = "The shop closed the connection before it answered"
	}
	return f
}

func held(reason, message, detail string) *provider.Failure {
	return &provider.Failure{Kind: provider.Held, Code: provider.CodeHTTP, Reason: reason, Message: message, Detail: detail}
}

func (a answer) temporary(message, detail string, now time.Time) *provider.Failure {
	return &provider.Failure{
		Kind: provider.Temporary, Code: provider.CodeHTTP,
		Message: message, Detail: detail, RetryAfter: a.retryAfter(now), Err: a.cut,
	}
}

// retryAfter reads seconds or a date, 0 where there is neither.
func (a answer) retryAfter(now time.Time) time.Duration {
	text := strings.TrimSpace(a.header.Get("Retry-After"))
	wait := time.Duration(0)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(n) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

func orUnknown(host string) string {
	if host == "" {
		return "an unknown place"
	}
	return host
}
