package faulty

import (
	"context"
	"net"
	"sync"
)

// door is an address at which the server listens, with its connections.
type door struct {
	net.Listener

	stop context.CancelFunc
	done chan struct{} // closed when the server has left

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Accept notes the connection.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	noted := &notedConn{conn, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns[noted] = true
	return noted, nil
}

// cut ends the connections of now.
func (d *door) cut() {
	d.mu.Lock()
	var open []net.Conn
	for conn := range d.conns {
		open = append(open, conn)
	}
	d.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close()
	}
}

// notedConn forgets itself when it is closed.
type notedConn struct {
	net.Conn

	door *door
}

func (c *notedConn) Close() error {
	c.door.mu.Lock()
	delete(c.door.conns, c)
	c.door.mu.Unlock()
	return c.Conn.Close()
}
