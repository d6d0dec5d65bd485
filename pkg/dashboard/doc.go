// Package dashboard shows the runs and the connections to the people who run
// Towpath: server-made pages, no build step, nothing loaded from elsewhere.
//
//	GET  /dashboard                           goes to /dashboard/sync
//	GET  /dashboard/sync                      the runs, newest first, filtered, page by page
//	GET  /dashboard/sync/{id}                 one run: what it waits for, its history, its documents
//	POST /dashboard/sync/{id}/retry           an operator's retry; a repeat finds nothing to do
//	GET  /dashboard/connections               the bindings: what works, what a person must do, what waits
//	POST /dashboard/connections/{id}/connect  connects, or leads to the consent; a repeat does it again
//	GET  /dashboard/gaps                      numbers that did not come, and shops quieter than usual
//	GET  /dashboard/static/{file}             style sheet, script, icon
//
// guard.go decides who may see them, words.go and standing.go say in plain words
// what a run waits for and where a connection stands. The pages only read, outside
// of any transaction; what changes something is handed in as Config.Retry and
// Config.Connect.
package dashboard
