// Package systemd is what a service manager and this process say to each other:
// sockets that it holds open over restarts, that we are ready or stop, and the
// watchdog. Where there is none, everything here does nothing.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager that started this process.
type Manager struct {
	Sockets  []net.Listener // that it holds open; this process has copies
	watchdog time.Duration  // it restarts us after so long without a ping; 0: it does not
	logger   *slog.Logger
}

// Found takes what the environment names, once in a process's life: children do not
// inherit it.
func Found() (*Manager, error) {
	m := &Manager{logger: slog.New(slog.DiscardHandler)}
	for i, file := range activation.Files(true) {
		socket, err := net.FileListener(file) // a copy of its own
		_ = file.Close()
		if err != nil {
			return nil, fmt.Errorf("take socket %d of systemd: %w", i+1, err)
		}
		if _, tcp := socket.Addr().(*net.TCPAddr); !tcp {
			return nil, fmt.Errorf("socket %d of systemd is %s; use TCP (ListenStream=HOST:PORT)", i+1, socket.Addr().Network())
		}
		m.Sockets = append(m.Sockets, socket)
	}
	var err error
	if m.watchdog, err = daemon.SdWatchdogEnabled(true); err != nil {
		return nil, fmt.Errorf("read the watchdog's time: %w", err)
	}
	return m, nil
}

// say tells the manager. It goes on without us where that fails, and the ping that was
// lost is followed by others.
func (m *Manager) say(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.logger.Warn("tell systemd", "error", err)
	}
}

// Ready says that we serve; status is for people.
func (m *Manager) Ready(logger *slog.Logger, status string) {
	m.logger = logger
	m.say(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// Stopping says that we end by ourselves.
func (m *Manager) Stopping() {
	m.say(daemon.SdNotifyStopping + "\nSTATUS=stops: jobs under way end or are put back")
}

// looks is how often a look is taken within the watchdog's time: a single one that
// fails restarts nothing.
const looks = 6

// Watch looks again and again until ctx ends, and pings while a restart would mend
// nothing. Stuck is what a restart may mend; status is for people.
func (m *Manager) Watch(ctx context.Context, look func(context.Context) (status string, stuck error)) {
	every := m.watchdog / looks
	if every == 0 {
		every = 20 * time.Second // nobody restarts us, and the status is shown all the same
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		status, stuck := look(ctx)
		switch {
		case ctx.Err() != nil: // it says nothing
		case stuck != nil:
			m.logger.ErrorContext(ctx, "stuck", "error", stuck, "watchdog", m.watchdog.String())
			m.say("STATUS=stuck: " + stuck.Error())
		default:
			m.say(daemon.SdNotifyWatchdog + "\nSTATUS=" + status)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
