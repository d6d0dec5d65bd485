package outbound

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClient_refuses_loopback_by_default(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	for _, url := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)} {
		_, err := New(Config{}).Get(url)
		require.ErrorIs(t, err, ErrAddressRefused)
		require.False(t, Sent(err))
		resp, err := local(Config{}).Get(url)
		require.NoError(t, err)
		resp.Body.Close()
	}
}

func TestClient_redirects(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	var auth atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("/same", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/end", http.StatusFound) })
	mux.HandleFunc("/post", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/other", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/end", func(_ http.ResponseWriter, r *http.Request) { auth.Store(r.Header.Get("Authorization")) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/same", 200},
		{http.MethodGet, "/other", 302},
		{http.MethodPost, "/post", 307},
		{http.MethodPost, "/same", 302},
		{http.MethodGet, "/loop", 302},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, strings.NewReader("x"))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer t")
		resp, err := local(Config{}).Do(req)
		require.NoError(t, err, c)
		resp.Body.Close()
		require.Equal(t, c.want, resp.StatusCode, c)
	}
	require.Equal(t, "Bearer t", auth.Load(), "kept within the same host")
	require.Zero(t, elsewhere.Load())
}

func TestClient_treats_another_scheme_as_another_place(t *testing.T) {
	t.Parallel()
	via := []*http.Request{httptest.NewRequest(http.MethodGet, "https://shop.example.com/a", nil)}
	for url, follow := range map[string]bool{
		"https://shop.example.com/b":      true,
		"https://SHOP.example.com:443/b":  true,
		"http://shop.example.com/b":       false,
		"https://shop.example.com:444/b":  false,
		"https://www.shop.example.com/b":  false,
		"https://shop.example.com.evil/b": false,
	} {
		err := checkRedirect(httptest.NewRequest(http.MethodGet, url, nil), via)
		require.Equal(t, follow, err == nil, url)
	}
}

func TestClient_says_who_it_is(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.UserAgent())
	}))
	t.Cleanup(srv.Close)
	resp, err := local(Config{UserAgent: "towpath/1.2"}).Get(srv.URL)
	require.NoError(t, err)
	raw, err := ReadBody(resp, 100)
	require.NoError(t, err)
	require.Equal(t, "towpath/1.2", string(raw))
}

func TestReadBody_limits_the_decompressed_size(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("a"), 1000))
		_ = z.Close()
	}))
	t.Cleanup(srv.Close)
	for limit, ok := range map[int64]bool{1000: true, 999: false} {
		resp, err := local(Config{}).Get(srv.URL)
		require.NoError(t, err)
		raw, err := ReadBody(resp, limit)
		require.Len(t, raw, int(limit))
		if ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrTooLarge)
		}
		resp, err = local(Config{MaxBody: limit}).Get(srv.URL)
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		require.Equal(t, !ok, errors.Is(err, ErrTooLarge), "also where a library reads: %v", err)
		require.NoError(t, resp.Body.Close())
	}
}
