package magento

import (
	"context"
	"encoding/json"
	"fmt"

	"towpath/pkg/canon"
)

// The canonical documents. Each is answered as the shop said it, without what
// package foreign takes out and without an echo of our own token or key; it is
// returned too where it cannot be understood, with a Bug failure. Reading changes
// nothing in the shop, so any failure may be tried again.

// Invoice reads the canonical invoice.
func (c *Client) Invoice(ctx context.Context, id int64) (json.RawMessage, canon.Invoice, error) {
	return readDocument(ctx, c, form[canon.Invoice]{
		operation: OpInvoice, name: "invoice", decode: canon.DecodeInvoice,
		id: func(inv canon.Invoice) canon.Int { return inv.MagentoID },
	}, id)
}

// Payment reads the canonical payment of the invoice with that id. The gateway's
// own data is dropped before anybody sees it.
func (c *Client) Payment(ctx context.Context, invoiceID int64) (json.RawMessage, canon.Payment, error) {
	return readDocument(ctx, c, form[canon.Payment]{
		operation: OpPayment, name: "payment", decode: canon.DecodePayment, keep: canon.WithoutGatewayData,
		id: func(p canon.Payment) canon.Int { return p.InvoiceID },
	}, invoiceID)
}

// CreditMemo reads the canonical credit memo.
func (c *Client) CreditMemo(ctx context.Context, id int64) (json.RawMessage, canon.CreditMemo, error) {
	return readDocument(ctx, c, form[canon.CreditMemo]{
		operation: OpCreditMemo, name: "credit memo", decode: canon.DecodeCreditMemo,
		id: func(memo canon.CreditMemo) canon.Int { return memo.MagentoID },
	}, id)
}

// Customer reads the canonical customer. A guest (id 0) has none, and the shop is
// not asked for it.
func (c *Client) Customer(ctx context.Context, id int64) (json.RawMessage, canon.Customer, error) {
	return readDocument(ctx, c, form[canon.Customer]{
		operation: OpCustomer, name: "customer", decode: canon.DecodeCustomer,
		id: func(who canon.Customer) canon.Int { return who.MagentoID },
	}, id)
}

// Product reads the canonical product.
func (c *Client) Product(ctx context.Context, id int64) (json.RawMessage, canon.Product, error) {
	return readDocument(ctx, c, form[canon.Product]{
		operation: OpProduct, name: "product", decode: canon.DecodeProduct,
		id: func(p canon.Product) canon.Int { return p.MagentoID },
	}, id)
}

// form is how one of the canonical documents is read. Its operation is also what
// its path begins with.
type form[T any] struct {
	operation, name string
	decode          func([]byte) (T, error)
	id              func(T) canon.Int                // which the answer must be about
	keep            func(raw []byte) json.RawMessage // what may be kept of it; nil: all
}

func readDocument[T any](ctx context.Context, c *Client, f form[T], id int64) (json.RawMessage, T, error) {
	var none T
	if id <= 0 {
		return nil, none, bug(fmt.Sprintf("read %s %d: the shop's ids are positive", f.name, id))
	}
	a, err := c.get(ctx, f.operation, fmt.Sprintf("/%s/%d", f.operation, id))
	if err != nil {
		return nil, none, err
	}
	raw := json.RawMessage(a.body)
	if f.keep != nil {
		raw = f.keep(a.body)
	}
	found, err := f.decode(a.body)
	if err == nil && int64(f.id(found)) != id {
		err = fmt.Errorf("asked for %s %d, the shop answered with %s %d", f.name, id, f.name, f.id(found))
	}
	if err != nil {
		return raw, none, notUnderstood(f.name, a.secrets.redactError(err))
	}
	return raw, found, nil
}
