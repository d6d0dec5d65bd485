package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/foreign"
	"towpath/pkg/provider"
)

// circuitOf is the key of an identity server's circuit, which opens as any partition's
// does (riverjobs/circuit.go), but is asked and probed here. One row is for all bindings
// whose tokens it gives out: else each would keep a connection, a row's lock and one of
// the few refreshes at once for as long as a call takes. Tokens that are still good are
// given out meanwhile.
func circuitOf(g grant) string { return "identity " + g.endpoints.Token }

// enter answers whether the identity server of a binding may be called: always where its
// circuit is closed, else by one as the probe. known says that there is a circuit. If the
// probe's process dies, the next one goes after the longest time that its call could take.
func (k *Keeper) enter(ctx context.Context, binding uuid.UUID) (g grant, known bool, err error) {
	if g, err = k.read(ctx, k.cfg.Pool, binding); err != nil {
		return g, false, err
	}
	circuit, err := k.queries.CircuitGet(ctx, k.cfg.Pool, circuitOf(g))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return g, false, nil
	case err != nil || !circuit.IsOpen:
		return g, true, err
	}
	mine, err := k.queries.CircuitProbe(ctx, k.cfg.Pool, dbsqlc.CircuitProbeParams{Key: circuit.Key, CallSeconds: k.cfg.CallTimeout.Seconds()})
	if err != nil || mine > 0 {
		return g, true, err
	}
	return g, true, &provider.Failure{
		Kind: provider.Temporary, Code: provider.CodeHTTP, NoAnswer: provider.HeldIdentityNoAnswer,
		Message: g.spec.Title + "'s identity server has not answered since " + circuit.OpenedAt.UTC().Format(time.RFC3339) + "; it is asked again from time to time",
	}
}

// heard notes what a renewal says of the identity server. If it is lost, the next says it.
func (k *Keeper) heard(ctx context.Context, g grant, known bool, err error) {
	ctx = context.WithoutCancel(ctx)
	var noted error
	var f *provider.Failure
	switch {
	case errors.As(err, &f) && f.NoAnswer != "":
		_, noted = k.queries.CircuitFail(ctx, k.cfg.Pool, dbsqlc.CircuitFailParams{
			Key: circuitOf(g), Reason: f.NoAnswer, Message: foreign.Text(f.Message, foreign.Kept), OpensAt: provider.CircuitOpens,
		})
	case known && (err == nil || isAuth(err) || errors.As(err, &f) && f.Kind == provider.RateLimited):
		if _, noted = k.queries.CircuitClose(ctx, k.cfg.Pool, circuitOf(g)); noted == nil {
			// The ledgers that wait for it need not wait for the time of their own probes.
			noted = k.queries.CircuitProbeAgainOf(ctx, k.cfg.Pool, provider.HeldIdentityNoAnswer)
		}
	}
	if noted != nil {
		k.cfg.Logger.WarnContext(ctx, "circuit of the identity server not noted", "provider", g.Provider, "error", noted)
	}
}
