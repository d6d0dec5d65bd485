package sql_test

// catalogQueries ask the server for one kind of object each. Ours are all that
// is in no schema of the system's, without the list of migrations. River's own
// are compared too, since something of ours may be among them.
var catalogQueries = map[string]string{
	"schema": `
		SELECT nspname
		FROM pg_namespace
		WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'`,

	"extension": `SELECT extname FROM pg_extension`,

	"relation": `
		SELECT concat_ws(' ', c.oid::regclass, c.relkind, c.relpersistence, c.reloptions, c.relrowsecurity, c.relacl,
			obj_description(c.oid, 'pg_class'))
		FROM pg_class AS c` + ofOurs("c.relnamespace") + `
			AND c.relname NOT LIKE 'schema\_migrations%'`,

	"column": `
		SELECT concat_ws(' ', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
			CASE WHEN a.attnotnull THEN 'not null' END, pg_get_expr(d.adbin, d.adrelid),
			nullif(a.attidentity, ''), nullif(a.attgenerated, ''), nullif(a.attcollation, 0)::regcollation,
			col_description(c.oid, a.attnum))
		FROM pg_attribute AS a
		JOIN pg_class AS c ON c.oid = a.attrelid
		LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum` + ofOurs("c.relnamespace") + `
			AND a.attnum > 0 AND NOT a.attisdropped
			AND c.relkind IN ('r', 'v', 'm', 'p', 'c')
			AND c.relname <> 'schema_migrations'`,

	"constraint": `
		SELECT concat_ws(' ', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated,
			obj_description(k.oid, 'pg_constraint'))
		FROM pg_constraint AS k` + ofOurs("k.connamespace") + `
			AND k.conrelid IS DISTINCT FROM to_regclass('public.schema_migrations')
			AND k.contype <> 't'`,

	"index": `
		SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, obj_description(i.indexrelid, 'pg_class'))
		FROM pg_index AS i
		JOIN pg_class AS c ON c.oid = i.indrelid` + ofOurs("c.relnamespace") + `
			AND c.relname <> 'schema_migrations'`,

	"view": `
		SELECT concat_ws(' ', c.oid::regclass, pg_get_viewdef(c.oid))
		FROM pg_class AS c` + ofOurs("c.relnamespace") + `
			AND c.relkind IN ('v', 'm')`,

	"function": `
		SELECT concat_ws(' ', pg_get_functiondef(p.oid), p.proacl, obj_description(p.oid, 'pg_proc'))
		FROM pg_proc AS p` + ofOurs("p.pronamespace") + `
			AND p.prokind IN ('f', 'p')`,

	"trigger": `
		SELECT concat_ws(' ', pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger'))
		FROM pg_trigger
		WHERE NOT tgisinternal`,

	"type": `
		SELECT concat_ws(' ', t.oid::regtype, t.typtype,
			(SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid),
			nullif(t.typbasetype, 0)::regtype, obj_description(t.oid, 'pg_type'))
		FROM pg_type AS t` + ofOurs("t.typnamespace") + `
			AND t.typtype IN ('e', 'd', 'r')`,

	"sequence": `
		SELECT concat_ws(' ', s.seqrelid::regclass, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle)
		FROM pg_sequence AS s
		JOIN pg_class AS c ON c.oid = s.seqrelid` + ofOurs("c.relnamespace"),
}

// ofOurs is the condition that a schema's id names no schema of the system's.
func ofOurs(schemaID string) string {
	return `
		WHERE ` + schemaID + ` IN (
			SELECT oid
			FROM pg_namespace
			WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
		)`
}
