package notify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"towpath/pkg/secret"
)

// Config says by what is told, and when. The zero value tells nobody.
type Config struct {
	WebhookURL    secret.String // it may hold a credential
	WebhookSecret secret.String // whsec_ and base64
	SMTPURL       secret.String // smtp://user:password@host:587, or smtps://
	From          string
	To            []string
	BaseURL       string        // of the pages that messages link to
	DailyAt       time.Duration // after midnight UTC: the summary of the last 24 hours; negative: none
}

// Enabled reports whether anybody is told.
func (c Config) Enabled() bool { return !c.WebhookURL.IsEmpty() || !c.SMTPURL.IsEmpty() }

// SettingError is a setting that cannot be used. It quotes no secret.
type SettingError struct{ Setting, Problem string }

func (e *SettingError) Error() string { return e.Setting + " " + e.Problem }

// Check refuses what could never be sent.
func (c Config) Check() error {
	if _, err := c.webhook(nil); err != nil {
		return err
	}
	_, err := c.email()
	return err
}

// secretPrefix marks a secret of Standard Webhooks.
const secretPrefix = "whsec_"

// webhookKey is the key that signs.
func (c Config) webhookKey() ([]byte, error) {
	const setting = "TOWPATH_NOTIFY_WEBHOOK_SECRET"
	encoded, ok := strings.CutPrefix(c.WebhookSecret.Reveal(), secretPrefix)
	if !ok {
		return nil, &SettingError{setting, `is needed, as whsec_ and 24 to 64 bytes in base64: echo "whsec_$(openssl rand -base64 32)"`}
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, &SettingError{setting, "is not whsec_ and 24 to 64 bytes in base64"}
	}
	return key, nil
}

// checkWebhookURL takes any address of the operator's, private ones too: nobody else sets it.
func (c Config) checkWebhookURL() error {
	u, err := url.Parse(c.WebhookURL.Reveal())
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return &SettingError{"TOWPATH_NOTIFY_WEBHOOK_URL", "is no address such as https://hooks.example.com/towpath"}
	}
	return nil
}

// mailServer is a SMTP address that was read.
type mailServer struct {
	host, user, password string
	port                 int
	tls                  bool // from the first byte; else by STARTTLS
	clear                bool // no TLS at all: on a network of one's own
}

// ports of mail submission, with TLS from the start and with STARTTLS.
const (
	smtpsPort = 465
	smtpPort  = 587
)

func (c Config) mailServer() (mailServer, error) {
	const setting = "TOWPATH_NOTIFY_SMTP_URL"
	u, err := url.Parse(c.SMTPURL.Reveal())
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return mailServer{}, &SettingError{setting, "is no address such as smtp://user:password@mail.example.com:587 or smtps://mail.example.com (special characters of the password as %XX)"}
	}
	s := mailServer{host: u.Hostname(), user: u.User.Username(), tls: u.Scheme == "smtps", port: smtpPort}
	s.password, _ = u.User.Password()
	if s.tls {
		s.port = smtpsPort
	}
	if port := u.Port(); port != "" {
		if _, err := fmt.Sscan(port, &s.port); err != nil || s.port < 1 || s.port > 65535 {
			return s, &SettingError{setting, "has no port that there is"}
		}
	}
	for name, values := range u.Query() {
		if name != "tls" || len(values) != 1 || values[0] != "off" || s.tls {
			return s, &SettingError{setting, "knows ?tls=off only, of smtp://"}
		}
		s.clear = true
	}
	if s.clear && s.user != "" {
		return s, &SettingError{setting, "has a password and ?tls=off: it would travel in clear"}
	}
	return s, nil
}

func (c Config) checkAddresses() error {
	if _, err := mail.ParseAddress(c.From); err != nil {
		return &SettingError{"TOWPATH_NOTIFY_FROM", "is needed for e-mail, as an address"}
	}
	if len(c.To) == 0 {
		return &SettingError{"TOWPATH_NOTIFY_TO", "is needed for e-mail: addresses with commas between them"}
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return &SettingError{"TOWPATH_NOTIFY_TO", fmt.Sprintf("has %q, which is no address", to)}
		}
	}
	return nil
}

// ErrNobody means that no channel is set.
var ErrNobody = errors.New("nobody is told: set TOWPATH_NOTIFY_WEBHOOK_URL or TOWPATH_NOTIFY_SMTP_URL")
