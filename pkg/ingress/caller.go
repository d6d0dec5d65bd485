package ingress

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

// caller is a shop whose token was verified; the token's jti is not spent yet.
type caller struct {
	tenant     uuid.UUID
	connection string
	claims     shopjwt.Claims
	bindings   []binding // live ones, in the order in which they were made
}

type binding struct {
	id            uuid.UUID
	provider      string
	policyVersion int32
}

// decoy is the sealed key of no tenant: for an unknown tenant the same work is
// done as for a known one, so that the time to refuse tells nothing.
type decoy struct{ sealed []byte }

func newDecoy(box *secret.Box) decoy {
	return decoy{sealed: box.Seal([]byte(shopjwt.NewAPIKey()), secret.Place(secret.TenantAPIKey, uuid.Nil.String()))}
}

// tokenRefused is the one answer to every fault of a token, to an unknown
// tenant and to what is no tenant's id; which it was stands in the log.
func tokenRefused(cause error) *refusal {
	return refuse(codeTokenRefused, "the token was refused; if this stays, pair the shop again").because(cause)
}

// bearer is the request's token. Without one nothing else need be looked at.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", tokenRefused(errors.New("there is not one header Authorization"))
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", tokenRefused(errors.New("it is no bearer token"))
	}
	return token, nil
}

// authenticateSubject verifies a token where the path names no tenant: its own
// sub tells whose key to verify it with.
func (in *Ingress) authenticateSubject(x *exchange) (caller, error) {
	token, err := bearer(x.r)
	if err != nil {
		return caller{}, err
	}
	subject, err := shopjwt.Subject(token)
	if err != nil {
		return caller{}, tokenRefused(err)
	}
	return in.authenticate(x, token, subject)
}

// authenticate verifies the token with the tenant's key and reads the tenant's
// bindings; one query.
func (in *Ingress) authenticate(x *exchange, token, tenantID string) (caller, error) {
	id := parseTenant(tenantID)
	var rows []dbsqlc.IngressCallerRow
	err := in.withConn(x.context(), in.cfg.ReadTimeout, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		rows, err = in.queries.IngressCaller(ctx, conn, id)
		return err
	})
	if err != nil {
		return caller{}, err
	}
	known := len(rows) > 0 && id != uuid.Nil
	sealed, owner := in.decoy.sealed, uuid.Nil
	if known {
		sealed, owner = rows[0].ApiKeySealed, id
	}
	apiKey, err := in.cfg.Box.Open(sealed, secret.Place(secret.TenantAPIKey, owner.String()))
	if err != nil {
		return caller{}, err // the key is lost or not configured: ours to mend
	}
	claims, err := in.verify(x, string(apiKey), id, token)
	if !known {
		return caller{}, tokenRefused(errors.New("the tenant is unknown"))
	}
	if err != nil {
		return caller{}, err
	}
	return caller{tenant: id, connection: rows[0].ConnectionStatus, claims: claims, bindings: bindingsOf(rows)}, nil
}

// verify judges the token, and measures the clocks by it if its signature is
// right.
func (in *Ingress) verify(x *exchange, apiKey string, tenant uuid.UUID, token string) (shopjwt.Claims, error) {
	claims, err := shopjwt.Verify(apiKey, tenant.String(), token, in.cfg.Now())
	skewed := errors.Is(err, shopjwt.ErrClockSkew)
	if err == nil || skewed {
		in.cfg.Metrics.ClockSkew(claims.Skew)
		x.tenant = tenant
	}
	switch {
	case skewed:
		return claims, refuse(codeClockSkew, "the shop's clock is off by about %s; set it right, this will be sent again",
			claims.Skew.Abs().Round(time.Second)).because(err)
	case err != nil:
		return claims, tokenRefused(err)
	}
	return claims, nil
}

// parseTenant reads a UUID in its usual form. What is none becomes the id of no
// tenant, which is then as unknown as any other.
func parseTenant(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.Nil.String()) {
		return uuid.Nil
	}
	return id
}

func bindingsOf(rows []dbsqlc.IngressCallerRow) []binding {
	var live []binding
	for _, row := range rows {
		if row.BindingID != nil {
			live = append(live, binding{id: *row.BindingID, provider: *row.Provider, policyVersion: *row.PolicyVersion})
		}
	}
	return live
}
