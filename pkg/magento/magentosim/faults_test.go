package magentosim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
)

const syncedBody = `{"entity_type":"invoice","magento_entity_id":1,"provider":"xero","sync_status":"synced","last_sync_at":"2026-04-29T10:11:12Z"}`

// push posts a sync state on a connection of its own.
func (st *stand) push(t *testing.T, ctx context.Context) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, st.url+"/sync-state", strings.NewReader(syncedBody))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+st.token(t))
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

func Test_Faults_do_what_they_say(t *testing.T) {
	t.Parallel()
	drops := magentosim.Drops
	for name, c := range map[string]struct {
		fault  magentosim.Fault
		status int
		err    error
		effect bool
	}{
		"answers instead":        {magentosim.Answers(503, "{}"), 503, nil, false},
		"answers after effect":   {magentosim.Answers(500, "{}").AfterEffect(), 500, nil, true},
		"maintenance":            {magentosim.Maintenance(503), 503, nil, false},
		"unauthorized":           {magentosim.Unauthorized(), 401, nil, false},
		"closed":                 {drops(magentosim.CutClose), 0, io.EOF, false},
		"closed after effect":    {drops(magentosim.CutClose).AfterEffect(), 0, io.EOF, true},
		"reset":                  {drops(magentosim.CutReset), 0, syscall.ECONNRESET, false},
		"reset after effect":     {drops(magentosim.CutReset).AfterEffect(), 0, syscall.ECONNRESET, true},
		"half":                   {drops(magentosim.CutHalf), 200, io.ErrUnexpectedEOF, true},
		"the zero fault is none": {magentosim.Fault{}, 200, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := setup(t, magentosim.Config{})
			st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
			st.shop.Inject(magentosim.RouteSyncState, c.fault)
			status, _, err := st.push(t, t.Context())
			require.Equal(t, c.status, status)
			if c.err == nil {
				require.NoError(t, err)
			} else {
				require.True(t, errors.Is(err, c.err), "%v", err)
			}
			require.Equal(t, c.effect, len(st.shop.Told("invoice", 1)) == 1)
			status, _, err = st.push(t, t.Context())
			require.NoError(t, err)
			require.Equal(t, 200, status, "the next call is fine")
			require.Equal(t, 2, st.shop.Calls(magentosim.RouteSyncState))
		})
	}
}

func Test_Gate_holds_a_call_until_released(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	gate := magentosim.NewGate()
	st.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(gate))
	answered := make(chan int, 1)
	go func() {
		status, _, _ := st.push(t, t.Context())
		answered <- status
	}()
	<-gate.Arrived()
	require.Empty(t, st.shop.Told("invoice", 1))
	gate.Release()
	require.Equal(t, 200, <-answered)
	require.Len(t, st.shop.Told("invoice", 1), 1)
}

func Test_Gate_lets_go_of_a_caller_who_gave_up(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	gate := magentosim.NewGate()
	st.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(gate))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-gate.Arrived(); cancel() }()
	_, _, err := st.push(t, ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, st.shop.Told("invoice", 1))
}

func Test_Outage_lasts_until_it_ends(t *testing.T) {
	t.Parallel()
	st := setup(t, magentosim.Config{})
	st.shop.Connect(tenant, apiKey, "http://ledger.invalid")
	st.shop.Inject(magentosim.RouteSyncState, magentosim.Answers(418, "{}"))
	end := st.shop.Outage(magentosim.Maintenance(503))
	for range 3 {
		status, body, err := st.push(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, 503, status)
		require.Contains(t, body, "<title>")
	}
	end()
	for _, want := range []int{418, 200} { // the queued fault had waited
		status, _, err := st.push(t, t.Context())
		require.NoError(t, err)
		require.Equal(t, want, status)
	}
}
