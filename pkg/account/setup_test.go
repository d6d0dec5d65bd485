package account_test

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/outbound"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/secret"
	"towpath/riverjobs"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const towpathURL = "https://towpath.example.com"

// bundle is a shop that is not paired, and who pairs it.
type bundle struct {
	pool   *pgxpool.Pool
	box    *secret.Box
	shop   *magentosim.Shop
	url    string
	pairer account.Pairer
}

func setup(t *testing.T, cfg magentosim.Config) *bundle {
	t.Helper()
	b := &bundle{pool: pgtest.New(t), shop: magentosim.New(cfg)}
	srv := httptest.NewServer(b.shop)
	t.Cleanup(srv.Close)
	b.url = srv.URL
	var err error
	b.box, err = secret.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	client, err := riverjobs.NewInserter(b.pool, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	b.pairer = account.Pairer{
		Op: &riverjobs.Operator{Pool: b.pool, Client: client, Who: "test"}, Box: b.box,
		Shops: outbound.New(outbound.Config{AllowPrivate: true, HeaderTimeout: 20 * time.Second}),
	}
	return b
}

// pairing is what a person says, with a code.
func (b *bundle) pairing(code string) account.Pairing {
	return account.Pairing{MagentoURL: b.url, Code: secret.NewString(code), Provider: "xero", BaseURL: towpathURL}
}

// pair pairs with a new code.
func (b *bundle) pair(t *testing.T) account.Paired {
	t.Helper()
	done, err := b.pairer.Pair(t.Context(), b.pairing(b.shop.NewPairingCode()))
	require.NoError(t, err)
	return done
}

func (b *bundle) tenants(t *testing.T) []dbsqlc.Tenant {
	t.Helper()
	list, err := dbsqlc.New().TenantList(t.Context(), b.pool)
	require.NoError(t, err)
	return list
}

// one is the only tenant.
func (b *bundle) one(t *testing.T) dbsqlc.Tenant {
	t.Helper()
	list := b.tenants(t)
	require.Len(t, list, 1)
	return list[0]
}

func (b *bundle) open(t *testing.T, id uuid.UUID, sealed []byte) string {
	t.Helper()
	key, err := b.box.Open(sealed, secret.Place(secret.TenantAPIKey, id.String()))
	require.NoError(t, err)
	return string(key)
}

// accepts reports whether the shop accepts a key.
func (b *bundle) accepts(t *testing.T, tenant dbsqlc.Tenant, sealed []byte) bool {
	t.Helper()
	client, err := magento.New(magento.Config{BaseURL: b.url, TenantID: tenant.ID.String(), APIKey: b.open(t, tenant.ID, sealed), HTTP: b.pairer.Shops})
	require.NoError(t, err)
	_, err = client.Ping(t.Context())
	return err == nil
}

// failure demands that the shop was asked and did not pair.
func failure(t *testing.T, err error) *magento.PairFailure {
	t.Helper()
	var f *magento.PairFailure
	require.ErrorAs(t, err, &f)
	return f
}
