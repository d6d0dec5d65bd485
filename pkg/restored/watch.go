package restored

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// every is how often a process looks: of what was lost, the last while before a crash is
// not noticed where nothing older was lost with it.
const every = time.Second

// queries is stateless: sqlc's methods take the connection as an argument.
var queries = dbsqlc.New()

// Watch is one process's look at its database. It is safe for concurrent use.
type Watch struct {
	Pool   *pgxpool.Pool
	File   string // where the memory outlives the process; empty: nowhere
	Logger *slog.Logger

	mu   sync.Mutex
	last event
}

// event is a row of the history. Its id is given again after a restore, its time is not.
type event struct {
	ID    int64     `json:"event_id"`
	RunID uuid.UUID `json:"run_id"`
	At    time.Time `json:"at"`
}

// Start reads the memory and looks, before anything is worked.
func (w *Watch) Start(ctx context.Context) error {
	if err := w.recall(); err != nil {
		return err
	}
	return w.Look(ctx)
}

// Run looks every second until ctx ends. A database that does not answer is asked again.
func (w *Watch) Run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var said string
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := w.Look(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != said {
			w.Logger.WarnContext(ctx, "look whether the database was restored", "error", err)
		}
		if said = ""; err != nil {
			said = err.Error()
		}
	}
}

// Look compares the database with what is remembered, notes what is found, and remembers
// how it stands now.
func (w *Watch) Look(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	found, err := queries.RestoreLook(ctx, w.Pool, dbsqlc.RestoreLookParams{EventID: w.last.ID, RunID: w.last.RunID, At: w.last.At})
	if err != nil {
		return fmt.Errorf("look whether the database was restored: %w", err)
	}
	if found.Standby { // what it does not have yet is not lost
		return nil
	}
	if !found.Begun || !found.Known || found.Dumped {
		if err := w.note(ctx); err != nil {
			return err
		}
	}
	return w.remember(ctx)
}

// note adds what another process has not noted meanwhile.
func (w *Watch) note(ctx context.Context) error {
	var what string
	err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) (err error) {
		if err := queries.RestoreLock(ctx, tx); err != nil {
			return err
		}
		what, err = w.noteLocked(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("note that the database was restored: %w", err)
	}
	if what != "" {
		w.Logger.ErrorContext(ctx, "the database went back in time: what was accepted since is forgotten; see \"towpath restored show\"", "sign", what)
	}
	return nil
}

func (w *Watch) noteLocked(ctx context.Context, tx pgx.Tx) (what string, err error) {
	found, err := queries.RestoreLook(ctx, tx, dbsqlc.RestoreLookParams{EventID: w.last.ID, RunID: w.last.RunID, At: w.last.At})
	if err != nil {
		return "", err
	}
	noted := true
	if !found.Known {
		if noted, err = queries.RestoreNoted(ctx, tx, w.last.At); err != nil {
			return "", err
		}
	}
	switch {
	case !noted:
		return "missing", queries.RestoreNote(ctx, tx, dbsqlc.RestoreNoteParams{What: "missing", Before: w.last.At})
	case found.Dumped:
		return "dumped", queries.RestoreNote(ctx, tx, dbsqlc.RestoreNoteParams{What: "dumped", Before: time.Now()})
	case !found.Begun:
		return "", queries.RestoreMark(ctx, tx, "begun")
	}
	return "", nil
}

// remember keeps the last row of the history that is committed.
func (w *Watch) remember(ctx context.Context) error {
	row, err := queries.RestoreLastEvent(ctx, w.Pool)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read the last event: %w", err)
	}
	last := event{ID: row.ID, RunID: row.RunID, At: row.At}
	if last == w.last {
		return nil
	}
	w.last = last
	if w.File == "" {
		return nil
	}
	return write(w.File, last)
}

// recall reads the file. One that is not there is a beginning; one that cannot be read is
// a mistake to be told, since it may be the only memory there is.
func (w *Watch) recall() error {
	if w.File == "" {
		return nil
	}
	raw, err := os.ReadFile(w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return write(w.File, event{}) // says now whether it can be written
	}
	if err == nil {
		err = json.Unmarshal(raw, &w.last)
	}
	if err != nil {
		return fmt.Errorf("read the state file %q: %w", w.File, err)
	}
	return nil
}

// write replaces the file as a whole.
func write(name string, last event) error {
	raw, err := json.Marshal(last)
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write the state file: %w", err)
	}
	_, err = file.Write(append(raw, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write the state file: %w", err)
	}
	return nil
}
