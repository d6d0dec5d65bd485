package users

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// grace is an account of the identity provider.
func grace(role Role) Vouched {
	return Vouched{Issuer: "https://id.example", Subject: "g-1", Name: "Grace@Example.com", Proved: true, Role: role}
}

// vouched is one sign-in: the user's name and role, or why not.
func vouched(t *testing.T, s *Store, v Vouched) string {
	t.Helper()
	user, err := s.SignInVouched(t.Context(), v)
	var no *NotLetIn
	if errors.As(err, &no) {
		return no.Reason
	}
	require.NoError(t, err)
	return user.Name + " " + user.Role.String()
}

// lives reports whether a session of the user goes on after do.
func lives(t *testing.T, s *Store, name string, do func()) bool {
	t.Helper()
	list, err := s.List(t.Context())
	require.NoError(t, err)
	for _, user := range list {
		if user.Name == name {
			token, err := s.Begin(t.Context(), user)
			require.NoError(t, err)
			do()
			_, alive, err := s.Resume(t.Context(), token)
			require.NoError(t, err)
			return alive
		}
	}
	t.Fatalf("no user %s", name)
	return false
}

func Test_The_identity_provider_says_the_role_at_each_sign_in(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	require.Equal(t, "no role", vouched(t, s, grace(Nobody)), "nobody is made who has none")
	require.Equal(t, "grace@example.com viewer", vouched(t, s, grace(Viewer)))
	require.True(t, lives(t, s, "grace@example.com", func() { vouched(t, s, grace(Viewer)) }), "nothing changed: the other browser stays")
	require.False(t, lives(t, s, "grace@example.com", func() {
		require.Equal(t, "grace@example.com admin", vouched(t, s, grace(Admin)))
	}), "another role")
	require.False(t, lives(t, s, "grace@example.com", func() { require.Equal(t, "no role", vouched(t, s, grace(Nobody))) }), "no role any more")
	require.Equal(t, "wrong", try(t, s, "grace@example.com", "", "a"), "it has no password")

	renamed := grace(Operator)
	renamed.Name = "grace.hopper@example.com"
	require.Equal(t, "grace@example.com operator", vouched(t, s, renamed), "the account says who it is, not the address")
	_, err := s.SetDisabled(t.Context(), "grace@example.com", true)
	require.NoError(t, err)
	require.Equal(t, "disabled", vouched(t, s, grace(Admin)))

	rows, err := s.Pool.Query(t.Context(), "SELECT who || ' ' || action || ' ' || after FROM audit ORDER BY id")
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{
		`TOWPATH_OIDC_ROLES user.added {"role": "viewer", "user": "grace@example.com", "oidc_issuer": "https://id.example"}`,
		`TOWPATH_OIDC_ROLES user.changed {"role": "admin", "user": "grace@example.com"}`,
		`TOWPATH_OIDC_ROLES user.changed {"user": "grace@example.com", "sessions": "ended", "oidc_role": "none"}`,
		`TOWPATH_OIDC_ROLES user.changed {"role": "operator", "user": "grace@example.com"}`,
	}, got)
}

// A name makes nobody somebody else: only an address that the provider verified does,
// and never one of an account beside the one that is known.
func Test_A_user_who_is_there_is_taken_by_a_verified_address_only(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	ctx := t.Context()
	_, err := s.Add(ctx, "grace@example.com", Viewer, thePassword)
	require.NoError(t, err)
	unproved := grace(Admin)
	unproved.Proved = false
	require.Equal(t, "name taken", vouched(t, s, unproved))
	require.True(t, lives(t, s, "grace@example.com", func() { require.Equal(t, "no role", vouched(t, s, grace(Nobody))) }), "she is the password's, not the provider's")
	require.Equal(t, "grace@example.com operator", vouched(t, s, grace(Operator)))
	require.Equal(t, "in", try(t, s, "grace@example.com", thePassword, "a"), "her password goes on")

	another := grace(Admin)
	another.Subject = "g-2"
	require.Equal(t, "another account", vouched(t, s, another), "the address was given to somebody else")
	moved := another
	moved.Issuer = "https://login.example"
	require.Equal(t, "grace@example.com admin", vouched(t, s, moved), "the installation has another provider")

	for name, why := range map[string]string{"o'brien@example.com": "name", "": "name", "Admin": "name taken"} {
		require.Equal(t, why, vouched(t, s, Vouched{Issuer: "https://id.example", Subject: "x", Name: name, Proved: true, Role: Admin}))
	}
	_, err = s.Pool.Exec(ctx, `WITH shop AS (INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES (gen_random_uuid(), 'A', 'https://shop.example', 'sealed') RETURNING id)
		INSERT INTO users (name, role, tenant_id) SELECT 'frame@example.com', 'viewer', id FROM shop`)
	require.NoError(t, err)
	require.Equal(t, "one shop only", vouched(t, s, Vouched{Issuer: "https://id.example", Subject: "y", Name: "frame@example.com", Proved: true, Role: Admin}))
}

func Test_Two_first_sign_ins_at_once_make_one_user(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	var all sync.WaitGroup
	failed := make([]error, 8)
	for i := range failed {
		all.Go(func() { _, failed[i] = s.SignInVouched(t.Context(), grace(Viewer)) })
	}
	all.Wait()
	require.NoError(t, errors.Join(failed...))
	list, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2, "and ada")
}
