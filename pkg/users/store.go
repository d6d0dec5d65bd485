package users

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
)

// Store keeps users and their sessions in Postgres. It is safe for concurrent use.
type Store struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
	Cost Cost // of passwords hashed from now on

	proved  proved
	hashing chan struct{} // one place for each password that may be looked at at once
}

// hashers bounds the memory that sign-ins take: each 19 MiB while it is looked at.
const hashers = 4

// New is a store with the usual cost.
func New(pool *pgxpool.Pool, now func() time.Time) *Store {
	return &Store{Pool: pool, Now: now, Cost: usual(), proved: newProved(), hashing: make(chan struct{}, hashers)}
}

// User is somebody who may use the pages.
type User struct {
	ID         uuid.UUID
	Name       string
	Role       Role
	Tenant     *uuid.UUID // sees this shop's runs only; nil: everything
	CreatedAt  time.Time
	DisabledAt *time.Time
	Issuer     string // the identity provider that vouches for it and says its role; empty: none
	Password   bool   // signs in by one
	Sessions   int64  // live ones; of List only
}

func userOf(row dbsqlc.User) User {
	role, _ := ParseRole(row.Role) // the table has no other
	user := User{ID: row.ID, Name: row.Name, Role: role, Tenant: row.TenantID, CreatedAt: row.CreatedAt, DisabledAt: row.DisabledAt, Password: row.PasswordHash != nil}
	if row.OidcIssuer != nil {
		user.Issuer = *row.OidcIssuer
	}
	return user
}

// ErrExists and ErrNoUser are answers about a name.
var (
	ErrOneShop = errors.New("who sees one shop only stays a viewer: another role would see one shop and change all")
	ErrExists  = errors.New("there is a user of this name")
	ErrNoUser  = errors.New("there is no user of this name")
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// Name is a name as it is stored, in lower case; false for what cannot be one.
func Name(given string) (string, bool) {
	name := strings.ToLower(strings.TrimSpace(given))
	return name, nameForm.MatchString(name)
}

func checkName(given string) (string, error) {
	name, ok := Name(given)
	if !ok {
		return "", fmt.Errorf("user name %q is not taken; use up to 64 letters, digits and . _ @ + -", given)
	}
	return name, nil
}

// Add makes a user who sees all shops.
func (s *Store) Add(ctx context.Context, name string, role Role, password string) (User, error) {
	return s.AddFor(ctx, name, role, password, nil)
}

// AddFor makes a user; with a tenant, a viewer who sees the runs of that shop only.
func (s *Store) AddFor(ctx context.Context, name string, role Role, password string, tenant *uuid.UUID) (User, error) {
	name, err := checkName(name)
	if err != nil {
		return User{}, err
	}
	if err := CheckPassword(password); err != nil {
		return User{}, err
	}
	hash, now := s.Cost.hash(password), s.Now()
	var row dbsqlc.User
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		row, err = dbsqlc.New().UserAdd(ctx, tx, dbsqlc.UserAddParams{Name: name, Role: role.String(), PasswordHash: &hash, PasswordAt: &now, TenantID: tenant})
		if err != nil {
			return err
		}
		entry := entryOf(audit.UserAdded, name, nil, map[string]any{"role": row.Role})
		if tenant != nil {
			entry.Tenant = *tenant
		}
		return audit.Write(ctx, tx, audit.Who(ctx), entry)
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" {
		return User{}, fmt.Errorf("%w: %s", ErrExists, name)
	}
	if err != nil {
		return User{}, fmt.Errorf("add user %q: %w", name, err)
	}
	return userOf(row), nil
}

// List answers all users by name.
func (s *Store) List(ctx context.Context) ([]User, error) {
	now := s.Now()
	rows, err := dbsqlc.New().UserList(ctx, s.Pool, dbsqlc.UserListParams{Now: now, IdleSince: now.Add(-idle)})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	list := []User{}
	for _, row := range rows {
		user := userOf(row.User)
		user.Sessions = row.Sessions
		list = append(list, user)
	}
	return list, nil
}

// Any reports whether there is somebody who may sign in.
func (s *Store) Any(ctx context.Context) (bool, error) {
	any, err := dbsqlc.New().UserAny(ctx, s.Pool)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return any, nil
}

