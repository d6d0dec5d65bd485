package ingress

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// statusBody is the last run of one entity. Where there was none, all but the
// entity is null.
type statusBody struct {
	EntityType        string     `json:"entity_type"`
	EntityID          int64      `json:"entity_id"`
	SyncStatus        *string    `json:"sync_status"` // pending, synced, skipped or failed: the shop's words
	RunStatus         *string    `json:"run_status"`
	SyncRunID         *uuid.UUID `json:"sync_run_id"`
	Provider          *string    `json:"provider"`
	Event             *string    `json:"event"`
	ProviderEntityID  *string    `json:"provider_entity_id"`
	ProviderReference *string    `json:"provider_reference"`
	ProviderURL       *string    `json:"provider_url"`
	HoldReason        *string    `json:"hold_reason"`
	SkipReason        *string    `json:"skip_reason"`
	ErrorCode         *string    `json:"error_code"`
	ErrorMessage      *string    `json:"error_message"`
	LastSyncAt        *string    `json:"last_sync_at"`
}

// status tells how the last run of an entity stands: GET
// /v1/status?entity_type=invoice&entity_id=42, optionally &provider=xero.
func (in *Ingress) status(x *exchange) (reply, error) {
	var body statusBody
	err := in.shopCall(x, func(ctx context.Context, conn *pgxpool.Conn, shop caller, query url.Values) error {
		params, err := entityOf(shop, query)
		if err != nil {
			return err
		}
		run, err := in.queries.IngressEntityStatus(ctx, conn, params)
		if errors.Is(err, pgx.ErrNoRows) {
			body = statusBody{EntityType: params.EntityType, EntityID: params.MagentoEntityID}
			return nil
		}
		body = statusOfRun(params, run)
		return err
	})
	return reply{status: http.StatusOK, body: body}, err
}

func entityOf(shop caller, query url.Values) (dbsqlc.IngressEntityStatusParams, error) {
	kind := query.Get("entity_type")
	if !slices.ContainsFunc(syncrun.Events(), func(event string) bool { return syncrun.EntityType(event) == kind }) {
		return dbsqlc.IngressEntityStatusParams{}, refuse(codeMalformedRequest, "entity_type is missing or not known")
	}
	id, err := strconv.ParseInt(query.Get("entity_id"), 10, 64)
	if err != nil || id <= 0 {
		return dbsqlc.IngressEntityStatusParams{}, refuse(codeMalformedRequest, "entity_id is missing or not above 0")
	}
	asked, err := askedProvider(query)
	return dbsqlc.IngressEntityStatusParams{
		TenantID: shop.tenant, EntityType: kind, MagentoEntityID: id, Provider: asked,
	}, err
}

func statusOfRun(entity dbsqlc.IngressEntityStatusParams, run dbsqlc.IngressEntityStatusRow) statusBody {
	return statusBody{
		EntityType: entity.EntityType, EntityID: entity.MagentoEntityID,
		SyncStatus: shopStatus(run.Status), RunStatus: &run.Status, SyncRunID: &run.ID,
		Provider: &run.Provider, Event: &run.Event,
		ProviderEntityID: run.ProviderEntityID, ProviderReference: run.ProviderReference, ProviderURL: run.ProviderUrl,
		HoldReason: run.HoldReason, SkipReason: run.SkipReason, ErrorCode: run.ErrorCode, ErrorMessage: run.ErrorMessage,
		LastSyncAt: shopTime(run.FinishedAt),
	}
}

// shopStatus is a run's status in the shop's words.
func shopStatus(status string) *string {
	word := "pending"
	switch status {
	case syncrun.Succeeded:
		word = "synced"
	case syncrun.Skipped:
		word = "skipped"
	case syncrun.Failed, syncrun.Cancelled:
		word = "failed"
	}
	return &word
}
