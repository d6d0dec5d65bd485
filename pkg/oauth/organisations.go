package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath/pkg/outbound"
	"towpath/pkg/provider"
)

const maxOrganisations = 1 << 20

// organisation is what a token reaches.
type organisation struct{ id, name string }

func (o organisation) String() string { return fmt.Sprintf("%s (%s)", o.name, o.id) }

// reach asks which organisations a token reaches: Xero's connections, or
// FreeAgent's one company.
func (k *Keeper) reach(ctx context.Context, g grant) ([]organisation, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.CallTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.endpoints.Organisations, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", outbound.Redact(err))
	}
	req.Header.Set("Authorization", "Bearer "+g.tokens.access.Reveal())
	req.Header.Set("Accept", "application/json")
	started := time.Now()
	resp, err := k.cfg.HTTP.Do(req)
	if err != nil {
		k.cfg.Observe(g.Provider, opOrganisations, resultCode(err), time.Since(started))
		return nil, g.unread(outbound.Redact(err))
	}
	body, err := outbound.ReadBody(resp, maxOrganisations)
	k.cfg.Observe(g.Provider, opOrganisations, strconv.Itoa(resp.StatusCode), time.Since(started))
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return nil, &Refusal{"Not connected", fmt.Sprintf("%s gave a token but refuses it (%d). Give the consent again.", g.spec.Title, resp.StatusCode)}
	case err == nil && resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("it answered %d", resp.StatusCode)
	}
	if err != nil {
		return nil, g.unread(err)
	}
	found, err := readOrganisations(g.spec, body)
	if err != nil {
		return nil, g.unread(err)
	}
	return found, nil
}

func (g grant) unread(err error) error {
	return &provider.Failure{Kind: provider.Temporary, Code: provider.CodeProvider,
		Message: g.spec.Title + " could not be asked for its organisations", Err: err}
}

// readOrganisations leaves out an organisation that nothing could be stored under.
func readOrganisations(of provider.Spec, body []byte) ([]organisation, error) {
	reached, err := of.OAuth.Organisations(body)
	if err != nil {
		return nil, err
	}
	var found []organisation
	for _, o := range reached {
		if isID(o.ID) {
			found = append(found, organisation{o.ID, printable(o.Name, 100)})
		}
	}
	if len(found) == 0 && len(reached) > 0 {
		return nil, errors.New("the id of its organisation is none")
	}
	return found, nil
}

// isID tells an organisation's id: Xero's are UUIDs, FreeAgent's numbers.
func isID(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// choose finds the binding's organisation: the pinned one and no other, or the
// only one. xrefs belong to an organisation, so a guess would post documents
// where they are not wanted.
func choose(g grant, found []organisation) (organisation, error) {
	if len(found) == 0 {
		return organisation{}, &Refusal{"No organisation", g.spec.Title + " gave access to no organisation. Give the consent again and choose one."}
	}
	if g.OrgID == "" {
		if len(found) == 1 {
			return found[0], nil
		}
		return organisation{}, &Refusal{"Which organisation?", fmt.Sprintf(
			"This consent reaches %s. Say which one is meant, then give it again: towpath binding connect %s --org-id ID", list(found), g.id())}
	}
	for _, o := range found {
		if strings.EqualFold(o.id, g.OrgID) {
			return o, nil
		}
	}
	return organisation{}, &Refusal{"Another organisation", fmt.Sprintf(
		"This binding belongs to organisation %s, but the consent reaches %s. Nothing was changed. Give it again and choose that organisation; for another one, revoke this binding and make a new one.",
		g.OrgID, list(found))}
}

func list(found []organisation) string {
	const most = 10
	names := []string{}
	for _, o := range found[:min(len(found), most)] {
		names = append(names, o.String())
	}
	if more := len(found) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
