package completion

import (
	"fmt"
	"strings"
)

func fish(program string, commands []command) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# fish completion of %[1]s: %[1]s completion fish | source\nfunction __%[1]s_at\n", program)
	fmt.Fprintf(&out, `    set -l place
    for word in (commandline -opc)[2..-1]
        switch "$place/$word"
            case %s
                set place "$place/$word"
        end
    end
    test "$place" = "$argv[1]"
end
complete -c %s -f
`, strings.Join(paths(commands), " "), program)
	for _, c := range commands {
		at := fmt.Sprintf("complete -c %s -n %s", program, fishQuoted("__"+program+"_at '"+c.path+"'"))
		for _, child := range c.children {
			fmt.Fprintf(&out, "%s -a %s -d %s\n", at, child.name, fishQuoted(child.help))
		}
		if len(c.words) > 0 {
			fmt.Fprintf(&out, "%s -a %s\n", at, fishQuoted(strings.Join(c.words, " ")))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&out, "%s -l %s%s -d %s\n", at, f.name, fishTakes(f), fishQuoted(f.help))
		}
	}
	return out.String()
}

// fishTakes is what a flag is completed with. A list goes on behind its last comma.
func fishTakes(f flag) string {
	switch {
	case f.what == "":
		return ""
	case f.files:
		return " -r -F"
	case f.list && len(f.values) > 0:
		return " -x -a " + fishQuoted("(__fish_append , "+strings.Join(f.values, " ")+")")
	}
	return " -x -a " + fishQuoted(strings.Join(f.values, " "))
}

// fishQuoted is s as one word: in single quotes fish knows two escapes.
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
