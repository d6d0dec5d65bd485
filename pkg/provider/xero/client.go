package xero

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"towpath/pkg/provider"
)

const standardPath = "/api.xro/2.0"

// Config says which organisation to speak to, and how.
type Config struct {
	BaseURL string // https://api.xero.com; without a path the standard one is appended
	OrgID   string // the xero-tenant-id header; omitted when empty, as a custom connection wants it
	Shop    string // an id of the shop that never changes; it tells its contacts from another shop's
	Token   func(ctx context.Context) (string, error)
	HTTP    *http.Client
	Permit  provider.Permit                                     // asked before each call is sent; default provider.Unlimited
	Now     func() time.Time                                    // default time.Now
	Observe func(operation, code string, elapsed time.Duration) // optional; see Operations
}

// Client posts documents into one Xero organisation. It is safe for use by
// many goroutines.
type Client struct {
	base    string
	orgID   string
	shop    string
	token   func(ctx context.Context) (string, error)
	http    *http.Client
	permit  provider.Permit
	now     func() time.Time
	observe func(operation, code string, elapsed time.Duration)
}

// New makes a client; it makes no call.
func New(cfg Config) (*Client, error) {
	base, err := baseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("xero client: %w", err)
	}
	switch {
	case cfg.Token == nil:
		return nil, errors.New("xero client: no token source")
	case cfg.HTTP == nil:
		return nil, errors.New("xero client: no http client")
	}
	c := &Client{base: base, orgID: cfg.OrgID, shop: cfg.Shop, token: cfg.Token, http: cfg.HTTP, permit: cfg.Permit, now: cfg.Now, observe: cfg.Observe}
	if c.permit == nil {
		c.permit = provider.Unlimited
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.observe == nil {
		c.observe = func(string, string, time.Duration) {}
	}
	return c, nil
}

func baseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("base url %q is not an http(s) url", raw)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("base url has a user, a query or a fragment")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = standardPath
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// The operations that Observe is told about: the closed list for metrics.
const (
	opInvoiceCreate = "invoice_create"
	opInvoiceFind   = "invoice_find"
	opCreditCreate  = "credit_note_create"
	opCreditFind    = "credit_note_find"
	opPaymentCreate = "payment_create"
	opAllocate      = "allocation_create"
	opItemUpsert    = "item_upsert"
	opContactUpdate = "contact_update"
	opContactCreate = "contact_create"
	opContactFind   = "contact_find"
	opOrganisation  = "organisation"
	opAccounts      = "accounts"
	opTaxRates      = "tax_rates"
	opCurrencies    = "currencies"
	opThemes        = "branding_themes"
	opTracking      = "tracking_categories"
)

// Operations lists what Observe may be told, so that metrics can be made
// beforehand.
func Operations() []string {
	return []string{opInvoiceCreate, opInvoiceFind, opCreditCreate, opCreditFind, opPaymentCreate, opAllocate, opItemUpsert,
		opContactCreate, opContactUpdate, opContactFind, opOrganisation,
		opAccounts, opTaxRates, opCurrencies, opThemes, opTracking}
}
