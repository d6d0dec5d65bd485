package pgtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// goodbyes is how long the connections of a test that ended may take to end by
// themselves: those that were closed are on their way.
const goodbyes = time.Second

// door is the address of one test's database: a socket beside the server's, whose
// connections go through to it, byte by byte. A client that takes its leave leaves its
// connection to the server behind for the next one.
type door struct {
	db       *database
	url      string
	listener net.Listener
	sessions sync.WaitGroup // and the listener
	mu       sync.Mutex
	open     map[net.Conn]bool // clients and servers
	closed   bool
}

// lastPort numbers the doors: a socket's name has a port in it.
var lastPort atomic.Int64

const firstPort = 10_000

func openDoor(db *database) (*door, error) {
	port := firstPort + lastPort.Add(1)
	listener, err := net.Listen("unix", filepath.Join(filepath.Dir(serverSocket()), fmt.Sprintf(".s.PGSQL.%d", port)))
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(shared.server.URL(db.name))
	if err != nil {
		return nil, err
	}
	query := address.Query()
	query.Set("port", fmt.Sprint(port))
	address.RawQuery = query.Encode()
	d := &door{db: db, url: address.String(), listener: listener, open: map[net.Conn]bool{}}
	d.sessions.Go(d.accept)
	return d, nil
}

// serverSocket is where the server itself listens.
func serverSocket() string {
	address, err := url.Parse(shared.server.URL("postgres"))
	if err != nil {
		panic(err) // it was made by url.URL
	}
	return filepath.Join(address.Query().Get("host"), ".s.PGSQL."+address.Query().Get("port"))
}

func (d *door) accept() {
	for {
		client, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.sessions.Go(func() { d.serve(client) })
	}
}

// shut closes the door and reports whether any connection had to be cut off.
func (d *door) shut() (cut bool) {
	d.listener.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.sessions.Wait()
	}()
	select {
	case <-over:
	case <-time.After(goodbyes):
		cut = true
		d.mu.Lock()
		d.closed = true
		for conn := range d.open {
			conn.Close()
		}
		d.mu.Unlock()
		<-over
	}
	return cut
}

// holds notes a connection to be cut off at the end, and reports whether it is over
// already.
func (d *door) holds(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[conn] = true
	return !d.closed
}

func (d *door) lets(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, conn)
}

// serve is one client's connection, from its first words to its last.
func (d *door) serve(client net.Conn) {
	defer client.Close()
	if !d.holds(client) {
		return
	}
	defer d.lets(client)
	words, began, own, err := d.firstWords(client)
	if err != nil {
		return
	}
	var server *backend
	if own {
		server = d.db.take(began)
	}
	if server == nil {
		server, err = begin(words, began)
		own = own && err == nil && server.plain()
	}
	if server == nil {
		return
	}
	if _, writeErr := client.Write(server.greeting); err != nil || writeErr != nil {
		server.conn.Close()
		return
	}
	if !d.holds(server.conn) {
		server.conn.Close()
		return
	}
	left := relay(client, server.conn)
	if left && own {
		_ = server.conn.SetDeadline(time.Now().Add(patience))
		_, err := server.ask(afresh)
		_ = server.conn.SetDeadline(time.Time{})
		left = err == nil
	}
	d.lets(server.conn)
	if left && own {
		d.db.keep(server)
		return
	}
	server.conn.Close()
}

// What a client may begin with instead of its settings.
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
	gssRequest    = 80877104
)

// firstWords reads the client's settings: as they came, in an order of their own, and
// whether they are for the door's database. A request to cancel is passed on.
func (d *door) firstWords(client net.Conn) (words []byte, began string, own bool, err error) {
	for {
		words = make([]byte, 8)
		if _, err := io.ReadFull(client, words); err != nil {
			return nil, "", false, err
		}
		n := int(binary.BigEndian.Uint32(words))
		if n < 8 || n > 10_000 {
			return nil, "", false, errors.New("no words of Postgres")
		}
		words = append(words, make([]byte, n-8)...)
		if _, err := io.ReadFull(client, words[8:]); err != nil {
			return nil, "", false, err
		}
		switch binary.BigEndian.Uint32(words[4:]) {
		case sslRequest, gssRequest:
			if _, err := client.Write([]byte("N")); err != nil {
				return nil, "", false, err
			}
		case cancelRequest:
			return nil, "", false, passOn(words)
		default:
			fields := strings.Split(string(bytes.TrimRight(words[8:], "\x00")), "\x00")
			var settings []string
			for pair := range slices.Chunk(fields, 2) {
				setting := strings.Join(pair, "=")
				settings = append(settings, setting)
				own = own || setting == "database="+d.db.name
			}
			slices.Sort(settings)
			return words, strings.Join(settings, "\x00"), own, nil
		}
	}
}

// passOn sends a request to cancel and waits until the server has taken it, as the
// client does.
func passOn(words []byte) error {
	server, err := net.Dial("unix", serverSocket())
	if err != nil {
		return err
	}
	defer server.Close()
	_ = server.SetDeadline(time.Now().Add(patience))
	if _, err := server.Write(words); err != nil {
		return err
	}
	_, err = server.Read(make([]byte, 1))
	return errors.Join(errors.New("a request to cancel"), err)
}
