// Package manpage writes a program's manual page, in the macros of man(7), out of kong's
// model of its command line, so that it knows what the program knows.
package manpage

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// Section is what stands behind the commands: text as man(7) has it, made by Entry and
// Text.
type Section struct{ Title, Body string }

// Page is the manual page of a command line. date is of what it describes, 2006-01-02;
// source the program and its version.
func Page(model *kong.Application, date, source string, behind []Section) string {
	var out strings.Builder
	name := model.Name
	fmt.Fprintf(&out, ".\\\" Made by: %s man\n", name)
	fmt.Fprintf(&out, ".TH %s 1 %s \"%s\" \"User Commands\"\n", strings.ToUpper(name), date, escaped(source))
	fmt.Fprintf(&out, ".SH NAME\n%s \\- %s\n", name, escaped(lowered(strings.TrimSuffix(model.Help, "."))))
	fmt.Fprintf(&out, ".SH SYNOPSIS\n.B %s\n.I command\n.RI [ flags ]\n", name)
	out.WriteString(".SH COMMANDS\n")
	for _, leaf := range model.Leaves(true) {
		command(&out, name, leaf)
	}
	for _, s := range behind {
		fmt.Fprintf(&out, ".SH %s\n%s", strings.ToUpper(s.Title), s.Body)
	}
	return out.String()
}

// command writes one of them, with the flags that are its own.
func command(out *strings.Builder, name string, node *kong.Node) {
	words := []string{}
	for _, at := range strings.Fields(strings.TrimPrefix(node.FullPath(), name)) {
		words = append(words, escaped(at))
	}
	for _, positional := range node.Positional {
		words = append(words, "\\fI"+escaped(positional.Summary())+"\\fR\\fB")
	}
	fmt.Fprintf(out, ".SS \"\\fB%s %s\\fR\"\n", name, strings.Join(words, " "))
	out.WriteString(Text(node.Help))
	if node.Detail != "" {
		out.WriteString(".PP\n" + Text(node.Detail))
	}
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if f.Name == "help" || f.Name == "version" {
				continue
			}
			term := "\\fB\\-\\-" + escaped(f.Name) + "\\fR"
			if !f.IsBool() {
				term += "=\\fI" + escaped(strings.Trim(f.FormatPlaceHolder(), `"`)) + "\\fR"
			}
			out.WriteString(".TP\n" + term + "\n" + Text(f.Help))
		}
	}
}

// Entry is a term and what it means.
func Entry(term, meaning string) string {
	return ".TP\n\\fB" + escaped(term) + "\\fR\n" + Text(meaning)
}

var blank = regexp.MustCompile(`\n\s*\n`)

// Text is prose: an empty line ends a paragraph, a line that is indented stands as it is.
func Text(text string) string {
	var out strings.Builder
	for i, paragraph := range blank.Split(strings.TrimSpace(strings.ReplaceAll(text, "$$", "$")), -1) {
		if i > 0 {
			out.WriteString(".PP\n")
		}
		asIs := false
		for _, line := range strings.Split(paragraph, "\n") {
			if indented := strings.HasPrefix(line, " "); indented != asIs {
				out.WriteString(map[bool]string{true: ".PP\n.nf\n", false: ".fi\n.PP\n"}[indented])
				asIs = indented
			}
			out.WriteString(escaped(strings.TrimRight(line, " ")) + "\n")
		}
		if asIs {
			out.WriteString(".fi\n")
		}
	}
	return strings.ReplaceAll(out.String(), ".PP\n.PP\n", ".PP\n")
}

// escaped is text without what troff would take for its own.
func escaped(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func lowered(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
