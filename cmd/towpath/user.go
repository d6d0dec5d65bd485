package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/users"
)

type userCommand struct {
	Add    userAdd    `cmd:"" help:"Add somebody who may use the pages."`
	List   userList   `cmd:"" help:"List the users."`
	Passwd userPasswd `cmd:"" help:"Give a user another password; their sessions end."`
	Role   userRole   `cmd:"" help:"Give a user another role; their sessions end. Of the last admin it is asked first."`

	Disable userDisable `cmd:"" help:"Let a user sign in no more; their sessions end. The user stays on the list. Of the last admin it is asked first."`
	Enable  userEnable  `cmd:"" help:"Let a disabled user sign in again."`
	SignOut userSignOut `cmd:"" name:"sign-out" help:"End every session of a user, who may sign in again."`
	Delete  userDelete  `cmd:"" help:"Forget a user; what they did stays in the histories, by name. Of the last admin it is asked first."`
}

// userName is what all but list take.
type userName struct {
	Name string `arg:"" help:"The user's name: letters, digits and . _ @ + -, in whatever case."`
}

// userView is a user as the commands print it.
type userView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	TenantID   *uuid.UUID `json:"tenant_id"` // null: all
	Sessions   int64      `json:"sessions"`
	CreatedAt  time.Time  `json:"created_at"`
	DisabledAt *time.Time `json:"disabled_at"`
	Issuer     *string    `json:"oidc_issuer"`        // the identity provider that vouches for it; null: none
	Password   string     `json:"password,omitempty"` // only when it was made here
	Ended      *int64     `json:"sessions_ended,omitempty"`
}

func viewUser(u users.User) userView {
	return userView{ID: u.ID.String(), Name: u.Name, Role: u.Role.String(), TenantID: u.Tenant, Sessions: u.Sessions, CreatedAt: u.CreatedAt, DisabledAt: u.DisabledAt, Issuer: optional(u.Issuer)}
}

// passwordFlags is how a password is given.
type passwordFlags struct {
	PasswordFile string `name:"password-file" placeholder:"FILE" help:"A file that holds the password (default: asked for at the terminal; without one a new password, printed once)."`
	Generate     bool   `help:"Make a password and print it once, also at a terminal."`
}

// password is the one that is given, or a new one. It is checked before the database
// is asked.
func (f passwordFlags) password(ctx context.Context, io console) (password string, made bool, err error) {
	switch {
	case f.PasswordFile != "" && f.Generate:
		return "", false, wrongUse("--password-file and --generate do not go together")
	case f.PasswordFile != "":
		if password, err = io.secretFile(f.PasswordFile); err != nil {
			return "", false, fmt.Errorf("--password-file: %w", err)
		}
	case f.Generate || io.readSecret == nil:
		return users.NewPassword(), true, nil
	default:
		if password, err = askTwice(ctx, io); err != nil {
			return "", false, err
		}
	}
	if err := users.CheckPassword(password); err != nil {
		return "", false, usageError{err}
	}
	return password, false, nil
}

// askTwice asks for a password that is not shown while it is typed.
func askTwice(ctx context.Context, io console) (string, error) {
	password, err := io.readSecret(ctx, fmt.Sprintf("Password (at least %d characters): ", users.MinPassword))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	if err := users.CheckPassword(password); err != nil {
		return "", usageError{err}
	}
	again, err := io.readSecret(ctx, "Again: ")
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	if again != password {
		return "", errors.New("the two are not the same; nothing was changed")
	}
	return password, nil
}

// openUsers opens the store of users; its pool is the caller's to close.
func (d database) openUsers(ctx context.Context, io console) (*users.Store, *pgxpool.Pool, error) {
	pool, err := d.open(ctx, io)
	if err != nil {
		return nil, nil, err
	}
	return users.New(pool, time.Now), pool, nil
}

type userAdd struct {
	database
	printed
	passwordFlags
	userName
	Role   string `required:"" enum:"viewer,operator,admin" placeholder:"ROLE" help:"viewer sees everything and changes nothing; operator also retries, cancels and reconnects; admin may do everything."`
	Tenant string `placeholder:"ID" help:"For a viewer: sees the runs of this tenant only (its id or name), in the frame of the shop's admin."`
}

// Run adds the user.
func (c userAdd) Run(ctx context.Context, io console) error {
	role, err := users.ParseRole(c.Role)
	if err != nil {
		return usageError{err}
	}
	if _, ok := users.Name(c.Name); !ok {
		return wrongUse("user name %q is not taken; use up to 64 letters, digits and . _ @ + -", c.Name)
	}
	if c.Tenant != "" && role != users.Viewer {
		return wrongUse("--tenant is for viewers: %s would see one shop and change all", c.Role)
	}
	password, made, err := c.password(ctx, io)
	if err != nil {
		return err
	}
	store, pool, err := c.openUsers(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	var tenant *uuid.UUID
	if c.Tenant != "" {
		row, err := findTenant(ctx, pool, c.Tenant)
		if err != nil {
			return err
		}
		tenant = &row.ID
	}
	user, err := store.AddFor(ctx, c.Name, role, password, tenant)
	if err != nil {
		return err
	}
	view := viewUser(user)
	if made {
		view.Password = password
	}
	if c.JSON {
		return printJSON(io.out, view)
	}
	fmt.Fprintf(io.out, "user %s added, role %s\n", user.Name, user.Role)
	printMade(io, view.Password)
	return nil
}

// printMade shows a password that was made here.
func printMade(io console, password string) {
	if password != "" {
		fmt.Fprintf(io.out, "password %s\nIt is not shown again.\n", password)
	}
}

type userList struct {
	database
	printed
}

// Run prints the users by name.
func (c userList) Run(ctx context.Context, io console) error {
	store, pool, err := c.openUsers(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	list, err := store.List(ctx)
	if err != nil {
		return err
	}
	return printList(io, c.JSON, list, viewUser, []string{"name", "role", "tenant_id", "sessions", "created_at", "disabled_at", "oidc_issuer"}, func(u users.User) []string {
		disabled, tenant := "", ""
		if u.Tenant != nil {
			tenant = u.Tenant.String()
		}
		if u.DisabledAt != nil {
			disabled = u.DisabledAt.Format(time.RFC3339)
		}
		return []string{u.Name, u.Role.String(), tenant, fmt.Sprint(u.Sessions), u.CreatedAt.Format(time.RFC3339), disabled, u.Issuer}
	})
}
