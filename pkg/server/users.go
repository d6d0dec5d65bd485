package server

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/idp"
	"towpath/pkg/users"
)

// users are those who may use the pages; none where the gate lets in instead.
func (s *Server) users(ctx context.Context, pool *pgxpool.Pool) (*users.Store, error) {
	if s.cfg.Gate != nil {
		return nil, nil
	}
	store := users.New(pool, time.Now)
	if !s.cfg.AdminPassword.IsEmpty() {
		changed, err := store.KeepAdmin(ctx, s.cfg.AdminPassword.Reveal())
		if err != nil {
			return nil, err
		}
		if changed {
			s.cfg.Logger.InfoContext(ctx, "user has the password of TOWPATH_ADMIN_PASSWORD: it was made, or was given that and its sessions have ended", "user", users.FirstAdmin)
		}
	}
	admin, err := store.AnyAdmin(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.cfg.Identity.AdminPossible():
	case !admin && s.reachable():
		return nil, fmt.Errorf("the pages at %s have no admin: set TOWPATH_ADMIN_PASSWORD or TOWPATH_ADMIN_PASSWORD_FILE (at least %d characters), or make one: "+
			"towpath user add NAME --role admin; or let an identity provider say who is one (TOWPATH_OIDC_ISSUER); or serve without pages: --roles ingress,worker", s.cfg.BaseURL, users.MinPassword)
	case !admin:
		s.cfg.Logger.WarnContext(ctx, "there is no admin yet: towpath user add NAME --role admin, or set TOWPATH_ADMIN_PASSWORD")
	}
	return store, nil
}

// identity is the identity provider that vouches for users; nil: none. Nobody asks it
// before somebody signs in.
func (s *Server) identity(store *users.Store) *idp.Provider {
	if store == nil || !s.cfg.Identity.Configured() {
		return nil
	}
	return idp.New(s.cfg.Identity, s.cfg.BaseURL, s.cfg.Box, time.Now)
}

// reachable reports whether others than this machine's browsers come to the pages.
func (s *Server) reachable() bool {
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	ip := net.ParseIP(host)
	return !IsLoopback(s.cfg.BaseURL) || err == nil && (host == "" || ip != nil && ip.IsUnspecified())
}
