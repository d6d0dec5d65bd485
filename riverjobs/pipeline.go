package riverjobs

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/metrics"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
)

// Shop is what the jobs ask of a shop's client. Every error is or wraps a
// provider.Failure.
type Shop interface {
	// Invoice reads the canonical invoice: the bytes as they came, and decoded.
	Invoice(ctx context.Context, id int64) (json.RawMessage, canon.Invoice, error)
	// Payment reads how the invoice with that id was paid; the gateway's own data is
	// left out.
	Payment(ctx context.Context, invoiceID int64) (json.RawMessage, canon.Payment, error)
	CreditMemo(ctx context.Context, id int64) (json.RawMessage, canon.CreditMemo, error)
	Customer(ctx context.Context, id int64) (json.RawMessage, canon.Customer, error)
	Product(ctx context.Context, id int64) (json.RawMessage, canon.Product, error)
	// PushSyncState tells the end of a run; telling it twice is harmless.
	PushSyncState(ctx context.Context, state magento.SyncState) error
}

// Ledger is what the jobs ask of a provider. Every error is or wraps a
// provider.Failure, which says what became of the write apart from why it failed.
type Ledger interface {
	// Reference reads what a policy may refer to; a part that the provider does
	// not offer stays nil.
	Reference(ctx context.Context) (provider.Reference, error)
	// Recheck answers ref with the part read anew that a hold reason is about, in a
	// call or none.
	Recheck(ctx context.Context, ref provider.Reference, reason string) (provider.Reference, error)
	// EnsureContacts answers the ids of the buyers' contacts, in the order of set,
	// and creates those that are not there. It never makes a second one.
	EnsureContacts(ctx context.Context, set []provider.Item[policy.Buyer]) []provider.Outcome[string]
	// Document is pure: the body that would be posted and its predicted totals,
	// or a Held failure where it must not be.
	Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error)
	// EnsureInvoices creates the documents, and answers what became of each in the
	// order of set. Where a try is Uncertain, or a number is taken, it looks the
	// document up and adopts it if it is ours.
	EnsureInvoices(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted]
	// CreditNote is Document for a credit memo.
	CreditNote(memo canon.CreditMemo, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error)
	// EnsureCreditNotes is EnsureInvoices for credit notes.
	EnsureCreditNotes(ctx context.Context, set []provider.Item[provider.Document]) []provider.Outcome[provider.Posted]
	// Day is the organisation's day at that time, YYYY-MM-DD.
	Day(at time.Time, ref provider.Reference) string
	// Payment and Allocation are pure: the value with the body that is sent for its
	// whole amount, or a Held failure where it must not be.
	Payment(p provider.Payment, ref provider.Reference) (provider.Payment, error)
	Allocation(a provider.Allocation) (provider.Allocation, error)
	// These look first, whatever Try says, and write what is missing; where nothing is
	// open to write against, the outcome is Settled.
	EnsurePayments(ctx context.Context, set []provider.Item[provider.Payment]) []provider.Outcome[provider.Posted]
	EnsureAllocations(ctx context.Context, set []provider.Item[provider.Allocation]) []provider.Outcome[provider.Posted]
	// UpdateContacts writes what the shop knows of contacts that exist, and blanks
	// nothing. It answers their ids: another one, with Merged, where a person merged
	// it.
	UpdateContacts(ctx context.Context, set []provider.Item[policy.ContactUpdate]) []provider.Outcome[provider.Posted]
	// InvoicesByNumber are invoices as they stand, by the number asked for.
	InvoicesByNumber(ctx context.Context, numbers []string) (map[string]provider.Standing, error)
	// Item is pure; EnsureItems creates or updates.
	Item(product canon.Product, pol policy.Policy, ref provider.Reference) (provider.CatalogItem, error)
	EnsureItems(ctx context.Context, set []provider.Item[provider.CatalogItem]) []provider.Outcome[provider.Posted]
	// BatchSize is how many documents one call takes.
	BatchSize() int
}

// Config is what the workers stand on.
type Config struct {
	// Pool serves the workers' own transactions; River has another.
	Pool  *pgxpool.Pool
	Shops func(tenant dbsqlc.Tenant) (Shop, error)
	// Ledgers makes the client of a binding's provider; permit is asked before each
	// of its calls.
	Ledgers func(binding dbsqlc.Binding, permit provider.Permit) (Ledger, error)
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	Now     func() time.Time
	// Alive reports whether this process may begin a write at a ledger; see
	// Process.Alive. Nil means always.
	Alive func() bool
	// Progress counts the attempts that begin; nil: nobody asks.
	Progress *Progress
	// BaseURL is where people reach this Towpath; documents link back to it.
	BaseURL string
	// Workers is how many jobs of each kind run at once in this process.
	Workers int
	// SoftStop is how long running jobs may finish at a stop before they are
	// given back.
	SoftStop time.Duration
	// Limits are what a binding may call. Default: what its provider allows.
	Limits quota.Limits
	// FirstDelay is the wait after a first failed attempt; it doubles from there
	// up to an hour. Default a second.
	FirstDelay time.Duration
}

// pipeline is what all workers share.
type pipeline struct {
	Config
	who     string
	queries *dbsqlc.Queries
	ends    *ends
	intents *intents
	lookups *lookups
	// silent are the partitions whose calls have timed out in this process, as keys of
	// circuits, until one is answered.
	silent sync.Map
}

// runURL is the page of a run, for documents to link back to.
func (p *pipeline) runURL(id uuid.UUID) string {
	if p.BaseURL == "" {
		return ""
	}
	return p.BaseURL + "/dashboard/sync/" + id.String()
}
