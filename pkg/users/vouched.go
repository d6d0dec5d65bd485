package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
)

// Vouched is somebody for whom an identity provider vouches, by an ID token that was
// verified.
type Vouched struct {
	Issuer, Subject string // the account; it alone says who somebody is
	Name            string // of a user that is made of it
	// Proved says that the provider has verified that Name, an e-mail address, is the
	// person's own: then a user who is there by that name is the same person.
	Proved bool
	Role   Role // by what the provider says of the person now; Nobody: none
}

// NotLetIn is why somebody for whom the provider vouches does not come in.
type NotLetIn struct {
	Reason string // for the log
	Text   string // for the person
}

func (n *NotLetIn) Error() string { return n.Text }

// theRoles is who acts in the audit where the provider's word changes a user.
const theRoles = "TOWPATH_OIDC_ROLES"

// SignInVouched answers the user of an account of the identity provider. The first time
// it makes one, or takes the one who is there by the proved name. Each time it gives the
// user the role that the provider's word has now; with another role the sessions begun
// before end, and with none too. A *NotLetIn is for the person. If the process dies after
// the commit, the user is there without a session, and the next sign-in finds it.
func (s *Store) SignInVouched(ctx context.Context, v Vouched) (user User, err error) {
	const twice = 2 // two browsers make the user at once: the second finds it
	for range twice {
		var refused *NotLetIn
		err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) (err error) {
			user, refused, err = s.vouch(ctx, tx, v)
			return err // with a refusal sessions may have ended: that is committed
		})
		if err == nil && refused != nil {
			return User{}, refused
		}
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "23505" {
			break
		}
	}
	if err != nil {
		return User{}, fmt.Errorf("sign in an account of %s: %w", v.Issuer, err)
	}
	return user, nil
}

func (s *Store) vouch(ctx context.Context, tx pgx.Tx, v Vouched) (User, *NotLetIn, error) {
	row, found, refused, err := s.findVouched(ctx, tx, v)
	if err != nil || refused != nil {
		return User{}, refused, err
	}
	switch {
	case found && row.DisabledAt != nil:
		return User{}, &NotLetIn{"disabled", fmt.Sprintf("The user %s is disabled here. An admin of this Towpath can enable it again.", row.Name)}, nil
	case found && row.TenantID != nil:
		return User{}, &NotLetIn{"one shop only", fmt.Sprintf("The user %s sees one shop only, in the frame of the shop's admin, and signs in there by a password.", row.Name)}, nil
	case v.Role == Nobody:
		return User{}, noRole(v), s.leave(ctx, tx, row, v)
	case !found:
		return s.addVouched(ctx, tx, v)
	}
	user, err := s.keepVouched(ctx, tx, row, v)
	return user, nil, err
}

func nameTaken(name string) *NotLetIn {
	return &NotLetIn{"name taken", fmt.Sprintf("The user name %s is somebody's already, and only a verified e-mail address would show that it is you. An admin of this Towpath can delete that user.", name)}
}

func noRole(v Vouched) *NotLetIn {
	return &NotLetIn{"no role", fmt.Sprintf("The identity provider knows you as %s, and nothing that it says of you has a role here. Ask an admin of this Towpath, or of the provider, for the group that has.", v.Name)}
}

