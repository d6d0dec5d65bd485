package completion

import (
	"fmt"
	"strings"
)

// bash is for bash 3.2 and later, and stands without the package bash-completion. Bash
// takes the "=" of --flag=value for a word of its own (COMP_WORDBREAKS).
func bash(program string, commands []command) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# bash completion of %[1]s: source <(%[1]s completion bash)\n", program)
	fmt.Fprintf(&out, "_%s() {\n", program)
	out.WriteString(`	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words= values= kept= i
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$path/${COMP_WORDS[i]}" in
`)
	fmt.Fprintf(&out, "\t\t%s) path=\"$path/${COMP_WORDS[i]}\" ;;\n\t\tesac\n\tdone\n", strings.Join(paths(commands), " | "))
	out.WriteString("\tCOMPREPLY=()\n\tcase \"$path $prev\" in\n")
	var free []string // what follows is not known
	for _, c := range commands {
		for _, f := range c.flags {
			pattern := quoted(c.path + " --" + f.name)
			if known := bashValues(f); known != "" {
				fmt.Fprintf(&out, "\t%s) %s; return ;;\n", pattern, known)
			} else if f.what != "" {
				free = append(free, pattern)
			}
		}
	}
	fmt.Fprintf(&out, "\t%s) return ;;\n", strings.Join(free, " | "))
	out.WriteString("\tesac\n\tcase $path in\n")
	for _, c := range commands {
		words := append(c.names(), c.words...)
		for _, f := range c.flags {
			words = append(words, "--"+f.name)
		}
		fmt.Fprintf(&out, "\t%s) words=%s ;;\n", quoted(c.path), quoted(strings.Join(words, " ")))
	}
	fmt.Fprintf(&out, `	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	[[ $cur == -* ]] || COMPREPLY=($(compgen -X '-*' -W "$words" -- "$cur"))
}
complete -F _%[1]s %[1]s
`, program)
	return out.String()
}

// bashValues completes what stands behind a flag; empty where that is not known.
func bashValues(f flag) string {
	switch words := quoted(strings.Join(f.values, " ")); {
	case f.files:
		return `compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))`
	case len(f.values) == 0:
		return ""
	case f.list: // goes on behind its last comma
		return `[[ $cur == *,* ]] && kept=${cur%,*},; COMPREPLY=($(compgen -P "$kept" -W ` + words + ` -- "${cur##*,}"))`
	default:
		return `COMPREPLY=($(compgen -W ` + words + ` -- "$cur"))`
	}
}
