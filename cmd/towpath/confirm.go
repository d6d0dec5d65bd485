package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// confirm wants a person's yes to what may do harm. With nobody there to ask it is
// refused, and --yes is what says it beforehand. what is a sentence without its full
// stop, undone what has not been done then.
func (c console) confirm(what, question, undone string) error {
	if !c.asked {
		return fmt.Errorf("%s: %s; to do it all the same, say --yes", undone, what)
	}
	fmt.Fprintf(c.err, "%s. %s Type yes: ", what, question)
	if answer, err := c.readLine(); err != nil || answer != "yes" {
		return errors.New(undone)
	}
	return nil
}

// readLine reads one line and nothing behind it: another question may follow.
func (c console) readLine() (string, error) {
	var line strings.Builder
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(c.in, one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return strings.TrimSpace(line.String()), nil
		}
		line.WriteByte(one[0])
	}
}
