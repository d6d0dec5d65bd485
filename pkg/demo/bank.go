package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"towpath/pkg/outbound"
	"towpath/pkg/provider/xero"
)

// BankAccount is the id of the account of a simulated Xero that payments are booked to.
func BankAccount(ctx context.Context, ledger, orgID string) (string, error) {
	client, err := xero.New(xero.Config{
		BaseURL: ledger, OrgID: orgID, HTTP: outbound.New(outbound.Config{AllowPrivate: true, Timeout: 20 * time.Second}),
		Token: func(context.Context) (string, error) { return Token, nil },
	})
	if err != nil {
		return "", fmt.Errorf("make the ledger's client: %w", err)
	}
	has, err := client.Reference(ctx)
	if err != nil {
		return "", fmt.Errorf("read the ledger's accounts: %w", err)
	}
	for _, a := range has.Accounts {
		if a.Type == "BANK" && a.Status == "ACTIVE" {
			return a.ID, nil
		}
	}
	return "", errors.New("the ledger has no bank account")
}
