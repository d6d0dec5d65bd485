package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_The_manual_page_has_every_command_flag_and_setting(t *testing.T) {
	t.Parallel()
	page := (&desk{}).must(t, "man")
	plain := strings.NewReplacer(`\-`, "-", `\fB`, "", `\fI`, "", `\fR`, "").Replace(page)
	for path, flags := range flagsOf() {
		_, own, found := strings.Cut(plain, "\n.SS \"towpath "+path)
		require.True(t, found, path)
		own, _, _ = strings.Cut(own, "\n.S")
		for _, flag := range flags {
			require.Regexp(t, `(?m)^`+flag+`\b`, own, path)
		}
	}
	for _, s := range settings() {
		require.Contains(t, plain, "\n"+s.Name+", "+s.Name+"_FILE\n")
	}
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			require.Regexp(t, regexp.MustCompile(`^\.(\\"|TH|SH|SS|TP|PP|B |I |RI |nf|fi)`), line, "text that troff takes for its own")
		}
	}
	if mandoc, err := exec.LookPath("mandoc"); err == nil {
		run := exec.Command(mandoc, "-T", "lint", "-W", "warning")
		run.Stdin = strings.NewReader(page)
		out, err := run.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
