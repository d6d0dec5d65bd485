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
	"towpath/pkg/recorder"
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

// authenticate verifies the token with the tenant's keys as they are in the database
// now, and reads the tenant's bindings with it. Nothing of it is remembered from an
// earlier request: a rotated key and a revoked binding count from the next one on.
func (in *Ingress) authenticate(x *exchange, token, tenantID string) (caller, error) {
	// What no shop could have signed for this tenant costs neither a connection nor
	// a key; that it is refused sooner tells only what the caller sent himself.
	parsed, err := shopjwt.Parse(token, tenantID)
	if err != nil {
		return caller{}, tokenRefused(err)
	}
	id := parseTenant(tenantID)
	if id == uuid.Nil {
		return caller{}, tokenRefused(errors.New("the path names no tenant"))
	}
	rows, err := in.callerRows(x.context(), id)
	if err != nil {
		return caller{}, err
	}
	known := len(rows) > 0 && id != uuid.Nil
	var row dbsqlc.IngressCallerRow
	if known {
		row = rows[0]
	}
	claims, signedBy, err := in.verifyAny(x, row, id, parsed)
	if !known {
		return caller{}, tokenRefused(errors.New("the tenant is unknown"))
	}
	if err != nil {
		return caller{}, err
	}
	if err := in.keySeen(x.context(), row, signedBy); err != nil {
		return caller{}, err
	}
	return caller{tenant: id, connection: row.ConnectionStatus, claims: claims, bindings: bindingsOf(rows)}, nil
}

// callerRows reads a tenant; who comes while a read is under way shares the next.
func (in *Ingress) callerRows(ctx context.Context, id uuid.UUID) ([]dbsqlc.IngressCallerRow, error) {
	ctx, cancel := context.WithTimeout(ctx, in.cfg.AcquireTimeout+in.cfg.ReadTimeout)
	defer cancel()
	rows, err := in.callers.Hand(ctx, id)
	if errors.Is(err, recorder.ErrFull) {
		return nil, overloaded(err)
	}
	return rows, asUnavailable(err)
}

// readCallers reads a set of tenants in one query.
func (in *Ingress) readCallers(ctx context.Context, ids []uuid.UUID, _ func()) []recorder.Answer[[]dbsqlc.IngressCallerRow] {
	found := map[uuid.UUID][]dbsqlc.IngressCallerRow{}
	err := in.withConn(ctx, in.cfg.ReadTimeout, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := in.queries.IngressCaller(ctx, conn, ids)
		for _, row := range rows {
			found[row.TenantID] = append(found[row.TenantID], row)
		}
		return err
	})
	answers := make([]recorder.Answer[[]dbsqlc.IngressCallerRow], len(ids))
	for i, id := range ids {
		answers[i] = recorder.Answer[[]dbsqlc.IngressCallerRow]{Value: found[id], Err: err}
	}
	return answers
}

// verify judges the token, and measures the clocks by it if its signature is
// right.
func (in *Ingress) verify(x *exchange, verifier *shopjwt.Verifier, tenant uuid.UUID, token shopjwt.Token) (shopjwt.Claims, error) {
	claims, err := verifier.VerifyParsed(token, in.cfg.Now())
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
