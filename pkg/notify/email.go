package notify

import (
	"context"
	"fmt"
	"strings"

	"github.com/wneessen/go-mail"
)

// email sends a mail in plain text.
type email struct {
	server mailServer
	from   string
	to     []string
}

// email is the channel, or nil where it is not set.
func (c Config) email() (channel, error) {
	if c.SMTPURL.IsEmpty() {
		return nil, nil
	}
	server, err := c.mailServer()
	if err != nil {
		return nil, err
	}
	if err := c.checkAddresses(); err != nil {
		return nil, err
	}
	return email{server: server, from: c.From, to: c.To}, nil
}

func (email) name() string { return "email" }

func (e email) send(ctx context.Context, p parcel) error {
	m, err := p.message()
	if err != nil {
		return err
	}
	mail, err := e.mail(p.id, m)
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return fmt.Errorf("set up mail: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, mail); err != nil {
		return fmt.Errorf("send mail by %s: %w", e.server.host, err)
	}
	return nil
}

// mail has the id of the message in its own: a mail that is sent twice is known by it.
func (e email) mail(id string, m Message) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(e.from); err != nil {
		return nil, fmt.Errorf("set sender: %w", err)
	}
	if err := msg.To(e.to...); err != nil {
		return nil, fmt.Errorf("set recipients: %w", err)
	}
	_, host, _ := strings.Cut(strings.TrimSuffix(e.from, ">"), "@")
	msg.SetMessageIDWithValue(id + "@" + host)
	msg.SetDateWithValue(m.Timestamp)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject("Towpath: " + oneLine(m.Data.Title))
	msg.SetBodyString(mail.TypeTextPlain, m.text())
	return msg, nil
}

func (e email) client() (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(e.server.port), mail.WithTimeout(sendTimeout)}
	switch {
	case e.server.tls:
		options = append(options, mail.WithSSL())
	case e.server.clear:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.server.user != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(e.server.user), mail.WithPassword(e.server.password))
	}
	return mail.NewClient(e.server.host, options...)
}
