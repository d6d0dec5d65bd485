-- Whether a step of a run's history says only what Towpath itself says of any run: the rest
-- may quote a shop or a ledger, and so name a person. Blanking a run keeps the former.
CREATE OR REPLACE FUNCTION towpath_own_words(event sync_run_events)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT event.why IN ('', 'blanked')
        OR event.step IN ('accept', 'intend', 'retry', 'settings', 'blank')
        OR event.why ~ '^(canonical stored|skipped: [A-Za-z_]+$|looks again|released|posted [!-~]+$|adopted [!-~]+, which was there already$|the shop was told|the shop is told|due again|given back|given up after all attempts|cancelled by an operator|its job was deleted)'
$$;
