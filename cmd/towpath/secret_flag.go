package main

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// secretFlag answers a secret that is given by --name, or by --name-file: the
// file's way leaves nothing in the process list and in the shell's history, so
// the other way is warned about. It is empty where neither is given.
func (c console) secretFlag(name, value, file string) (string, error) {
	switch {
	case value != "" && file != "":
		return "", wrongUse("--%[1]s and --%[1]s-file are both set; give one of them", name)
	case file != "":
		read, err := c.secretFile(file)
		if err != nil {
			return "", fmt.Errorf("--%s-file: %w", name, err)
		}
		if strings.ContainsFunc(read, unicode.IsControl) {
			return "", wrongUse("--%s-file: %s holds more than one line, or a control character; give a file with the secret alone", name, file)
		}
		return read, nil
	case value != "":
		c.warnShown("--"+name, "--"+name+"-file FILE")
	}
	return value, nil
}

// warnShown says that a secret was given where others can read it.
func (c console) warnShown(flag, better string) {
	c.warn("what %s is given shows in the process list and the shell's history; use %s", flag, better)
}

// hasPassword reports whether an address of a database names a password.
func hasPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false // the driver says what is wrong with it
	}
	_, inside := u.User.Password()
	return inside || u.Query().Has("password")
}
