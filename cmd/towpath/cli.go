package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath/pkg/audit"
	"towpath/pkg/foreign"
	"towpath/pkg/pgdb"
	"towpath/pkg/provider/specs"
	"towpath/pkg/systemd"
)

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitWrong  = 2 // of doctor: something does not work
	exitUnseen = 3 // of verify: it could not look, and found nothing broken
)

// console is what a command touches of the process around it.
type console struct {
	out, err io.Writer
	in       io.Reader
	lookup   func(string) (string, bool)
	names    func() []string // of the variables that are set
	readFile func(string) ([]byte, error)
	manager  *systemd.Manager // never nil
	// terminal shows a line that is written over and over; nil where nobody watches.
	terminal io.Writer
	// level is the log's, which may change while serve runs; nil: nobody changes it.
	level *slog.LevelVar
	// asked says that a person answers at in.
	asked bool
	// readSecret asks that person for what is not shown; nil where nobody is asked.
	readSecret func(ctx context.Context, prompt string) (string, error)
}

// warn says what did not stop the command and a person should know.
func (c console) warn(format string, args ...any) {
	fmt.Fprintf(c.err, "towpath: warning: "+format+"\n", args...)
}

// commands is the whole command line; one file per command has the rest.
type commands struct {
	Version kong.VersionFlag `help:"Print the version, its commit and when that was made; with --json as an object."`

	Demo       demoCommand       `cmd:"" help:"Everything on this machine in one go: private Postgres, Towpath, a simulated shop and a simulated Xero."`
	Serve      serveCommand      `cmd:"" help:"Serve webhooks, work the queue and show the dashboard."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the database's schema up to this program."`
	Tenant     tenantCommand     `cmd:"" help:"Paired shops."`
	Binding    bindingCommand    `cmd:"" help:"A tenant's accounts at providers, and their policies."`
	User       userCommand       `cmd:"" help:"Who may use the pages, and what they may do there."`
	Audit      auditCommand      `cmd:"" help:"Who changed what."`
	Secrets    secretsCommand    `cmd:"" help:"What seals the secrets in the database."`
	Runs       runsCommand       `cmd:"" help:"Events on their way: list, show, retry, cancel."`
	Backfill   backfillCommand   `cmd:"" help:"Ask the shop for what Towpath has not heard of, by its ids; what is known already adds nothing."`
	Gaps       gapsCommand       `cmd:"" help:"What should have come from the shops and did not: missing numbers, and shops that are quieter than usual."`
	Restored   restoredCommand   `cmd:"" help:"Times that the database went back in time, by a restore from a backup, and what of the shops it forgot."`
	Explain    explainCommand    `cmd:"" help:"What would be written for a document of the shop or a stored run, and why. Writes nothing."`
	WhatIf     whatIfCommand     `cmd:"" name:"what-if" help:"Which stored documents would come out differently under other settings, line by line. Writes nothing."`
	Verify     verifyCommand     `cmd:"" help:"Read-only checks of Towpath's promises on this database; exit code 1 names what is broken, 3 says that it could not look."`
	Health     healthCommand     `cmd:"" help:"Whether the serve of this machine is ready: what a container's health check asks. Exit code 1: it is not."`
	Doctor     doctorCommand     `cmd:"" help:"Whether all around Towpath is well, and what to do where it is not."`
	Monitoring monitoringCommand `cmd:"" help:"What watches Towpath: alert rules for Prometheus, a runbook for each, a dashboard for Grafana."`
	Prune      pruneCommand      `cmd:"" help:"Blank what is personal of runs that ended long ago, as retention does by itself."`
	Forget     forgetCommand     `cmd:"" help:"What is stored of a person, by e-mail; blanks it on request, and says what stays and why."`
	Notify     notifyCommand     `cmd:"" help:"Who is told what needs a person: TOWPATH_NOTIFY_WEBHOOK_URL, TOWPATH_NOTIFY_SMTP_URL."`
	Config     configCommand     `cmd:"" help:"The settings of this installation."`
	Completion completionCommand `cmd:"" help:"The script by which a shell completes towpath's commands, flags and their values."`
	Man        manCommand        `cmd:"" hidden:"" help:"The manual page."`
	Bench      benchCommand      `cmd:"" help:"The measurements of docs/performance.md, beside the machine's own limit in the same run."`
	Soak       soakCommand       `cmd:"" help:"Simulated shops and a simulated ledger against this program for a while, through kills and crashes; ends with what a checker found. Exit code 1: something is broken."`
}

