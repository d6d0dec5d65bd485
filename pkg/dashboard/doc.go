// Package dashboard shows the runs to the people who run Towpath: server-made
// pages, no build step, nothing loaded from elsewhere.
//
//	GET  /dashboard                  goes to /dashboard/sync
//	GET  /dashboard/sync             the runs, newest first, filtered, page by page
//	GET  /dashboard/sync/{id}        one run: what it waits for, its history, its documents
//	POST /dashboard/sync/{id}/retry  an operator's retry; a repeat finds nothing to do
//	GET  /dashboard/static/{file}    style sheet, script, icon
//
// guard.go decides who may see them, words.go says in plain words what a run
// waits for. The pages only read, outside of any transaction; what changes a run
// is handed in as Config.Retry.
package dashboard
