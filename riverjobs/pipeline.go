package riverjobs

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/metrics"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// Shop is what the jobs ask of a shop's client. Every error is or wraps a
// provider.Failure.
type Shop interface {
	// Invoice reads the canonical invoice: the bytes as they came, and decoded.
	Invoice(ctx context.Context, id int64) (json.RawMessage, canon.Invoice, error)
	// PushSyncState tells the end of a run; telling it twice is harmless.
	PushSyncState(ctx context.Context, state magento.SyncState) error
}

// Ledger is what the jobs ask of a provider. Every error is or wraps a
// provider.Failure; a write whose outcome is not known answers Kind Unknown.
type Ledger interface {
	// Reference reads what a policy may refer to; a part that the provider does
	// not offer stays nil.
	Reference(ctx context.Context) (provider.Reference, error)
	// EnsureContact answers the id of the buyer's contact and creates it where
	// there is none. It never makes a second one.
	EnsureContact(ctx context.Context, buyer policy.Buyer, try provider.Try) (string, error)
	// Document is pure: the body that would be posted and its predicted totals,
	// or a Held failure where it must not be.
	Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error)
	// EnsureInvoice creates the document. Where the try is Uncertain, or the
	// number is taken, it looks it up and adopts it if it is ours.
	EnsureInvoice(ctx context.Context, doc provider.Document, try provider.Try) (provider.Posted, error)
}

// Config is what the workers stand on.
type Config struct {
	// Pool serves the workers' own transactions; River has another.
	Pool    *pgxpool.Pool
	Shops   func(tenant dbsqlc.Tenant) (Shop, error)
	Ledgers func(binding dbsqlc.Binding) (Ledger, error)
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	Now     func() time.Time
	// Alive reports whether this process may begin a write at a ledger; see
	// Process.Alive. Nil means always.
	Alive func() bool
	// BaseURL is where people reach this Towpath; documents link back to it.
	BaseURL string
	// Workers is how many jobs of each kind run at once in this process.
	Workers int
	// SoftStop is how long running jobs may finish at a stop before they are
	// given back.
	SoftStop time.Duration
	// FirstDelay is the wait after a first failed attempt; it doubles from there
	// up to an hour. Default a second.
	FirstDelay time.Duration
}

// pipeline is what the three workers share.
type pipeline struct {
	Config
	who     string
	queries *dbsqlc.Queries
}

// runURL is the page of a run, for documents to link back to.
func (p *pipeline) runURL(id uuid.UUID) string {
	if p.BaseURL == "" {
		return ""
	}
	return p.BaseURL + "/dashboard/sync/" + id.String()
}
