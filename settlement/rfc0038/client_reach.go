package rfc0038

import (
	"context"
	"errors"
	"net/http"
)

// Reach asks whether the engine answers at all. It sends GET /accounts, which changes nothing: engines
// know no such request and answer 404 or 405. Every status counts as an answer and is returned; 401 and
// 403 refuse our token. Reach is in no statistics and in no event. The error is a [NoAnswerError].
func (c *Client) Reach(ctx context.Context) (status int, err error) {
	got, err := c.exchange(ctx, &request{method: http.MethodGet})
	if refused, ok := errors.AsType[*AnswerError](err); ok {
		return refused.Status, nil
	}
	return got.status, err
}
