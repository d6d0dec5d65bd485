package completion

import (
	"fmt"
	"strings"
)

// zsh may be sourced, or stand as _towpath in a folder of fpath.
func zsh(program string, commands []command) string {
	var out strings.Builder
	fmt.Fprintf(&out, "#compdef %[1]s\n# zsh completion of %[1]s: source <(%[1]s completion zsh)\n_%[1]s() {\n", program)
	fmt.Fprintf(&out, `	local place= i deep=1
	local -a below
	for ((i = 2; i < CURRENT; i++)); do
		case "$place/$words[i]" in
		(%s) place="$place/$words[i]"; deep=$i ;;
		esac
	done
	# What _arguments sees begins with the command.
	words=("${(@)words[deep,-1]}")
	((CURRENT -= deep - 1))
	case $place in
`, strings.Join(paths(commands), "|"))
	for _, c := range commands {
		fmt.Fprintf(&out, "\t(%s)\n", quoted(c.path))
		if len(c.children) > 0 {
			out.WriteString("\t\tbelow=(")
			for _, child := range c.children {
				out.WriteString(quoted(child.name+":"+strings.ReplaceAll(child.help, ":", `\:`)) + " ")
			}
			out.WriteString(")\n")
		}
		out.WriteString("\t\t_arguments -s")
		for _, f := range c.flags {
			out.WriteString(" " + quoted(zshFlag(f)))
		}
		switch {
		case len(c.children) > 0:
			out.WriteString(` '1:command:{_describe command below}'`)
		case len(c.words) > 0:
			out.WriteString(" " + quoted("1:what:("+strings.Join(c.words, " ")+")"))
		}
		out.WriteString("\n\t\t;;\n")
	}
	fmt.Fprintf(&out, "\tesac\n}\nif [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", program)
	return out.String()
}

// zshFlag is a flag as _arguments wants it.
func zshFlag(f flag) string {
	help := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(f.help)
	if f.what == "" {
		return fmt.Sprintf("--%s[%s]", f.name, help)
	}
	what := strings.ReplaceAll(f.what, ":", `\:`)
	said := fmt.Sprintf("--%s=[%s]:%s:", f.name, help, what)
	switch {
	case f.files:
		return said + "_files"
	case f.list && len(f.values) > 0:
		return "*" + said + "_values -s , " + f.name + " " + strings.Join(f.values, " ")
	case len(f.values) > 0:
		return said + "(" + strings.Join(f.values, " ") + ")"
	}
	return said
}