// usageError is a wrong use of the command line or a missing setting.
type usageError struct{ error }

// Unwrap is what is wrong.
func (e usageError) Unwrap() error { return e.error }

func wrongUse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSilent ends a command with exit code 1; what is wrong has been printed.
var errSilent = errors.New("failed")

// output remembers the first error of writing to it: most commands print and go on.
type output struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.to.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// checked is the exit code: of what was done and could not be told (a full disk), failed.
func (o *output) checked(code int, stderr io.Writer) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if code != exitDone || o.err == nil {
		return code
	}
	fmt.Fprintln(stderr, "towpath: write the output:", o.err)
	return exitFailed
}

// run is the program: a test calls it as main does.
func run(ctx context.Context, args []string, io console) (code int) {
	// Rows of older versions, and whatever slipped through, hold others' words.
	out := &output{to: io.out}
	io.out, io.err = foreign.Writer(out), foreign.Writer(io.err)
	defer func() { code = out.checked(code, io.err) }()
	ctx = audit.As(ctx, io.who())
	if asked, asJSON := versionAsked(args); asked {
		return exitCode(printVersion(io, asJSON), io.err)
	}
	io.level = new(slog.LevelVar)
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("towpath"),
		kong.Description("Carries Magento invoices into Xero on nothing but Postgres."),
		kong.Writers(io.out, io.err),
		variables(),
		kong.Exit(func(code int) { exited = code; panic(helpShown{}) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(io),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(io.err, "towpath:", err)
		return exitFailed
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helpShown); !ok {
				panic(p)
			}
			code = exited
		}
	}()
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(io.err, "towpath: %v\nRun \"towpath %s--help\" for its use.\n", err, commandOf(err))
		return exitUsage
	}
	err = parsed.Run(ctx, io)
	if err != nil && ctx.Err() != nil && !errors.Is(err, errSilent) {
		fmt.Fprintln(io.err, "towpath: interrupted") // err says only what that broke off
		return failed(err)
	}
	return exitCode(err, io.err)
}

// variables are what the commands' tags name.
func variables() kong.Vars {
	return kong.Vars{"version": built().String(), "providers": strings.Join(specs.Names(), ",")}
}

// helpShown unwinds the parser after --help.
type helpShown struct{}

func exitCode(err error, out io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.Is(err, errWrong):
		return exitWrong
	case errors.Is(err, errNotLooked):
		return exitUnseen
	case errors.As(err, &usage):
		for line := range strings.Lines(err.Error()) { // several settings may be refused
			fmt.Fprintln(out, "towpath:", strings.TrimRight(line, "\n"))
		}
		return exitUsage
	}
	fmt.Fprintln(out, "towpath:", err)
	if pgdb.IsOldSchema(err) {
		fmt.Fprintln(out, "The database's schema is not this program's: \"towpath migrate up\" brings it up, if the database is Towpath's or empty.")
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" {
		fmt.Fprintln(out, "The role of DATABASE_URL may not do that: use the one that owns Towpath's tables.")
	}
	return failed(err)
}

// failed is the exit code of what failed. Of verify it means that something is broken, so
// that it could not look has its own.
func failed(err error) int {
	var unseen lookError
	if errors.As(err, &unseen) {
		return exitUnseen
	}
	return exitFailed
}

// counted is "1 run", "2 runs".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// commandOf is the command that a parse error is about, with a blank behind it.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if path := parse.Context.Command(); path != "" {
			return strings.Split(path, " <")[0] + " "
		}
	}
	return ""
}

// printed is what a command that prints data takes.
type printed struct {
	JSON bool `help:"Print JSON: one object, or an array of objects."`
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printList prints rows of the database as JSON views or as a table.
func printList[T, V any](io console, asJSON bool, list []T, view func(T) V, headings []string, row func(T) []string) error {
	views, rows := []V{}, [][]string{}
	for _, one := range list {
		views, rows = append(views, view(one)), append(rows, row(one))
	}
	if asJSON {
		return printJSON(io.out, views)
	}
	return printTable(io.out, headings, rows)
}

// printTable prints rows under upper-case headings.
func printTable(out io.Writer, headings []string, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(headings, "\t")))
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, foreign.Text(cell, 2*foreign.Kept)) // one line, whatever a row of an older version holds
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
