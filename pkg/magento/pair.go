package magento

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"towpath/pkg/outbound"
	"towpath/pkg/provider/specs"
	"towpath/pkg/secret"
)

// PairRequest is what the shop is told when it pairs, beside the client's own
// tenant id and api key.
type PairRequest struct {
	Provider      string        // xero or freeagent: whose module made the code
	Code          secret.String // from the shop's admin: single use, 30 minutes
	LedgerBaseURL string        // where the shop will send its events
}

// Pair hands the shop its key for this tenant. It carries no token: the code is
// the credential.
//
// It is the one call that cannot be repeated blindly: the shop burns the code
// and takes the key in one step. So the caller stores the key before calling, and
// where the failure says Maybe asks with Ping whether the shop has it. The error
// is a *PairFailure.
func (c *Client) Pair(ctx context.Context, p PairRequest) error {
	spec, found := specs.Of(p.Provider)
	path := spec.PairPath
	if !found {
		return &PairFailure{Problem: ProblemRefused, What: "no module pairs for provider " + p.Provider, Do: "Use " + strings.Join(specs.Names(), " or ")}
	}
	code := strings.TrimSpace(p.Code.Reveal())
	a, err := c.send(ctx, request{
		operation: OpPair, method: http.MethodPost, path: path, anonymous: true,
		secrets: secrets{code},
		body: map[string]string{
			"pairing_code":    code,
			"tenant_id":       c.cfg.TenantID,
			"byte8_api_key":   c.cfg.APIKey,
			"ledger_base_url": p.LedgerBaseURL,
		},
	})
	if err != nil {
		return c.noAnswer(err)
	}
	return c.judgePairing(a, path, p)
}

// judgePairing is the one table of what the answers to a pairing mean; nil where
// the shop has paired.
func (c *Client) judgePairing(a answer, path string, p PairRequest) error {
	said, base := a.said(), c.cfg.BaseURL
	plain := strings.HasPrefix(base, "http://")
	switch {
	case a.status < 300 && a.cut != nil:
		return answerLost(base, a.cut)
	case a.status >= 200 && a.status < 300 && a.saysNothing():
		return nil
	case a.status >= 200 && a.status < 300:
		// Whatever stands in the shop's place, or before it, has hidden its answer.
		return because(notMagento(base, a.status), said).maybe()
	case a.status >= 300 && a.status < 400:
		return redirects(base, a.redirectTo(path))
	case a.status >= 500:
		return because(unavailable(base, a.status), said).maybe()
	case a.status == http.StatusTooManyRequests:
		return because(busy(base), said)
	case strings.HasPrefix(said, "Operation allowed only in HTTPS"), saysHTTPSPort(a.body):
		return because(httpsRequired(base), said)
	case !a.isJSON() && (a.status == http.StatusUnauthorized || a.status == http.StatusForbidden):
		if strings.HasPrefix(strings.ToLower(a.header.Get("WWW-Authenticate")), "basic") {
			return because(passwordProtected(base), said)
		}
		return because(blocked(base, a.status), said)
	case !a.isJSON():
		return because(notMagento(base, a.status), said)
	case strings.HasPrefix(said, "Request does not match any route"):
		return because(moduleMissing(base, p.Provider), said)
	case a.status == http.StatusUnauthorized && plain && !saysCode(said):
		return because(httpsRequired(base), said)
	case a.status == http.StatusUnauthorized && saysCode(said), a.status == http.StatusUnprocessableEntity:
		return because(codeRefused(plain), said)
	case a.status == http.StatusNotFound:
		return because(notMagento(base, a.status), said)
	}
	return because(refusedPairing(base, a.status, p.LedgerBaseURL), said)
}

// saysNothing reports the body of the module's success: an empty list. Nothing
// at all is what a proxy may make of it.
func (a answer) saysNothing() bool {
	return a.isEmpty() || slices.Contains([]string{"[]", "{}", "null", "true"}, strings.TrimSpace(string(a.body)))
}

// saysCode reports the module's words for a code that it does not accept,
// whatever is wrong with it.
func saysCode(said string) bool { return strings.Contains(strings.ToLower(said), "pairing code") }

// saysHTTPSPort reports what common web servers say to plain HTTP at a TLS port.
func saysHTTPSPort(body []byte) bool {
	text := strings.ToLower(string(body[:min(len(body), 2000)]))
	return strings.Contains(text, "plain http request was sent to https port") || strings.Contains(text, "http request to an https server")
}

// redirectTo is the shop's base address as a redirect of the call has it; empty
// where it leads somewhere else.
func (a answer) redirectTo(path string) string {
	to, err := url.Parse(a.secrets.redact(a.header.Get("Location")))
	if err != nil || to.Host == "" {
		return a.location
	}
	before, _, found := strings.Cut(to.Path, "/rest/V1/byte8"+path)
	if !found {
		before = ""
	}
	return to.Scheme + "://" + to.Host + before
}

// noAnswer judges a call without an answer. Sent is any doubt that the shop has
// got the request.
func (c *Client) noAnswer(err error) *PairFailure {
	if outbound.Sent(err) {
		return answerLost(c.cfg.BaseURL, err)
	}
	f := unconnected(c.cfg.BaseURL, err)
	f.Err = err
	return f
}
