package magento

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"towpath/pkg/outbound"
	"towpath/pkg/provider"
)

// PairRequest is what the shop is told when it pairs, beside the client's own
// tenant id and api key.
type PairRequest struct {
	Provider      string // xero or freeagent: whose module made the code
	Code          string `json:"-"` // from the shop's admin: single use, 30 minutes
	LedgerBaseURL string // where the shop will send its events
}

// String leaves the code out: it is a credential.
func (p PairRequest) String() string { return "magento.PairRequest(" + p.Provider + ")" }

// GoString is String.
func (p PairRequest) GoString() string { return p.String() }

// Pair hands the shop its key for this tenant. It carries no token: the code is
// the credential.
//
// It is the one call that cannot be repeated blindly: the shop burns the code
// and takes the key in one step. If the answer is lost after the request was
// sent, the failure is Unknown: the caller, who has stored the key before
// calling, asks with Ping whether the shop knows it. Temporary means that
// nothing was sent and the code is still good. Refused carries the shop's words.
func (c *Client) Pair(ctx context.Context, p PairRequest) error {
	path, err := pairPath(p.Provider)
	if err != nil {
		return err
	}
	a, err := c.send(ctx, request{
		operation: OpPair, method: http.MethodPost, path: path, anonymous: true,
		secrets: secrets{strings.TrimSpace(p.Code)},
		body: map[string]string{
			"pairing_code":    strings.TrimSpace(p.Code),
			"tenant_id":       c.cfg.TenantID,
			"byte8_api_key":   c.cfg.APIKey,
			"ledger_base_url": p.LedgerBaseURL,
		},
	})
	if err != nil {
		f := unreachable(err)
		if f.Kind == provider.Temporary && outbound.Sent(err) {
			f.Kind = provider.Unknown
		}
		return f
	}
	return c.judgePairing(a)
}

func (c *Client) judgePairing(a answer) error {
	said := a.said()
	switch {
	case a.status >= 200 && a.status < 300 && (a.isJSON() || a.isEmpty()):
		return nil
	case a.status >= 200 && a.status < 300 || a.status >= 500:
		return &provider.Failure{
			Kind: provider.Unknown, Code: provider.CodeHTTP, Err: a.cut, Detail: said,
			Message: fmt.Sprintf("The shop answered %d, which leaves open whether it has paired", a.status),
		}
	case a.isJSON() && (a.status == http.StatusUnauthorized || a.status == http.StatusUnprocessableEntity):
		return &provider.Failure{
			Kind: provider.Refused, Code: provider.CodeValidation, Detail: said,
			Message: "The shop does not accept the pairing code; make a new one in its admin (single use, 30 minutes)",
		}
	}
	if f := judge(a, c.cfg.Now()); f != nil {
		return f
	}
	return bug(fmt.Sprintf("pairing answered %d", a.status))
}

// pairPath is where the provider's module listens.
func pairPath(name string) (string, error) {
	switch name {
	case "xero":
		return "/xero_accounting/setup/pair", nil
	case "freeagent":
		return "/freeagent_accounting/setup/pair", nil
	}
	return "", &provider.Failure{
		Kind: provider.Bug, Code: provider.CodeInternal, Message: "internal error",
		Err: errors.New("no module pairs for provider " + name),
	}
}
