package main

import (
	"context"
	"fmt"

	"towpath/pkg/users"
)

// changeUser does one thing to a user and says what came of it. done is what is true
// of the user from then on.
func (d database) changeUser(ctx context.Context, io console, asJSON bool, name, made, done string, do func(*users.Store) (users.Changed, error)) error {
	store, pool, err := d.openUsers(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	changed, err := do(store)
	if err != nil {
		return err
	}
	if changed.NoAdmins {
		io.warn("there is no admin left; make one: towpath user add NAME --role admin")
	}
	if asJSON {
		view := viewUser(changed.User)
		view.Password, view.Ended = made, &changed.Ended
		return printJSON(io.out, view)
	}
	fmt.Fprintf(io.out, "user %s %s; %s ended\n", name, done, counted(int(changed.Ended), "session"))
	printMade(io, made)
	return nil
}

type userPasswd struct {
	database
	printed
	passwordFlags
	userName
}

// Run replaces the password.
func (c userPasswd) Run(ctx context.Context, io console) error {
	password, generated, err := c.password(ctx, io)
	if err != nil {
		return err
	}
	made := ""
	if generated {
		made = password
	}
	if name, _ := users.Name(c.Name); name == users.FirstAdmin {
		io.warn("a Towpath that starts with TOWPATH_ADMIN_PASSWORD gives admin that password again: change the setting too, or remove it")
	}
	return c.changeUser(ctx, io, c.JSON, c.Name, made, "has another password", func(s *users.Store) (users.Changed, error) {
		return s.SetPassword(ctx, c.Name, password)
	})
}

type userRole struct {
	database
	printed
	userName
	Role string `arg:"" enum:"viewer,operator,admin" help:"viewer, operator or admin."`
}

// Run replaces the role.
func (c userRole) Run(ctx context.Context, io console) error {
	role, err := users.ParseRole(c.Role)
	if err != nil {
		return usageError{err}
	}
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "has the role "+c.Role, func(s *users.Store) (users.Changed, error) {
		changed, err := s.SetRole(ctx, c.Name, role)
		if err == nil && changed.User.Issuer != "" {
			fmt.Fprintf(io.err, "towpath: at the next sign-in by %s the role is what that says (TOWPATH_OIDC_ROLES)\n", changed.User.Issuer)
		}
		return changed, err
	})
}

type userDisable struct {
	database
	printed
	userName
}

// Run disables the user.
func (c userDisable) Run(ctx context.Context, io console) error {
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "may not sign in any more", func(s *users.Store) (users.Changed, error) {
		return s.SetDisabled(ctx, c.Name, true)
	})
}

type userEnable struct {
	database
	printed
	userName
}

// Run enables the user.
func (c userEnable) Run(ctx context.Context, io console) error {
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "may sign in", func(s *users.Store) (users.Changed, error) {
		return s.SetDisabled(ctx, c.Name, false)
	})
}

type userDelete struct {
	database
	printed
	userName
}

// Run deletes the user.
func (c userDelete) Run(ctx context.Context, io console) error {
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "is deleted", func(s *users.Store) (users.Changed, error) {
		return s.Delete(ctx, c.Name)
	})
}

type userSignOut struct {
	database
	printed
	userName
}

// Run ends the user's sessions.
func (c userSignOut) Run(ctx context.Context, io console) error {
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "is signed out", func(s *users.Store) (users.Changed, error) {
		return s.SignOut(ctx, c.Name)
	})
}
