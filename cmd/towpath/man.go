package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"towpath/pkg/manpage"
)

type manCommand struct{}

// Help says what it is for.
func (manCommand) Help() string {
	return "For packages: towpath man >towpath.1. It is made of what this program knows of its commands."
}

// Run prints the manual page.
func (manCommand) Run(parsed *kong.Context, io console) error {
	v := built()
	date := "1970-01-01" // of a build of no commit
	if at, err := time.Parse(time.RFC3339, v.Time); err == nil {
		date = at.UTC().Format(time.DateOnly)
	}
	_, err := fmt.Fprint(io.out, manpage.Page(parsed.Model, date, "towpath "+v.Version, []manpage.Section{
		{Title: "Environment", Body: environmentPage()},
		{Title: "Files", Body: manpage.Entry("/etc/towpath/towpath.env", "The settings of the service, one NAME=value a line.") +
			manpage.Entry("/etc/towpath/credentials/", "The secrets of the service, one file each: secret_key, admin_password, database_url. Readable by root alone; systemd hands them to the service.")},
		{Title: "Exit status", Body: manpage.Entry("0", "Done.") + manpage.Entry("1", "Failed.") + manpage.Entry("2", "Wrong use; of doctor: something does not work.") +
			manpage.Entry("3", "Of verify: it could not look, and found nothing broken.")},
		{Title: "See also", Body: manpage.Text("/usr/share/doc/towpath/docs/: install.md, operating.md and reference.md.\nsystemctl(1), systemd.exec(5)")},
	}))
	return err
}

// environmentPage are the settings that config check shows.
func environmentPage() string {
	var out strings.Builder
	out.WriteString(manpage.Text("Flags win over variables, a variable over its twin with _FILE, whose file holds the value, and that over a credential of systemd's. reference.md says what each means; towpath config check what is in effect."))
	for _, s := range settings() {
		meaning := "Needed."
		if s.Value != "" {
			meaning = "Default: " + s.Value + "."
		}
		out.WriteString(manpage.Entry(s.Name+", "+s.Name+"_FILE", meaning))
	}
	return out.String()
}
