-- The budget that a binding's calls count in: its organisation's, whoever writes to
-- that; its own as long as its organisation is not known, when org_key is the
-- address alone.
CREATE OR REPLACE FUNCTION call_budget_key(binding bindings) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN binding.org_key LIKE '%#' THEN binding.id::text ELSE binding.provider || '/' || binding.org_key END
$$;
