package freeagent

import (
	"context"
	"strings"

	"towpath/pkg/provider"
)

// Recheck is ref with the part read anew that a hold's reason is about, in one
// call: the income categories for account_archived and missing_mapping, the
// company with its rates for every tax_ reason. A part that the server no
// longer has becomes unknown, as in Reference. For any other reason there is
// nothing to read, so ref comes back without a call; that is so for
// period_locked too, since nothing on the wire tells of a locked period but the
// refusal of a document.
//
// FetchedAt stays: the other parts are as old as they were. On an error ref
// comes back as it was. ref's own slices are never written to.
func (c *Client) Recheck(ctx context.Context, ref provider.Reference, reason string) (provider.Reference, error) {
	fresh, read := ref, c.readCategories
	switch {
	case reason == "account_archived" || reason == "missing_mapping":
		fresh.Categories = nil
	case strings.HasPrefix(reason, "tax_"):
		fresh.Organisation, fresh.TaxRates = provider.Organisation{}, nil
		read = c.readCompany
	default:
		return ref, nil
	}
	if err := read(ctx, &fresh); err != nil {
		return ref, err
	}
	return fresh, nil
}
