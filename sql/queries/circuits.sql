-- A call timed out: the third in a row opens the circuit. What times out while it is
-- open (calls that were under way, and probes) changes the words only.
-- name: CircuitFail :one
INSERT INTO circuits AS circuit (key, reason, message, opened_at, probe_at)
VALUES (@key, @reason, @message,
    CASE WHEN @opens_at::int <= 1 THEN clock_timestamp() END, CASE WHEN @opens_at <= 1 THEN clock_timestamp() + interval '5 seconds' END)
ON CONFLICT (key) DO UPDATE
SET failures = circuit.failures + 1,
    reason = excluded.reason,
    message = excluded.message,
    failed_at = clock_timestamp(),
    opened_at = coalesce(circuit.opened_at, CASE WHEN circuit.failures + 1 >= @opens_at THEN clock_timestamp() END),
    probe_at = coalesce(circuit.probe_at, CASE WHEN circuit.failures + 1 >= @opens_at THEN clock_timestamp() + interval '5 seconds' END)
RETURNING (circuit.opened_at IS NOT NULL)::boolean AS is_open, circuit.failures;

-- It answers again.
-- name: CircuitClose :execrows
DELETE FROM circuits
WHERE key = @key;

-- name: CircuitGet :one
SELECT *, (opened_at IS NOT NULL)::boolean AS is_open, coalesce(probe_at <= clock_timestamp(), false)::boolean AS due
FROM circuits
WHERE key = @key;

-- Open circuits among these keys, for pages.
-- name: CircuitOpenList :many
SELECT *
FROM circuits
WHERE key = ANY (@keys::text[])
    AND opened_at IS NOT NULL
ORDER BY opened_at, key;

-- A probe that made no call (its run had to wait for another one, its process stops)
-- leaves its place to the next at once.
-- name: CircuitProbeAgain :exec
UPDATE circuits
SET probe_at = clock_timestamp(), probes = greatest(probes - 1, 0)
WHERE key = @key
    AND opened_at IS NOT NULL;

-- An identity server answers again: so may the ledgers whose tokens it gives out.
-- name: CircuitProbeAgainOf :exec
UPDATE circuits
SET probe_at = clock_timestamp()
WHERE reason = @reason
    AND opened_at IS NOT NULL;

-- The right to be the probe of an identity server; no row for all others. The next has
-- it no sooner than this one's call can take, also where its process dies.
-- name: CircuitProbe :execrows
UPDATE circuits
SET probes = probes + 1,
    probe_at = clock_timestamp() + greatest(make_interval(secs => @call_seconds::float8),
        least(interval '2 minutes', interval '5 seconds' * power(2, least(probes, 10))))
WHERE key = @key
    AND opened_at IS NOT NULL
    AND probe_at <= clock_timestamp();
