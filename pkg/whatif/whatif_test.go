package whatif_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/canon/canontest"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero"
	"towpath/pkg/whatif"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bundle is a binding whose runs have stored documents.
type bundle struct {
	pool    *pgxpool.Pool
	binding dbsqlc.Binding
	ledger  *xero.Client
}

const inForce = `{"default_xero_revenue_account_code":"200","tax_rate_map":{"20.00":"OUTPUT2","5.00":"RROUTPUT","0.00":"NONE"},
	"payment_method_map":{"checkmo":"00000000-0000-4000-8000-000000000090"}}`

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t)}
	queries, tenant, binding := dbsqlc.New(), uuid.New(), uuid.New()
	require.NoError(t, queries.TenantInsert(t.Context(), b.pool, dbsqlc.TenantInsertParams{
		ID: tenant, Name: "Test", MagentoUrl: "https://shop.example", ApiKeySealed: []byte("sealed"), ConnectionStatus: "active",
	}))
	require.NoError(t, queries.BindingInsert(t.Context(), b.pool, dbsqlc.BindingInsertParams{
		ID: binding, TenantID: tenant, Provider: "xero", Wire: "accounting", ApiUrl: "https://xero.example",
	}))
	b.version(t, binding, 1, inForce)
	var err error
	b.binding, err = queries.BindingGet(t.Context(), b.pool, binding)
	require.NoError(t, err)
	b.ledger, err = xero.New(xero.Config{
		BaseURL: "https://xero.example", OrgID: uuid.NewString(), HTTP: &http.Client{Transport: nobody{t}}, Now: time.Now, Permit: provider.Unlimited,
		Token: func(context.Context) (string, error) { return "", nil },
	})
	require.NoError(t, err)
	return b
}

// nobody is called.
type nobody struct{ t *testing.T }

func (n nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was called", r.URL)
	return nil, http.ErrHandlerTimeout
}

func (b *bundle) version(t *testing.T, binding uuid.UUID, version int32, settings string) {
	t.Helper()
	require.NoError(t, dbsqlc.New().PolicyInsert(t.Context(), b.pool, dbsqlc.PolicyInsertParams{
		BindingID: binding, Version: version, Policy: policy.Encode(parsed(t, settings)),
	}))
}

func parsed(t *testing.T, settings string) policy.Policy {
	t.Helper()
	p, faults, err := policy.Parse([]byte(settings))
	require.NoError(t, err)
	require.Empty(t, faults)
	return p
}

// stored is a run as far as what-if looks.
type stored struct {
	event     string
	id        int64
	canonical []byte
	decision  []byte
}

