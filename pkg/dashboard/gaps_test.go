package dashboard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// untilPage waits for a page to say something: rhythms are looked at beside it.
func (b *bundle) untilPage(path, want string) string {
	b.t.Helper()
	var page string
	require.Eventually(b.t, func() bool {
		a := b.get(path)
		require.Equal(b.t, http.StatusOK, a.status)
		page = readable(a.body)
		return strings.Contains(page, want)
	}, time.Minute, 5*time.Millisecond, want)
	return page
}

func Test_Gaps_names_what_did_not_come_and_who_is_quiet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addTenant("Bertram")
	for _, days := range []int{5, 4, 3} { // 000000001 to 3
		b.add("succeeded", columns{"received_at": now.AddDate(0, 0, -days)})
	}
	page := b.untilPage("/dashboard/gaps", "Acme Came 3 days ago")
	b.untilPage("/dashboard/gaps", "No number is missing between those that came.")
	require.Contains(t, page, "Quieter than usual since 24 h ago")
	require.Contains(t, page, "Bertram None yet Too few events to tell")
	require.Contains(t, b.untilPage("/dashboard/connections", "Last event Came 3 days ago"), "Quieter than usual")

	other := setup(t)
	other.add("succeeded", columns{"store_id": 3})
	other.entity = 3
	other.add("succeeded", columns{"store_id": 3, "received_at": now.Add(-2 * time.Hour)})
	page = other.untilPage("/dashboard/gaps", "Missing")
	require.Contains(t, page, "Acme store 3 Invoices 100000002 to 100000003 2 missing 2 h ago towpath backfill --binding "+other.binding.String()+" --event invoice.created --ids 2-3")
}