// findVouched finds the user of the account, else the one who is the same person by name.
func (s *Store) findVouched(ctx context.Context, tx pgx.Tx, v Vouched) (row dbsqlc.User, found bool, refused *NotLetIn, err error) {
	q := dbsqlc.New()
	row, err = q.UserGetOfIssuerForUpdate(ctx, tx, dbsqlc.UserGetOfIssuerForUpdateParams{OidcIssuer: v.Issuer, OidcSubject: v.Subject})
	if !errors.Is(err, pgx.ErrNoRows) {
		return row, err == nil, nil, err
	}
	name, ok := Name(v.Name)
	if !ok {
		return row, false, &NotLetIn{"name", fmt.Sprintf("The identity provider knows you as %q, which cannot be the name of a user: it takes up to 64 letters, digits and . _ @ + -. TOWPATH_OIDC_USER_CLAIM can say another claim.", v.Name)}, nil
	}
	if name == FirstAdmin { // the setting's, also where it is not there
		return row, false, nameTaken(name), nil
	}
	row, err = q.UserGetForUpdate(ctx, tx, name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return row, false, nil, nil
	case err != nil:
		return row, false, nil, err
	case isOf(row, v): // made by another browser since the look above
		return row, true, nil, nil
	case !v.Proved:
		return row, false, nameTaken(name), nil
	case row.OidcIssuer != nil && *row.OidcIssuer == v.Issuer:
		return row, false, &NotLetIn{"another account", fmt.Sprintf("The user %s belongs to another account of the identity provider. If that one is gone, an admin of this Towpath can delete the user; then sign in again.", name)}, nil
	}
	return row, true, nil, nil // of no provider yet, or of one that is not asked any more
}

// isOf reports whether the user is the account's.
func isOf(row dbsqlc.User, v Vouched) bool {
	return row.OidcSubject != nil && *row.OidcIssuer == v.Issuer && *row.OidcSubject == v.Subject
}

// leave ends the sessions of a user who has no role any more. One whom the provider has
// not vouched for before is another's, and goes on.
func (s *Store) leave(ctx context.Context, tx pgx.Tx, row dbsqlc.User, v Vouched) error {
	if !isOf(row, v) {
		return nil
	}
	ended, err := dbsqlc.New().UserSessionEndAll(ctx, tx, row.ID)
	if err != nil || ended == 0 {
		return err
	}
	return audit.Write(ctx, tx, theRoles, entryOf(audit.UserChanged, row.Name, nil, map[string]any{"sessions": "ended", "oidc_role": "none"}))
}

func (s *Store) addVouched(ctx context.Context, tx pgx.Tx, v Vouched) (User, *NotLetIn, error) {
	name, _ := Name(v.Name) // findVouched has looked
	row, err := dbsqlc.New().UserAddVouched(ctx, tx, dbsqlc.UserAddVouchedParams{Name: name, Role: v.Role.String(), OidcIssuer: v.Issuer, OidcSubject: v.Subject})
	if err != nil {
		return User{}, nil, err
	}
	return userOf(row), nil, audit.Write(ctx, tx, theRoles, entryOf(audit.UserAdded, name, nil, map[string]any{"role": row.Role, "oidc_issuer": v.Issuer}))
}

// keepVouched brings a user to what the provider says of it now.
func (s *Store) keepVouched(ctx context.Context, tx pgx.Tx, was dbsqlc.User, v Vouched) (User, error) {
	after := map[string]any{}
	if was.Role != v.Role.String() {
		after["role"] = v.Role.String()
		if _, err := dbsqlc.New().UserSessionEndAll(ctx, tx, was.ID); err != nil {
			return User{}, err
		}
	}
	if was.OidcSubject == nil || *was.OidcIssuer != v.Issuer {
		after["oidc_issuer"] = v.Issuer
	}
	if len(after) == 0 {
		return userOf(was), nil
	}
	row, err := dbsqlc.New().UserVouch(ctx, tx, dbsqlc.UserVouchParams{ID: was.ID, Role: v.Role.String(), OidcIssuer: v.Issuer, OidcSubject: v.Subject})
	if err != nil {
		return User{}, err
	}
	return userOf(row), audit.Write(ctx, tx, theRoles, entryOf(audit.UserChanged, was.Name, partsOf(was, after), after))
}

// Charged judges something that strangers send by what costs more than a query, such as
// a code that another server has to look at. One is taken from the address's allowance
// of wrong passwords before it is judged, and given back but where it was wrong.
func (s *Store) Charged(ctx context.Context, address string, judge func() (wrong bool)) (wait time.Duration, err error) {
	keys := []slowed{{"address " + address, perAddress()}}
	if wait, err := s.charge(ctx, keys); err != nil || wait > 0 {
		return wait, err
	}
	if judge() {
		return 0, nil
	}
	return 0, s.refund(ctx, keys)
}
