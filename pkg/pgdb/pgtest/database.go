package pgtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// mostKept bounds the connections that wait for a database's next test.
const mostKept = 16

// database is one of the server's, in use by one test or by none.
type database struct {
	name, from string

	mu   sync.Mutex
	kept []*backend // idle, and as they were when they began
}

// take gives a kept connection that began with the same words, or nil.
func (db *database) take(began string) *backend {
	db.mu.Lock()
	defer db.mu.Unlock()
	for i := len(db.kept) - 1; i >= 0; i-- {
		b := db.kept[i]
		if b.began != began {
			continue
		}
		db.kept = slices.Delete(db.kept, i, i+1)
		if b.silent() && b.current() {
			return b
		}
		b.conn.Close()
	}
	return nil
}

// keep has a connection wait for the next that begins with the same words.
func (db *database) keep(b *backend) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.kept) == mostKept {
		db.kept[0].conn.Close()
		db.kept = db.kept[1:]
	}
	db.kept = append(db.kept, b)
}

// leave ends the kept connections.
func (db *database) leave() {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, b := range db.kept {
		b.conn.Close()
	}
	db.kept = nil
}

// emptied makes the database what its template is, and reports whether that is so: no
// other connection may be left, and no test may have changed a definition, a setting or
// a row that the migrations made. Such a database is not worth mending.
func (db *database) emptied() bool {
	if db.from != template || len(db.kept) == 0 {
		return false
	}
	b := db.kept[len(db.kept)-1]
	_ = b.conn.SetDeadline(time.Now().Add(patience))
	defer b.conn.SetDeadline(time.Time{})
	pids := make([]string, len(db.kept))
	for i, kept := range db.kept {
		pids[i] = strconv.FormatUint(uint64(kept.pid), 10)
	}
	others, err := b.ask(fmt.Sprintf(othersThere, strings.Join(pids, ",")))
	if err != nil || others != "0" {
		return false
	}
	if _, err := b.ask(fmt.Sprintf(emptying, shared.as.filled)); err != nil {
		return false
	}
	answer, err := b.ask(shared.as.question())
	return err == nil && answer == shared.as.answer
}

const othersThere = `SELECT count(*) FROM pg_stat_activity
	WHERE datname = current_database() AND backend_type = 'client backend' AND pid NOT IN (%s)`

// whichAreFilled lists the tables in which migrations leave rows.
const whichAreFilled = `SELECT coalesce(array_agg(oid::regclass::text ORDER BY oid::regclass::text), '{}')::text
	FROM pg_class
	WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'river'::regnamespace) AND pg_relation_size(oid) > 0`

// emptying truncates what has rows, so that nothing is left that a planner or a
// vacuum could see, and starts the sequences anew.
const emptying = `DO $$
DECLARE
	tables text;
BEGIN
	SET LOCAL lock_timeout = '5s';
	SET LOCAL session_replication_role = replica;
	SELECT string_agg(oid::regclass::text, ', ') INTO tables
	FROM pg_class
	WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'river'::regnamespace)
		AND pg_relation_size(oid) > 0 AND oid::regclass::text <> ALL ('%s'::text[]);
	IF tables IS NOT NULL THEN
		EXECUTE 'TRUNCATE ' || tables || ' CASCADE';
	END IF;
	PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL;
END $$`

// ownSettings counts the settings that a new connection would begin with.
const ownSettings = `SELECT count(*)::text FROM pg_db_role_setting
	WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`

// state is what a database looks like to question.
type state struct {
	filled string // an array of the tables in which the migrations left rows
	answer string
}

// question asks for all that a test could have changed beside rows of its own: xmin is
// the transaction that wrote a definition, and is copied with it.
func (s state) question() string {
	parts := []string{
		"(SELECT md5(string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid)) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_')",
		"(SELECT md5(string_agg(concat_ws(' ', oid, relname, relkind, relowner, relacl, reloptions, relhastriggers), ',' ORDER BY oid)) FROM pg_class WHERE oid >= 16384)",
		"(SELECT md5(string_agg(concat_ws(' ', attrelid, attnum, xmin), ',' ORDER BY attrelid, attnum)) FROM pg_attribute WHERE attrelid >= 16384)",
		"(SELECT concat_ws(' ', datallowconn, datconnlimit, datacl) FROM pg_database WHERE datname = current_database())",
		"(" + ownSettings + ")",
	}
	for _, catalog := range []string{"pg_attrdef", "pg_constraint", "pg_extension", "pg_proc", "pg_rewrite", "pg_statistic_ext", "pg_trigger", "pg_type"} {
		parts = append(parts, fmt.Sprintf("(SELECT md5(string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid)) FROM %s WHERE oid >= 16384)", catalog))
	}
	for _, table := range strings.Split(strings.Trim(s.filled, "{}"), ",") {
		if table != "" {
			parts = append(parts, fmt.Sprintf("(SELECT md5(string_agg(rows::text, ',' ORDER BY rows::text)) FROM %s AS rows)", table))
		}
	}
	return "SELECT concat_ws('|', " + strings.Join(parts, ", ") + ")"
}