// store puts ended runs in, a second apart, the last one now.
func (b *bundle) store(t *testing.T, version int, set []stored) {
	t.Helper()
	var events, kinds, canonicals, decisions []string
	var ids []int64
	for _, s := range set {
		kind := map[string]string{"creditmemo.created": "creditmemo", "customer.upserted": "customer", "product.upserted": "product"}[s.event]
		if kind == "" {
			kind = "invoice"
		}
		if s.decision == nil {
			s.decision = []byte(`{}`)
		}
		events, kinds, ids = append(events, s.event), append(kinds, kind), append(ids, s.id)
		canonicals, decisions = append(canonicals, string(s.canonical)), append(decisions, string(s.decision))
	}
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key,
			dedupe_key, lane, occurred_at, received_at, body, status, stage, finished_at, shop_told, canonical, decision)
		SELECT gen_random_uuid(), $1, $2, $3::int, s.event, s.kind, s.id, s.event || ':' || s.id, s.event || ':' || s.id, 'lane', now(),
			now() - make_interval(secs => cardinality($4::text[]) - s.n), '{}', 'succeeded', 'done', now(), 'told', s.canonical::json, s.decision::jsonb
		FROM unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[]) WITH ORDINALITY AS s (event, kind, id, canonical, decision, n)`,
		b.binding.TenantID, b.binding.ID, version, events, kinds, ids, canonicals, decisions)
	require.NoError(t, err)
}

func (b *bundle) look(t *testing.T, tried string) whatif.Look {
	before := parsed(t, inForce)
	return whatif.Look{Pool: b.pool, Binding: b.binding, Ledger: b.ledger, Before: &before, After: parsed(t, tried), Since: time.Now().AddDate(0, 0, -30)}
}

// run answers the differences by the shop's number.
func run(t *testing.T, l whatif.Look) (whatif.Summary, map[string]whatif.Difference) {
	t.Helper()
	all := map[string]whatif.Difference{}
	sum, err := l.Run(t.Context(), func(d whatif.Difference) error {
		require.NotContains(t, all, d.Number, "once")
		all[d.Number] = d
		return nil
	}, func(whatif.Summary) {})
	require.NoError(t, err)
	require.Len(t, all, sum.Different)
	return sum, all
}

// invoice is the n-th of the thousand. Of each ten the first is not paid yet, the second
// has a row of a reduced rate, the third one without tax, the fourth is another store's.
func invoice(n int) stored {
	sale := canontest.Sale().Row("Chair", "2", "60", "120", "24", "0")
	grand := "144"
	switch n % 10 {
	case 1:
		sale, grand = sale.Row("Tea", "4", "10", "40", "2", "0"), "186"
	case 2:
		sale, grand = sale.Row("Book", "1", "6", "6", "0", "0"), "150"
	}
	inv := sale.Total(grand)
	inv.MagentoID, inv.IncrementID = canon.Int(n), fmt.Sprintf("%09d", n)
	switch n % 10 {
	case 0:
		inv.State = canon.StateOpen
	case 3:
		inv.StoreID = 2
	}
	return stored{event: "invoice.created", id: int64(n), canonical: canon.EncodeInvoice(inv)}
}

func Test_Of_a_thousand_documents_those_that_would_differ_are_named_line_by_line(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var set []stored
	for n := range 1000 {
		set = append(set, invoice(n+1))
	}
	b.store(t, 1, set)
	look := b.look(t, `{"default_xero_revenue_account_code":"200","tax_rate_map":{"20.00":"OUTPUT2","5.00":"SPECIAL"},
		"sync_unpaid_invoices":false,"store_filter":[1]}`)
	began := time.Now()
	sum, all := run(t, look)
	t.Logf("compared in %s", time.Since(began).Round(time.Millisecond))
	require.Equal(t, 1000, sum.Looked)
	require.Equal(t, 400, sum.Different)
	require.Equal(t, 600, sum.Same())
	require.Equal(t, map[whatif.Kind]int{whatif.Decision: 300, whatif.Lines: 100}, sum.Kinds)
	require.Equal(t, "skip unpaid_invoice", all["000000010"].After)
	require.Equal(t, []whatif.Change{{Kind: whatif.Lines, Line: 2, Field: "TaxType", Before: "RROUTPUT", After: "SPECIAL"}}, all["000000021"].Changes)
	require.Equal(t, []whatif.Change{{Kind: whatif.Decision, Before: "post", After: "hold tax_rate_not_mapped"}}, all["000000032"].Changes)
	require.Equal(t, []whatif.Change{{Kind: whatif.Decision, Before: "post", After: "skip store_filtered"}}, all["000000043"].Changes)

	sum, _ = run(t, b.look(t, inForce))
	require.Equal(t, 1000, sum.Same(), "the settings in force change nothing")

	look.Limit = 250
	sum, all = run(t, look)
	require.Equal(t, 250, sum.Looked)
	require.True(t, sum.Cut)
	require.Contains(t, all, "000001000", "the newest")
	require.NotContains(t, all, "000000021")
	look.Since = time.Now().Add(time.Hour)
	sum, _ = run(t, look)
	require.Zero(t, sum.Looked)
	require.False(t, sum.Cut)
}

func Test_Every_event_is_compared_with_what_it_writes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sale := canontest.Sale().Row("Chair", "2", "60", "120", "24", "0")
	of := sale.Total("144")
	method := "checkmo"
	of.PaymentMethod = &method
	memo := sale.Memo("144", "0", "0")
	decision, err := json.Marshal(map[string]any{"action": "post", "invoice": json.RawMessage(canon.EncodeInvoice(of))})
	require.NoError(t, err)
	b.store(t, 1, []stored{
		{event: "invoice.created", id: 7, canonical: canon.EncodeInvoice(of)},
		{event: "invoice.paid", id: 7, canonical: []byte(`{"magento_id":7,"invoice_id":7,"invoice_increment_id":"P-7","method":"checkmo","currency":"GBP","amount":"12.50","captured_at":"2026-05-04T09:00:00Z"}`)},
		{event: "creditmemo.created", id: 9, canonical: canon.EncodeCreditMemo(memo), decision: decision},
		{event: "customer.upserted", id: 42, canonical: []byte(`{"magento_id":42,"email":"ada@example.com","first_name":"Ada","last_name":"Byron"}`)},
		{event: "product.upserted", id: 3, canonical: []byte(`{"magento_id":3,"sku":"ROPE","name":"Mooring rope","price":"12.00"}`)},
	})
	_, err = b.pool.Exec(t.Context(), `INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id, provider_reference, run_id)
		SELECT run.tenant_id, binding.provider, binding.org_key, 'item', '9', 'an-item', 'Chair', run.id
		FROM sync_runs AS run JOIN bindings AS binding ON binding.id = run.binding_id LIMIT 1`)
	require.NoError(t, err)
	sum, all := run(t, b.look(t, `{"default_xero_revenue_account_code":"200","tax_rate_map":{"20.00":"OUTPUT2"},"invoice_number_prefix":"M-",
		"payment_method_map":{"checkmo":"00000000-0000-4000-8000-000000000091"},"sync_customers":true,"sync_products":true,
		"b2c_consolidation":{"enabled":true,"fallback_contact_name":"Web shop","fallback_contact_email":"web@example.com"}}`))
	require.Equal(t, 4, sum.Different, "consolidation keeps a customer who is none yet out, as sync_customers did")
	has := func(number string, want ...whatif.Change) {
		t.Helper()
		for _, c := range want {
			require.Contains(t, all[number].Changes, c)
		}
	}
	has("700000007", whatif.Change{Kind: whatif.Header, Field: "InvoiceNumber", Before: "700000007", After: "M-700000007"},
		whatif.Change{Kind: whatif.Contact, Field: "Name", Before: "Customer guest-c8aaee3a0f7c2ca53f0303775fe5c3f9", After: "Web shop"})
	has("700000007", whatif.Change{Kind: whatif.Lines, Line: 1, Field: "ItemCode", After: "Chair"})
	has("P-7", whatif.Change{Kind: whatif.Money, Field: "Account.AccountID", Before: "00000000-0000-4000-8000-000000000090", After: "00000000-0000-4000-8000-000000000091"})
	has("900000009", whatif.Change{Kind: whatif.Header, Field: "CreditNoteNumber", Before: "900000009", After: "M-900000009"},
		whatif.Change{Kind: whatif.Money, Field: "refund_account_id", Before: "00000000-0000-4000-8000-000000000090", After: "00000000-0000-4000-8000-000000000091"})
	has("ROPE", whatif.Change{Kind: whatif.Decision, Before: "skip products_not_synced", After: "post"})
}

func Test_Compared_with_what_is_pinned_each_run_has_its_own_version(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(t, b.binding.ID, 2, `{"default_xero_revenue_account_code":"200","tax_rate_map":{}}`)
	b.version(t, b.binding.ID, 3, `{}`)
	for version, n := range map[int]int{1: 4, 2: 5, 3: 6} {
		b.store(t, version, []stored{invoice(n)})
	}
	look := b.look(t, `{}`)
	look.Before = nil
	sum, all := run(t, look)
	require.Equal(t, map[whatif.Kind]int{whatif.Decision: 1, whatif.HoldReason: 1}, sum.Kinds)
	require.Equal(t, "post", all["000000004"].Before)
	require.Equal(t, []whatif.Change{{Kind: whatif.HoldReason, Before: "hold tax_rate_not_mapped", After: "hold missing_mapping"}}, all["000000005"].Changes)
}
