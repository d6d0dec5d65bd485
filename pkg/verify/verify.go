// Package verify checks Towpath's promises on a database: each is a query that finds
// what breaks it. It reads only.
package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/pgdb"
)

// Promise is one check: a query that finds what breaks it. Where it has $1, it looks
// at what has to do with runs received since then; else it is about now, and has no time.
type Promise struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	query string
}

// Finding is the answer to one promise.
type Finding struct {
	Promise
	Broken  int64    `json:"broken"`
	Samples []string `json:"samples"`
	// Blanked is how many it did not compare, since their documents were blanked.
	Blanked int64 `json:"blanked,omitempty"`
	// Error is why it could not be checked; then nothing is known of it.
	Error string `json:"error,omitempty"`
}

// Promises are read-only and each answers the ids of what breaks it.
func Promises() []Promise {
	return []Promise{
		{"queue_state", "runs and their jobs agree",
			`SELECT coalesce(run_id::text, 'job ' || job_id) || ': ' || problem FROM run_queue_mismatch`},
		{"told", "every run that ended is told to the shop, or its job is on the way, or it was given up after all attempts",
			`SELECT id::text FROM sync_runs WHERE finished_at IS NOT NULL AND shop_told IS NULL AND received_at >= $1`},
		{"one_document", "no two invoices have the same document, whichever shops of the organisation they are of",
			`SELECT 'document ' || min(r.provider_reference) || ' is of ' || string_agg('run ' || r.id || ' (' || t.name || ')', ' and ' ORDER BY r.finished_at, r.id)
			 FROM sync_runs r JOIN bindings b ON b.id = r.binding_id JOIN tenants t ON t.id = r.tenant_id
			 WHERE r.status = 'succeeded' AND r.event = 'invoice.created'
			 GROUP BY b.provider, b.org_key, r.provider_entity_id 
			 HAVING count(DISTINCT (r.tenant_id, r.magento_entity_id)) > 1 AND max(r.received_at) >= $1`},
		{"one_customer", "no two customers whose e-mail and name differ are booked on one contact, unless a person merged theirs",
			`WITH known AS (
			   SELECT x.provider, x.org_key, x.provider_id, x.tenant_id, x.shop_id, t.name AS shop,
			     lower(trim(r.canonical #>> '{customer,email}')) AS email,
			     lower(trim(concat_ws(' ', r.canonical #>> '{customer,first_name}', r.canonical #>> '{customer,last_name}'))) AS person,
			     lower(trim(r.canonical #>> '{customer,company}')) AS company
			   FROM entity_xref x JOIN sync_runs r ON r.id = x.run_id JOIN tenants t ON t.id = x.tenant_id
			   WHERE x.entity_type = 'contact' AND x.shop_id <> 'web-sales' AND NOT x.merged AND r.blanked_at IS NULL
			     AND EXISTS (SELECT 1 FROM entity_xref n JOIN sync_runs nr ON nr.id = n.run_id WHERE n.provider = x.provider AND n.org_key = x.org_key
			       AND n.provider_id = x.provider_id AND n.entity_type = 'contact' AND nr.received_at >= $1))
			 SELECT 'contact ' || a.provider_id || ' is of customer ' || a.shop_id || ' (' || a.shop || ') and ' || b.shop_id || ' (' || b.shop || ')'
			 FROM known a JOIN known b USING (provider, org_key, provider_id)
			 WHERE (a.tenant_id, a.shop_id) < (b.tenant_id, b.shop_id)
			   AND a.email IS DISTINCT FROM b.email
			   AND a.person IS DISTINCT FROM b.person
			   AND coalesce(nullif(a.company, '') <> nullif(b.company, ''), true)`},
		{"own_contact", "every document is booked on a contact that its own shop knows",
			`SELECT 'run ' || r.id || ' on contact ' || (r.document ->> 'contact_id') FROM sync_runs r JOIN bindings b ON b.id = r.binding_id
			 WHERE r.status = 'succeeded' AND r.event = 'invoice.created' AND r.received_at >= $1 AND r.document ->> 'contact_id' <> ''
			   AND EXISTS (SELECT 1 FROM entity_xref x WHERE x.provider = b.provider AND x.org_key = b.org_key
			     AND x.entity_type = 'contact' AND x.provider_id = r.document ->> 'contact_id')
			   AND NOT EXISTS (SELECT 1 FROM entity_xref x WHERE x.provider = b.provider AND x.org_key = b.org_key
			     AND x.entity_type = 'contact' AND x.provider_id = r.document ->> 'contact_id' AND x.tenant_id = r.tenant_id)`},
		{"one_number", "no run may have written one invoice under two numbers",
			`SELECT i.run_id::text FROM provider_intents i JOIN sync_runs r ON r.id = i.run_id
			 WHERE i.operation = 'invoice' AND NOT i.certain AND r.received_at >= $1
			 GROUP BY i.run_id HAVING count(*) > 1`},
		{"xref", "every invoice that was posted is known by its provider id",
			`SELECT r.id::text FROM sync_runs r JOIN bindings b ON b.id = r.binding_id
			 WHERE r.status = 'succeeded' AND r.event = 'invoice.created' AND r.received_at >= $1 AND NOT EXISTS (SELECT 1 FROM entity_xref x
			   WHERE x.tenant_id = r.tenant_id AND x.provider = b.provider AND x.org_key = b.org_key AND x.entity_type = 'invoice' AND NOT x.disputed
			   AND x.shop_id = r.magento_entity_id::text AND x.provider_id = r.provider_entity_id)`},
		{"exact_totals", "every posted document comes to the shop's grand_total, by its own answer too",
			// Of a run that was blanked the search still has the shop's total.
			`SELECT id::text FROM sync_runs r WHERE status = 'succeeded' AND event = 'invoice.created' AND received_at >= $1
			 AND (variance ? 'total' OR (document -> 'body') <> 'null'::jsonb
			   -- The shop's amounts have four decimals beneath their noise, the ledger's two.
			   AND (document ->> 'total')::numeric <> round(round(coalesce(canonical ->> 'grand_total',
			     (SELECT s.amount FROM run_search s WHERE s.run_id = r.id AND s.amount ~ '^-?[0-9]+(\.[0-9]+)?$'))::numeric, 4), 2))`},
		{"intents", "no run that ended leaves a write open",
			`SELECT i.run_id::text FROM provider_intents i JOIN sync_runs r ON r.id = i.run_id
			 WHERE i.settled_at IS NULL AND r.finished_at IS NOT NULL AND r.received_at >= $1`},
	}
}

