package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

// How long a session lasts: without a request, and in all. A page that is left open
// refreshes, so it goes on until the second.
const (
	idle     = 12 * time.Hour
	Lifetime = 7 * 24 * time.Hour
	// seenEvery is how often a session's last use is written.
	seenEvery = time.Minute
)

// Begin signs a user in and answers the session's token. Only its hash is stored.
func (s *Store) Begin(ctx context.Context, user User) (token string, err error) {
	token, now := rand.Text()+rand.Text(), s.Now()
	if err := dbsqlc.New().UserSessionSweep(ctx, s.Pool, now); err != nil {
		return "", fmt.Errorf("sweep sessions: %w", err)
	}
	err = dbsqlc.New().UserSessionAdd(ctx, s.Pool, dbsqlc.UserSessionAddParams{
		TokenHash: hashOf(token), UserID: user.ID, Now: now, ExpiresAt: now.Add(Lifetime),
	})
	if err != nil {
		return "", fmt.Errorf("begin session of %q: %w", user.Name, err)
	}
	return token, nil
}

// Resume answers whose session this token is; ok is false where it is over, or was
// never one.
func (s *Store) Resume(ctx context.Context, token string) (user User, ok bool, err error) {
	now := s.Now()
	row, err := dbsqlc.New().UserSessionGet(ctx, s.Pool, dbsqlc.UserSessionGetParams{TokenHash: hashOf(token), Now: now, IdleSince: now.Add(-idle)})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return User{}, false, nil
	case err != nil:
		return User{}, false, fmt.Errorf("read session: %w", err)
	}
	if now.Sub(row.SeenAt) >= seenEvery {
		if err := dbsqlc.New().UserSessionSeen(ctx, s.Pool, dbsqlc.UserSessionSeenParams{TokenHash: hashOf(token), Now: now}); err != nil {
			return User{}, false, fmt.Errorf("keep session: %w", err)
		}
	}
	return userOf(row.User), true, nil
}

// End signs out. A token that is none ends nothing.
func (s *Store) End(ctx context.Context, token string) error {
	if err := dbsqlc.New().UserSessionEnd(ctx, s.Pool, hashOf(token)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
