package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/loopback"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/policy"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

// shop is one that is paired and bound, and sends events.
type shop struct {
	tenant uuid.UUID
	key    string
}

func paired(t *testing.T, pool *pgxpool.Pool) shop {
	t.Helper()
	s := shop{uuid.New(), shopjwt.NewAPIKey()}
	s.insert(t, pool)
	return s
}

// insert puts it and its binding into a database.
func (s shop) insert(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	binding, queries := uuid.New(), dbsqlc.New()
	require.NoError(t, queries.TenantInsert(t.Context(), pool, dbsqlc.TenantInsertParams{
		ID: s.tenant, Name: "Test", MagentoUrl: "https://shop.example", ConnectionStatus: "active",
		ApiKeySealed: boxOf(t).Seal([]byte(s.key), secret.Place(secret.TenantAPIKey, s.tenant.String())),
	}))
	require.NoError(t, queries.BindingInsert(t.Context(), pool, dbsqlc.BindingInsertParams{
		ID: binding, TenantID: s.tenant, Provider: "xero", Wire: "accounting", ApiUrl: "https://xero.example",
	}))
	require.NoError(t, queries.PolicyInsert(t.Context(), pool, dbsqlc.PolicyInsertParams{
		BindingID: binding, Version: 1, Policy: policy.Encode(policy.Default()),
	}))
}

// webhook sends the event of invoice 1.
func (s shop) webhook(t *testing.T, addr string) (int, http.Header) {
	t.Helper()
	return s.event(t, addr, 1)
}

// event sends the event of an invoice.
func (s shop) event(t *testing.T, addr string, invoice int) (int, http.Header) {
	t.Helper()
	token, err := shopjwt.MintShop(s.key, s.tenant.String(), time.Now())
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/webhooks/magento/"+s.tenant.String()+"/invoice.created",
		strings.NewReader(fmt.Sprintf(`{"magento_entity_id":%d,"website_id":1,"store_id":1,"occurred_at":"2026-04-29T10:11:12Z","payload":[]}`, invoice)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("invoice.created:%d", invoice))
	resp, err := loopback.Client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header
}

func Test_An_open_connection_is_told_to_come_again_while_stopping(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	from := paired(t, pool)
	s := serve(t, pool.Config().ConnString(), Roles{Ingress: true})
	require.NotNil(t, s.drain)
	status, _ := from.webhook(t, s.Addr())
	require.Equal(t, http.StatusAccepted, status)
	s.drain()
	status, header := from.webhook(t, s.Addr())
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.NotEmpty(t, header.Get("Retry-After"))
}

// The front door turns requests away before it stops listening.
func Test_The_door_drains_before_the_listener_closes(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	from := paired(t, pool)
	s := serve(t, pool.Config().ConnString(), Roles{Ingress: true})
	drained := make(chan int, 1)
	s.drain = func() {
		status, _ := from.webhook(t, s.Addr())
		drained <- status
	}
	s.Stop()
	require.Equal(t, http.StatusAccepted, <-drained, "still listening")
}

func Test_Ingress_alone_has_no_workers(t *testing.T) {
	t.Parallel()
	require.Nil(t, serve(t, pgtest.URL(t), Roles{Ingress: true}).alive)
}
