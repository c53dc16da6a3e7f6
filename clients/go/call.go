package signoff

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one request. A write carries an idempotency key, created once, so that a retry after a lost response does not
// repeat the effect; calls that are harmless when repeated are marked repeatable.
type call struct {
	method     string
	path       string
	query      url.Values
	body       []byte // JSON, or nil
	key        string
	repeatable bool
	wait       time.Duration // how long the server may delay the response, in addition to the usual timeout
}

// safe reports whether the request may be sent again if its response was lost.
func (c *call) safe() bool { return c.repeatable || c.method == http.MethodGet || c.key != "" }

func get(path string, query url.Values) *call {
	return &call{method: http.MethodGet, path: path, query: query}
}

func post(path string, body any) (*call, error) {
	content, err := encoded(body)
	return &call{method: http.MethodPost, path: path, body: content}, err
}

// retries holds how long to wait and how long to retry.
type retries struct {
	timeout  time.Duration
	retryFor time.Duration
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// The limit holds even for what a proxy returns: a caller that can wait for days polls every few minutes.
	longestAsked = 300 * time.Second
)

// backoff computes pauses with full jitter, up to a limit that doubles, in addition to what the server asked for.
type backoff struct{ bound time.Duration }

// after returns how long to pause after this failure, or after no response (nil).
func (b *backoff) after(failure error) time.Duration {
	asked := time.Duration(0)
	if refused, ok := failure.(*Error); ok {
		asked = min(refused.RetryAfter, longestAsked)
	}
	if b.bound == 0 {
		b.bound = firstPause
	}
	pause := asked + time.Duration(rand.Float64()*float64(b.bound))
	b.bound = min(2*b.bound, longestPause)
	return pause
}

func (b *backoff) reset() { b.bound = 0 }

// sleep pauses; it returns the context's error if that ends first.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// perform sends a call until it gets a response, as long as a retry is safe, the failure may be temporary,
// and there is time left.
func (c *connection) perform(
	ctx context.Context, one *call, times retries, passing func(error) bool,
) (Object, error) {
	end := time.Now().Add(times.retryFor)
	var pauses backoff
	for {
		answer, err := c.attempt(ctx, one, times.timeout+one.wait)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, ended(ctx, err)
		}
		pause := pauses.after(err)
		if !(one.safe() || unsent(err)) || !passing(err) || !time.Now().Add(pause).Before(end) {
			return nil, err
		}
		if sleep(ctx, pause) != nil {
			return nil, ended(ctx, err)
		}
	}
}

// ended returns the context's error, together with the failure before it.
func ended(ctx context.Context, failure error) error {
	if errors.Is(failure, ctx.Err()) {
		return failure
	}
	return errors.Join(ctx.Err(), failure)
}

func unsent(err error) bool {
	lost, ok := err.(*ConnectionError)
	return ok && lost.Unsent
}

func (c *connection) attempt(ctx context.Context, one *call, timeout time.Duration) (Object, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, tooSlow(timeout))
	defer cancel()
	reply, err := c.exchange(ctx, one)
	if err != nil {
		return nil, err
	}
	if reply.status < 200 || reply.status >= 300 {
		return nil, refusal(reply.status, reply.headers, reply.body)
	}
	answer, ok := parsed(reply.body)
	if !ok {
		return nil, c.notSignoff(reply.status, reply.body)
	}
	if err := checkSubject(one.path, answer); err != nil {
		c.renew()
		return nil, err
	}
	return answer, nil
}

type tooSlow time.Duration

func (t tooSlow) Error() string { return fmt.Sprintf("none within %v", time.Duration(t)) }

// Timeout returns true, as for other errors of this kind.
func (t tooSlow) Timeout() bool { return true }

// queryOf returns a query of the pairs (name, value) that have a value.
func queryOf(pairs ...string) url.Values {
	query := url.Values{}
	for place := 0; place < len(pairs); place += 2 {
		if pairs[place+1] != "" {
			query.Set(pairs[place], pairs[place+1])
		}
	}
	return query
}

func truth(value bool) string {
	if value {
		return "true"
	}
	return ""
}

// CallOption configures one call.
type CallOption func(*callOptions)

type callOptions struct {
	key      string
	keyGiven bool
}

// WithIdempotencyKey sets the call's idempotency key instead of generating one: the same key names the same request, no
// matter how often and by which process it is sent.
func WithIdempotencyKey(key string) CallOption {
	return func(options *callOptions) { options.key, options.keyGiven = key, true }
}

// keyOf returns the idempotency key of a call: the given one, or else a new one.
func keyOf(options []CallOption) (string, error) {
	var all callOptions
	for _, option := range options {
		option(&all)
	}
	if !all.keyGiven {
		return freshKey(), nil
	}
	if strings.TrimSpace(all.key) == "" {
		return "", errors.New("signoff: the idempotency key is empty: give it a value, or omit it")
	}
	return all.key, nil
}
