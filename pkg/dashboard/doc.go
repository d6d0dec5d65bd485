// Package dashboard shows the runs and the connections to the people who run
// Towpath: server-made pages, no build step, nothing loaded from elsewhere.
//
// routes.go is the table of the pages: who may see each, and what a repeat of a
// button does. guard.go decides who somebody is, words.go and standing.go say in
// plain words what a run waits for and where a connection stands. The pages only
// read, outside of any transaction; what changes something is handed in as
// Config.Retry, Config.Cancel and Config.Connect.
package dashboard
