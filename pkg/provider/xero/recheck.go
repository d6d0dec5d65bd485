package xero

import (
	"context"
	"errors"

	"towpath/pkg/provider"
)

// Recheck reads anew, in one call, the part of ref that a hold for reason is
// about, so that what was mended in Xero is seen without reading everything: the
// lock dates, the currencies, the accounts or the tax rates. For any other
// reason it makes no call. The rest of ref stays, also FetchedAt; so does a part
// that Xero does not give at the moment (403, 404, 501).
func (c *Client) Recheck(ctx context.Context, ref provider.Reference, reason string) (provider.Reference, error) {
	read := c.partOf(reason)
	if read == nil {
		return ref, nil
	}
	fresh := ref
	err := read(ctx, &fresh)
	var missing *missingPart
	switch {
	case errors.As(err, &missing):
		return ref, nil
	case err != nil:
		return ref, err
	}
	return fresh, nil
}

// partOf is how the part is read that a hold for reason is about; nil where none
// is.
func (c *Client) partOf(reason string) func(context.Context, *provider.Reference) error {
	switch reason {
	case reasonPeriodLocked:
		return c.readOrganisation
	case reasonCurrencyOff:
		return c.readCurrencies
	case reasonAccountArchived, reasonAccountInvalid, reasonMissingMapping:
		return c.readAccounts
	case reasonTaxInvalid, reasonRateNotMapped:
		return c.readTaxRates
	}
	return nil
}
