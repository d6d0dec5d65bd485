package completion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are those that there is a script for.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Script is the completion of a command line for one of Shells. values are what flags
// take, by their names, where the model does not say it.
func Script(shell string, model *kong.Application, values map[string][]string) (string, error) {
	root := read(model.Node, "", values)
	switch shell {
	case "bash":
		return bash(model.Name, root.all()), nil
	case "zsh":
		return zsh(model.Name, root.all()), nil
	case "fish":
		return fish(model.Name, root.all()), nil
	}
	return "", fmt.Errorf("no completion for %q; there is one for %s", shell, strings.Join(Shells(), ", "))
}

// command is one node of the command line.
type command struct {
	path     string // "/binding/policy", empty for the program
	name     string
	help     string
	children []command
	flags    []flag
	words    []string // what its first argument may be, where that is known
}

// flag is one flag of a command.
type flag struct {
	name   string // without dashes
	short  string // one letter, or none
	help   string
	what   string // what it takes, FILE; empty: nothing
	values []string
	list   bool // takes several, with commas between them
	files  bool
}

func read(node *kong.Node, path string, values map[string][]string) command {
	c := command{path: path, name: node.Name, help: node.Help}
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			c.flags = append(c.flags, readFlag(f, values))
		}
	}
	slices.SortFunc(c.flags, func(a, b flag) int { return strings.Compare(a.name, b.name) })
	for _, child := range node.Children {
		if !child.Hidden {
			c.children = append(c.children, read(child, path+"/"+child.Name, values))
		}
	}
	if len(node.Positional) > 0 && node.Positional[0].Enum != "" {
		c.words = node.Positional[0].EnumSlice()
	}
	return c
}

func readFlag(f *kong.Flag, values map[string][]string) flag {
	made := flag{name: f.Name, help: f.Help, values: values[f.Name]}
	if f.Short != 0 {
		made.short = string(f.Short)
	}
	if f.IsBool() {
		return made
	}
	made.what = strings.ToUpper(f.FormatPlaceHolder())
	made.files = made.what == "FILE" || made.what == "DIR"
	made.list = f.IsSlice()
	if f.Enum != "" {
		made.values = f.EnumSlice()
	}
	return made
}

// all is the command and everything below it.
func (c command) all() []command {
	list := []command{c}
	for _, child := range c.children {
		list = append(list, child.all()...)
	}
	return list
}

// paths are those of all commands below the program.
func paths(commands []command) []string {
	var list []string
	for _, c := range commands[1:] {
		list = append(list, c.path)
	}
	return list
}

// names are a command's subcommands.
func (c command) names() []string {
	var list []string
	for _, child := range c.children {
		list = append(list, child.name)
	}
	return list
}

// quoted is s as one word of any of the shells.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
