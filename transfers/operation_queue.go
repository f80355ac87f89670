package transfers

// operationList is operations in order.
type operationList struct{ head, tail *operation }

func (l *operationList) isEmpty() bool { return l.head == nil }

func (l *operationList) pushBack(o *operation) {
	o.next = nil
	if l.tail == nil {
		l.head = o
	} else {
		l.tail.next = o
	}
	l.tail = o
}

// popFront takes the first one, nil if there is none.
func (l *operationList) popFront() *operation {
	o := l.head
	if o == nil {
		return nil
	}
	if l.head = o.next; l.head == nil {
		l.tail = nil
	}
	o.next = nil
	return o
}

// appendList puts all of another list behind this one.
func (l *operationList) appendList(other operationList) {
	switch {
	case other.head == nil:
		return
	case l.tail == nil:
		l.head = other.head
	default:
		l.tail.next = other.head
	}
	l.tail = other.tail
}

// operationQueue is a list that knows how long it is.
type operationQueue struct {
	operationList
	operations int
	transfers  int // that they send
}

func (q *operationQueue) pushBack(o *operation) {
	q.operationList.pushBack(o)
	q.operations++
	q.transfers += o.transferCount()
}

// popFront takes the first one; there must be one.
func (q *operationQueue) popFront() *operation {
	o := q.operationList.popFront()
	q.operations--
	q.transfers -= o.transferCount()
	return o
}

func (q *operationQueue) appendQueue(other operationQueue) {
	q.operationList.appendList(other.operationList)
	q.operations += other.operations
	q.transfers += other.transfers
}
