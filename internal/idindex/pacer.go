package idindex

import "time"

// pacerSlack is the time by which a merge may be ahead, so that timers are few.
const pacerSlack = 20 * time.Millisecond

// pacer bounds the bytes of merges in a second. One goroutine uses it.
type pacer struct {
	bytesPerSecond int64
	stop           <-chan struct{}
	paid           time.Time // the moment by which the rate allows the bytes so far
}

// spendBytes waits until the bytes are allowed. It returns errStopped after stop was closed.
func (p *pacer) spendBytes(n int) error {
	select {
	case <-p.stop:
		return errStopped
	default:
	}
	now := time.Now()
	if p.paid.Before(now) {
		p.paid = now
	}
	p.paid = p.paid.Add(time.Duration(float64(n) / float64(p.bytesPerSecond) * float64(time.Second)))
	ahead := p.paid.Sub(now)
	if ahead < pacerSlack {
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.stop:
		return errStopped
	}
}
