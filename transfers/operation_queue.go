package transfers

// operationList is a linked list of operations, in order.
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

// popFront takes the first operation, nil if the list is empty.
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

// appendList moves all operations of added behind those of l.
func (l *operationList) appendList(added operationList) {
	switch {
	case added.head == nil:
		return
	case l.tail == nil:
		l.head = added.head
	default:
		l.tail.next = added.head
	}
	l.tail = added.tail
}

// operationQueue is an operationList with its length.
type operationQueue struct {
	operationList
	operations int
	transfers  int // of the operations
}

func (q *operationQueue) pushBack(o *operation) {
	q.operationList.pushBack(o)
	q.operations++
	q.transfers += o.transferCount()
}

// popFront takes the first operation. REQUIRES: the queue is not empty.
func (q *operationQueue) popFront() *operation {
	o := q.operationList.popFront()
	q.operations--
	q.transfers -= o.transferCount()
	return o
}

func (q *operationQueue) appendQueue(added operationQueue) {
	q.appendList(added.operationList)
	q.operations += added.operations
	q.transfers += added.transfers
}