// AnyAdmin reports whether an admin may sign in.
func (s *Store) AnyAdmin(ctx context.Context) (bool, error) {
	admins, err := dbsqlc.New().UserOtherAdmins(ctx, s.Pool, uuid.Nil)
	if err != nil {
		return false, fmt.Errorf("look for admins: %w", err)
	}
	return admins > 0, nil
}

// LastAdmin reports whether a user is the only one left who may change users.
func (s *Store) LastAdmin(ctx context.Context, name string) (bool, error) {
	name, err := checkName(name)
	if err != nil {
		return false, err
	}
	q := dbsqlc.New()
	row, err := q.UserGet(ctx, s.Pool, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read user %q: %w", name, err)
	}
	others, err := q.UserOtherAdmins(ctx, s.Pool, row.ID)
	if err != nil {
		return false, fmt.Errorf("look for admins: %w", err)
	}
	return others == 0 && row.Role == Admin.String() && row.DisabledAt == nil, nil
}

// Changed is what became of a change.
type Changed struct {
	User     User
	Ended    int64 // sessions
	NoAdmins bool  // nobody is left who may change users by the pages' role
}

// entryOf is a change of a user for the audit: what was changed, and whose, which stands
// before only where the user is gone. A password is never in it.
func entryOf(action, name string, before, after map[string]any) audit.Entry {
	if action == audit.UserDeleted {
		before["user"] = name
		return audit.Entry{Action: action, Before: before}
	}
	after["user"] = name
	return audit.Entry{Action: action, Before: before, After: after}
}

// partsOf is what the user was before, of the parts that are changed.
func partsOf(row dbsqlc.User, changed map[string]any) map[string]any {
	before := map[string]any{}
	for part := range changed {
		switch part {
		case "role":
			before[part] = row.Role
		case "disabled":
			before[part] = row.DisabledAt != nil
		case "password":
			before[part] = "one"
		case "oidc_issuer":
			before[part] = row.OidcIssuer
		}
	}
	return before
}

// change does something to the user of this name and ends its sessions, in one
// transaction with the entry of the audit: nobody goes on with what the user was before.
func (s *Store) change(ctx context.Context, name, action string, after map[string]any, do func(pgx.Tx, dbsqlc.User) error) (Changed, error) {
	name, err := checkName(name)
	if err != nil {
		return Changed{}, err
	}
	var done Changed
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		row, err := q.UserGetForUpdate(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%w: %s", ErrNoUser, name)
		}
		if err != nil {
			return err
		}
		if done.Ended, err = q.UserSessionEndAll(ctx, tx, row.ID); err != nil {
			return err
		}
		if err := do(tx, row); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, audit.Who(ctx), entryOf(action, name, partsOf(row, after), after)); err != nil {
			return err
		}
		was := row
		others, err := q.UserOtherAdmins(ctx, tx, row.ID)
		if err != nil {
			return err
		}
		row, err = q.UserGet(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) { // deleted
			done.User, done.NoAdmins = userOf(was), others == 0
			return nil
		}
		done.User = userOf(row)
		done.NoAdmins = others == 0 && (row.Role != Admin.String() || row.DisabledAt != nil)
		return err
	})
	if err != nil && !errors.Is(err, ErrNoUser) && !errors.Is(err, ErrOneShop) {
		err = fmt.Errorf("change user %q: %w", name, err)
	}
	return done, err
}

// SetPassword replaces a user's password.
func (s *Store) SetPassword(ctx context.Context, name, password string) (Changed, error) {
	if err := CheckPassword(password); err != nil {
		return Changed{}, err
	}
	hash, now := s.Cost.hash(password), s.Now()
	return s.change(ctx, name, audit.UserChanged, map[string]any{"password": "another"}, func(tx pgx.Tx, row dbsqlc.User) error {
		return dbsqlc.New().UserSetPassword(ctx, tx, dbsqlc.UserSetPasswordParams{ID: row.ID, PasswordHash: &hash, PasswordAt: &now})
	})
}

