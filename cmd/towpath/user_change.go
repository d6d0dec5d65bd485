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

// mayBeLast is what takes an admin away.
type mayBeLast struct {
	Yes bool `help:"Do it without asking, also where no admin is left."`
}

// ask asks where the user is the last admin; what is the change in words.
func (f mayBeLast) ask(ctx context.Context, io console, s *users.Store, name, what string) error {
	if f.Yes {
		return nil
	}
	last, err := s.LastAdmin(ctx, name)
	if err != nil || !last {
		return err
	}
	return io.confirm(fmt.Sprintf("user %s is the last admin: once it %s, nobody can change users, shops or settings on the pages", name, what), "Do it?", "nothing was changed")
}

type userRole struct {
	database
	printed
	mayBeLast
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
		if role != users.Admin {
			if err := c.ask(ctx, io, s, c.Name, "has the role "+c.Role); err != nil {
				return users.Changed{}, err
			}
		}
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
	mayBeLast
	userName
}

// Run disables the user.
func (c userDisable) Run(ctx context.Context, io console) error {
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "may not sign in any more", func(s *users.Store) (users.Changed, error) {
		if err := c.ask(ctx, io, s, c.Name, "is disabled"); err != nil {
			return users.Changed{}, err
		}
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
	mayBeLast
	userName
}

// Run deletes the user.
func (c userDelete) Run(ctx context.Context, io console) error {
	return c.changeUser(ctx, io, c.JSON, c.Name, "", "is deleted", func(s *users.Store) (users.Changed, error) {
		if err := c.ask(ctx, io, s, c.Name, "is deleted"); err != nil {
			return users.Changed{}, err
		}
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
