package explain

import (
	"context"
	"fmt"

	"towpath/pkg/dbsqlc"
)

// ItemsOf answers of a binding's organisation what Question.Items asks.
func ItemsOf(ctx context.Context, db dbsqlc.DBTX, binding dbsqlc.Binding) func(codes []string) ([]string, error) {
	return func(codes []string) ([]string, error) {
		there, err := dbsqlc.New().EntityXrefItems(ctx, db, dbsqlc.EntityXrefItemsParams{
			TenantID: binding.TenantID, Provider: binding.Provider, OrgKey: binding.OrgKey, Codes: codes,
		})
		if err != nil {
			return nil, fmt.Errorf("look up items: %w", err)
		}
		found := make([]string, len(there))
		for i, item := range there {
			found[i] = item.Code
		}
		return found, nil
	}
}