// SetRole replaces a user's role.
func (s *Store) SetRole(ctx context.Context, name string, role Role) (Changed, error) {
	return s.change(ctx, name, audit.UserChanged, map[string]any{"role": role.String()}, func(tx pgx.Tx, row dbsqlc.User) error {
		if row.TenantID != nil && role != Viewer {
			return ErrOneShop
		}
		return dbsqlc.New().UserSetRole(ctx, tx, dbsqlc.UserSetRoleParams{ID: row.ID, Role: role.String()})
	})
}

// SetDisabled lets a user sign in no more, or again.
func (s *Store) SetDisabled(ctx context.Context, name string, disabled bool) (Changed, error) {
	var at *time.Time
	if disabled {
		now := s.Now()
		at = &now
	}
	return s.change(ctx, name, audit.UserChanged, map[string]any{"disabled": disabled}, func(tx pgx.Tx, row dbsqlc.User) error {
		return dbsqlc.New().UserSetDisabled(ctx, tx, dbsqlc.UserSetDisabledParams{ID: row.ID, DisabledAt: at})
	})
}

// SignOut ends every session of a user, who may sign in again.
func (s *Store) SignOut(ctx context.Context, name string) (Changed, error) {
	return s.change(ctx, name, audit.UserChanged, map[string]any{"sessions": "ended"}, func(pgx.Tx, dbsqlc.User) error { return nil })
}

// Delete forgets a user; what it did stays in the runs' histories, by its name.
func (s *Store) Delete(ctx context.Context, name string) (Changed, error) {
	return s.change(ctx, name, audit.UserDeleted, map[string]any{"role": ""}, func(tx pgx.Tx, row dbsqlc.User) error {
		return dbsqlc.New().UserDelete(ctx, tx, row.ID)
	})
}

// theSetting is who acts in the audit where no person does.
const theSetting = "TOWPATH_ADMIN_PASSWORD"

// FirstAdmin is the user whom the setting TOWPATH_ADMIN_PASSWORD keeps.
const FirstAdmin = "admin"

// KeepAdmin makes the user admin have this password, its role and the right to sign
// in, and reports whether something had to be changed for that. The setting wins over
// what was changed in the database: with it somebody who was locked out comes in
// again. Processes that start at once do it one after the other.
func (s *Store) KeepAdmin(ctx context.Context, password string) (changed bool, err error) {
	hash, now := s.Cost.hash(password), s.Now()
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		made, err := q.UserAddMissing(ctx, tx, dbsqlc.UserAddMissingParams{Name: FirstAdmin, Role: Admin.String(), PasswordHash: &hash, PasswordAt: &now})
		if err != nil {
			return err
		}
		if changed = made > 0; changed {
			return audit.Write(ctx, tx, theSetting, entryOf(audit.UserAdded, FirstAdmin, nil, map[string]any{"role": Admin.String()}))
		}
		row, err := q.UserGetForUpdate(ctx, tx, FirstAdmin)
		if err != nil {
			return err
		}
		if row.PasswordHash != nil && row.Role == Admin.String() && row.DisabledAt == nil {
			if stored, err := parsePHC(*row.PasswordHash); err == nil && stored.is(password) {
				return nil
			}
		}
		changed = true
		if _, err := q.UserSessionEndAll(ctx, tx, row.ID); err != nil {
			return err
		}
		if err := q.UserSetRole(ctx, tx, dbsqlc.UserSetRoleParams{ID: row.ID, Role: Admin.String()}); err != nil {
			return err
		}
		if err := q.UserSetDisabled(ctx, tx, dbsqlc.UserSetDisabledParams{ID: row.ID}); err != nil {
			return err
		}
		if err := q.UserSetPassword(ctx, tx, dbsqlc.UserSetPasswordParams{ID: row.ID, PasswordHash: &hash, PasswordAt: &now}); err != nil {
			return err
		}
		after := map[string]any{"role": Admin.String(), "disabled": false, "password": "another"}
		return audit.Write(ctx, tx, theSetting, entryOf(audit.UserChanged, FirstAdmin, partsOf(row, after), after))
	})
	if err != nil {
		return false, fmt.Errorf("keep user %s: %w", FirstAdmin, err)
	}
	return changed, nil
}
