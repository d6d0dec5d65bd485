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

// event is a row of the history, and when its database began. After a restore its id is
// given again, its time is not.
type event struct {
	ID    int64     `json:"event_id"`
	At    time.Time `json:"at"`
	Begun time.Time `json:"begun"`
}

func (e event) look() dbsqlc.RestoreLookParams {
	return dbsqlc.RestoreLookParams{EventID: e.ID, At: e.At, Begun: e.Begun}
}

// Start reads the memory and looks, before anything is worked.
func (w *Watch) Start(ctx context.Context) error {
	w.recall(ctx)
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
	found, err := queries.RestoreLook(ctx, w.Pool, w.last.look())
	if err != nil {
		return fmt.Errorf("look whether the database was restored: %w", err)
	}
	if found.Standby { // what it does not have yet is not lost
		return nil
	}
	if begun(found) && found.Known && !found.Dumped {
		return w.remember(found)
	}
	if found, err = w.note(ctx); err != nil {
		return err
	}
	return w.remember(found)
}

func begun(found dbsqlc.RestoreLookRow) bool { return found.Begun.After(time.Unix(0, 0)) }

// note adds what another process has not noted meanwhile, and answers how it stands then.
func (w *Watch) note(ctx context.Context) (found dbsqlc.RestoreLookRow, err error) {
	var what string
	err = pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) (err error) {
		if err = queries.RestoreLock(ctx, tx); err != nil {
			return err
		}
		if what, err = w.noteLocked(ctx, tx); err != nil {
			return err
		}
		found, err = queries.RestoreLook(ctx, tx, event{}.look())
		return err
	})
	if err != nil {
		return found, fmt.Errorf("note that the database was restored: %w", err)
	}
	if what != "" {
		w.Logger.ErrorContext(ctx, "the database went back in time: what was accepted since is forgotten; see \"towpath restored show\"", "sign", what)
	}
	return found, nil
}

func (w *Watch) noteLocked(ctx context.Context, tx pgx.Tx) (what string, err error) {
	found, err := queries.RestoreLook(ctx, tx, w.last.look())
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
	case !begun(found):
		return "", queries.RestoreMark(ctx, tx, "begun")
	}
	return "", nil
}

// remember keeps the last row of the history that is committed.
func (w *Watch) remember(found dbsqlc.RestoreLookRow) error {
	last := event{ID: found.LastID, At: found.LastAt.UTC(), Begun: found.Begun.UTC()}
	if last == w.last {
		return nil
	}
	w.last = last
	if w.File == "" {
		return nil
	}
	return write(w.File, last)
}

// recall reads the file. One that is not there is a beginning; one that cannot be read, as
// a power cut may leave it, is told and written anew: without it only a dump is noticed.
func (w *Watch) recall(ctx context.Context) {
	if w.File == "" {
		return
	}
	raw, err := os.ReadFile(w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(raw, &w.last)
	}
	if err != nil {
		w.last = event{}
		w.Logger.ErrorContext(ctx, "a copy of the database's files is not noticed at this start", "file", w.File, "error", err)
	}
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
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write the state file: %w", err)
	}
	return nil
}