// blanked are, by promise, queries that count what it cannot compare any more.
func blanked() map[string]string {
	return map[string]string{
		"one_customer": `SELECT count(*) FROM entity_xref x JOIN sync_runs r ON r.id = x.run_id
			WHERE x.entity_type = 'contact' AND x.shop_id <> 'web-sales' AND r.blanked_at IS NOT NULL AND r.received_at >= $1`,
	}
}

// Look is what is checked.
type Look struct {
	// Since narrows it to runs received since; the zero time is all of them.
	Since time.Time
	// Progress is told before each promise is checked, the first one being 1; nil: nobody
	// watches.
	Progress func(n, of int, p Promise)
}

// Check checks every promise in one snapshot.
func (l Look) Check(ctx context.Context, pool *pgxpool.Pool) ([]Finding, error) {
	var findings []Finding
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		promises := Promises()
		for i, p := range promises {
			if l.Progress != nil {
				l.Progress(i+1, len(promises), p)
			}
			found, err := p.check(ctx, tx, l.Since)
			if err != nil {
				return err
			}
			findings = append(findings, found)
		}
		return nil
	})
	return findings, err
}

// Check checks one promise in a transaction of its own; the zero time is all runs.
func (p Promise) Check(ctx context.Context, pool *pgxpool.Pool, since time.Time) (found Finding, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		found, err = p.check(ctx, tx, since)
		return err
	})
	return found, err
}

// check asks one promise. Where that cannot be done its finding says so, and the others
// go on.
func (p Promise) check(ctx context.Context, tx pgx.Tx, since time.Time) (Finding, error) {
	var args []any
	if strings.Contains(p.query, "$1") {
		args = append(args, since)
	}
	var ids []string
	found := Finding{Promise: p}
	failed := pgx.BeginFunc(ctx, tx, func(part pgx.Tx) error {
		rows, err := part.Query(ctx, p.query, args...)
		if err != nil {
			return err
		}
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		if unseen, ok := blanked()[p.Name]; ok {
			return part.QueryRow(ctx, unseen, since).Scan(&found.Blanked)
		}
		return nil
	})
	if ctx.Err() != nil || tx.Conn().IsClosed() || pgdb.IsOldSchema(failed) {
		return Finding{}, fmt.Errorf("check %s: %w", p.Name, failed)
	}
	if failed != nil {
		return Finding{Promise: p, Samples: []string{}, Error: failed.Error()}, nil
	}
	found.Broken, found.Samples = int64(len(ids)), append([]string{}, ids[:min(len(ids), 10)]...)
	return found, nil
}
