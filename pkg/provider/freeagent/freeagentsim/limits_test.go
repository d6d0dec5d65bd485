package freeagentsim

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// limited is a server whose clock the test moves, with a call at a time of day.
func limited(t *testing.T, cfg Config) (b *bundle, at func(clock string) (status int, body, retryAfter string)) {
	t.Helper()
	var now atomic.Pointer[time.Time]
	cfg.Now = func() time.Time { return *now.Load() }
	b = setup(t, cfg)
	return b, func(clock string) (int, string, string) {
		t.Helper()
		moment, err := time.Parse(time.DateTime, "2026-04-29 "+clock)
		require.NoError(t, err)
		now.Store(&moment)
		status, body, header := b.do(t, "GET", "/company", "")
		return status, body, header.Get("Retry-After")
	}
}

func TestLimit_refused_in_plain_text_until_the_clock_minute_is_over(t *testing.T) {
	t.Parallel()
	b, at := limited(t, Config{PerMinute: 2})
	for _, clock := range []string{"12:00:58", "12:00:59"} {
		status, _, _ := at(clock)
		require.Equal(t, http.StatusOK, status)
	}
	status, body, wait := at("12:00:59")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "You must not exceed 2 requests per 60 seconds", body)
	require.Equal(t, "60", wait)
	status, _, _ = at("12:01:00")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, Usage{Minute: 1, Hour: 4, MostMinute: 3, MostHour: 4, Limited: 1}, b.sim.Usage())
}

func TestLimit_of_the_hour_refused_until_the_clock_hour_is_over(t *testing.T) {
	t.Parallel()
	b, at := limited(t, Config{PerMinute: 2, PerHour: 3})
	for _, clock := range []string{"12:10:00", "12:20:00", "12:30:00"} {
		status, _, _ := at(clock)
		require.Equal(t, http.StatusOK, status)
	}
	status, body, wait := at("12:59:59")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "You must not exceed 3 requests per 3600 seconds", body)
	require.Equal(t, "60", wait)
	status, _, _ = at("13:00:00")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, Usage{Minute: 1, Hour: 1, MostMinute: 1, MostHour: 4, Limited: 1}, b.sim.Usage())
}

func TestLimit_off_unless_told_and_counted_all_the_same(t *testing.T) {
	t.Parallel()
	b, at := limited(t, Config{})
	for range FreeAgentPerMinute + 1 {
		status, _, _ := at("12:00:00")
		require.Equal(t, http.StatusOK, status)
	}
	status, _, _ := b.do(t, "GET", "/company", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer bad") })
	require.Equal(t, http.StatusUnauthorized, status)
	n := FreeAgentPerMinute + 1
	require.Equal(t, Usage{Minute: n, Hour: n, MostMinute: n, MostHour: n}, b.sim.Usage())
}

func TestLimit_of_FreeAgent_itself(t *testing.T) {
	t.Parallel()
	_, at := limited(t, Config{PerMinute: FreeAgentPerMinute, PerHour: FreeAgentPerHour})
	for range FreeAgentPerMinute {
		status, _, _ := at("12:00:00")
		require.Equal(t, http.StatusOK, status)
	}
	status, body, _ := at("12:00:00")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "You must not exceed 120 requests per 60 seconds", body)
}
