package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// versionView is what --version says: what the Go toolchain stamped into the
// binary. Fields are empty where it stamped nothing (-buildvcs=false).
type versionView struct {
	Version  string `json:"version"`  // of the tag, made up of the commit, or (devel)
	Revision string `json:"revision"` // the commit
	Time     string `json:"time"`     // of the commit, RFC 3339
	Modified bool   `json:"modified"` // the tree had changes that are in no commit
	Go       string `json:"go_version"`
}

func built() versionView {
	v := versionView{Version: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.time":
			v.Time = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

// version is what the log and the pages call this program.
func version() string {
	v := built()
	return strings.TrimSpace(v.Version + " " + v.Revision)
}

// String is --version's line.
func (v versionView) String() string {
	said := []string{}
	if v.Revision != "" {
		changed := ""
		if v.Modified {
			changed = ", with changes"
		}
		said = append(said, "commit "+v.Revision+" of "+v.Time+changed)
	}
	return fmt.Sprintf("towpath %s (%s)", v.Version, strings.Join(append(said, v.Go), "; "))
}

// versionAsked reports whether the command line is --version, and whether with --json.
// The parser cannot have it: a flag --json of all commands would be each one's twice.
func versionAsked(args []string) (asked, asJSON bool) {
	others := slices.ContainsFunc(args, func(arg string) bool { return arg != "--version" && arg != "--json" })
	return !others && slices.Contains(args, "--version"), slices.Contains(args, "--json")
}

func printVersion(io console, asJSON bool) error {
	if asJSON {
		return printJSON(io.out, built())
	}
	_, err := fmt.Fprintln(io.out, built())
	return err
}
