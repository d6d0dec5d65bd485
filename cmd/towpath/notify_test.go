package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/notify"
)

func Test_Notify_test_sends_one_and_says_what_became_of_it(t *testing.T) {
	t.Parallel()
	code := http.StatusOK
	var ids []string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids = append(ids, r.Header.Get("webhook-id"))
		w.WriteHeader(code)
	}))
	defer receiver.Close()
	d := &desk{env: map[string]string{"TOWPATH_NOTIFY_WEBHOOK_SECRET": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
	none := d.run(t, "notify", "test")
	require.Equal(t, exitUsage, none.code)
	require.Contains(t, none.err, "TOWPATH_NOTIFY_SMTP_URL")

	d = d.with(map[string]string{"TOWPATH_NOTIFY_WEBHOOK_URL": receiver.URL + "/?token=hunter2"})
	var sent []notify.Sent
	d.mustJSON(t, &sent, "notify", "test")
	require.Equal(t, []string{sent[0].ID}, ids)
	code = http.StatusForbidden
	refused := d.run(t, "notify", "test")
	require.Equal(t, exitFailed, refused.code)
	require.Equal(t, "webhook: not sent: webhook answers 403\n", refused.out)
	checked := d.with(map[string]string{"DATABASE_URL": "postgres://a@b/c", "TOWPATH_SECRET_KEY": testKey}).must(t, "config", "check")
	require.NotContains(t, checked, "hunter2")
	for _, wrong := range []map[string]string{
		{"TOWPATH_NOTIFY_WEBHOOK_SECRET": "hello"}, {"TOWPATH_NOTIFY_DAILY": "noon"}, {"TOWPATH_NOTIFY_SMTP_URL": "smtp://mail.example"},
	} {
		require.Equal(t, exitUsage, d.with(wrong).run(t, "notify", "test").code, "%v", wrong)
	}
}
