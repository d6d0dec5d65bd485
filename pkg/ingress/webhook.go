package ingress

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/foreign"
	"towpath/pkg/syncrun"
)

// webhook takes one event in: 202 with the run's id, whether the run is new or
// was there. Nothing is stored before T1, which is the last thing it does.
func (in *Ingress) webhook(x *exchange) (reply, error) {
	event := x.params.ByName("event")
	if syncrun.KnownEvent(event) {
		x.event = event
	}
	if err := checkLength(x); err != nil {
		return reply{}, err
	}
	token, err := bearer(x.r)
	if err != nil {
		return reply{}, err
	}
	shop, err := in.authenticate(x, token, x.params.ByName("tenant"))
	if err != nil {
		return reply{}, err
	}
	if x.event == "" {
		return reply{}, refuse(codeUnknownEvent, "this event is not known here")
	}
	e, err := readEvent(x, shop)
	if err != nil {
		return reply{}, err
	}
	if problem := keyContradicts(e.IdempotencyKey, e.Name, e.EntityID); problem != "" {
		return reply{}, in.refuseKey(x.context(), e, problem)
	}
	accepted, err := in.accept(x.context(), e)
	if err != nil {
		return reply{}, err
	}
	x.runID, x.replayed = accepted.RunID, accepted.Replayed
	return reply{status: http.StatusAccepted, body: acceptedBody{SyncRunID: accepted.RunID}}, nil
}

type acceptedBody struct {
	SyncRunID uuid.UUID `json:"sync_run_id"`
}

// readEvent reads what is left of the request once its token is good.
func readEvent(x *exchange, shop caller) (syncrun.Event, error) {
	if err := checkType(x.r); err != nil {
		return syncrun.Event{}, err
	}
	key, err := idempotencyKey(x.r)
	if err != nil {
		return syncrun.Event{}, err
	}
	if key, err = canonicalKey(key, x.event); err != nil {
		return syncrun.Event{}, err
	}
	body, err := readBody(x)
	if err != nil {
		return syncrun.Event{}, err
	}
	decoded, err := decodeEnvelope(body)
	if err != nil {
		return syncrun.Event{}, refuse(codeMalformedBody, "%s", err.Error())
	}
	query, err := readQuery(x.r.URL.RawQuery)
	if err != nil {
		return syncrun.Event{}, err
	}
	asked, err := provider(query)
	if err != nil {
		return syncrun.Event{}, err
	}
	to, err := chooseBinding(shop.bindings, asked)
	if err != nil {
		return syncrun.Event{}, err
	}
	return syncrun.Event{
		TenantID: shop.tenant, BindingID: to.id, PolicyVersion: to.policyVersion, Name: x.event,
		EntityID: decoded.EntityID, WebsiteID: decoded.WebsiteID, StoreID: decoded.StoreID, OccurredAt: decoded.OccurredAt,
		IdempotencyKey: key, Body: foreign.JSONLines(body), JTI: shop.claims.JTI, JTIExpiresAt: shop.claims.SpentUntil(),
	}, nil
}

// refuseKey refuses a key that does not fit its request: as a reuse where the
// key belongs to another event already, else as malformed. Nothing is stored.
func (in *Ingress) refuseKey(ctx context.Context, e syncrun.Event, problem string) error {
	err := in.withConn(ctx, in.cfg.ReadTimeout, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := in.queries.SyncRunByIdempotencyKey(ctx, conn, dbsqlc.SyncRunByIdempotencyKeyParams{
			BindingID: e.BindingID, IdempotencyKey: e.IdempotencyKey,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return refuse(codeMalformedRequest, "%s", problem)
		}
		return err
	})
	if err == nil {
		return keyReused(syncrun.ErrKeyReused)
	}
	return err
}

// countWebhook is told every answer to a webhook.
func (in *Ingress) countWebhook(x *exchange, status int, elapsed time.Duration) {
	runID := ""
	if x.runID != uuid.Nil {
		runID = x.runID.String()
	}
	in.cfg.Metrics.Webhook(x.event, status, elapsed, runID)
	if x.tenant != uuid.Nil {
		in.cfg.Metrics.TenantWebhook(x.tenant.String(), status)
	}
}
