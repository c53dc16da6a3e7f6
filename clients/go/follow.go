package signoff

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	longestHold  = 30 * time.Second
	shortestHold = time.Second
)

// Observe yields the intent's events after since, each once, in order, as they happen, up to the final one, across lost
// connections and restarts of the server. An error ends the iteration: a *WaitTimeoutError when the context ends.
//
//	for event, err := range client.Observe(ctx, id, 0) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(event.EventType, event.Status)
//	}
func (c *Client) Observe(ctx context.Context, intentID string, since int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: c, intentID: intentID, since: since}
		stopped := false
		err := f.follow(ctx, func(event Event) bool {
			stopped = !yield(event, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(Event{}, err)
		}
	}
}

// WaitFor waits until the intent is final, across lost connections and restarts of the server; it returns the Result
// for any ending. Limit the wait with the context; the error is then a *WaitTimeoutError.
func (c *Client) WaitFor(ctx context.Context, intentID string) (*Result, error) {
	for {
		f := follower{client: c, intentID: intentID}
		result, err := f.result(ctx)
		if err != nil || result.ParentIntentID == "" {
			return result, err
		}
		intentID = result.ParentIntentID // a step can end before its request does
	}
}

// Poll is WaitFor without waiting: the Result if the intent is final now, else a *WaitTimeoutError.
func (c *Client) Poll(ctx context.Context, intentID string) (*Result, error) {
	for {
		intent, err := c.GetIntent(ctx, intentID)
		if err != nil {
			return nil, err
		}
		if !intent.Final() {
			return nil, &WaitTimeoutError{IntentID: intentID, Status: intent.Status, cause: context.DeadlineExceeded}
		}
		if intent.ParentIntentID == "" {
			return &Result{*intent}, nil
		}
		intentID = intent.ParentIntentID
	}
}

// follower is one intent being followed. since is the last event's number, status the last one seen.
type follower struct {
	client   *Client
	intentID string
	since    int
	status   string
	pauses   backoff
	trouble  error
}

// follow emits every event after since, up to a final one, until emit returns false.
func (f *follower) follow(ctx context.Context, emit func(Event) bool) error {
	late := f.since
	for {
		before, began := f.since, time.Now()
		over, err := f.connection(ctx, emit)
		var pause time.Duration
		switch {
		case err == nil && over:
			return nil
		case ctx.Err() != nil:
			return f.late(ctx)
		case err == nil:
			pause = f.rested(before, began)
		case mayPass(err):
			pause = f.suffer(err)
		default:
			return err
		}
		if f.trouble == nil && late > 0 && f.since == late {
			// Otherwise a caller that connects late may wait for an event that it already has.
			over, err := f.rest(ctx, emit)
			if over || err != nil {
				return err
			}
		}
		if sleep(ctx, pause) != nil {
			return f.late(ctx)
		}
	}
}

// result follows the intent to its end and reads its result.
func (f *follower) result(ctx context.Context) (*Result, error) {
	path, err := pathWith("/v1/intents/%s", f.intentID)
	if err != nil {
		return nil, err
	}
	if err := f.follow(ctx, func(Event) bool { return true }); err != nil {
		return nil, err
	}
	for {
		answer, err := f.fetch(ctx, get(path, nil))
		if err != nil {
			return nil, err
		}
		result := &Result{read[Intent](map[string]any(inner(answer, "intent")))}
		f.status = result.Status
		if result.Final() {
			return result, nil
		}
		if sleep(ctx, firstPause) != nil {
			return nil, f.late(ctx)
		}
	}
}

// connection reads one connection to its end; returns whether the final event arrived, or the consumer stopped.
func (f *follower) connection(ctx context.Context, emit func(Event) bool) (bool, error) {
	path, err := pathWith("/v1/intents/%s/events/stream", f.intentID)
	if err != nil {
		return false, err
	}
	hold := longestHold
	if end, limited := ctx.Deadline(); limited {
		hold = max(time.Second, min(hold, time.Until(end)))
	}
	seconds := int((hold + time.Second - 1) / time.Second)
	query := url.Values{"since": {strconv.Itoa(f.since)}, "wait_seconds": {strconv.Itoa(seconds)}}
	quiet := hold + f.client.retries.timeout
	inside, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(quiet, func() { cancel(tooSlow(quiet)) })
	defer watch.Stop()
	one := get(path, query)
	response, err := f.client.connection.send(inside, one, "text/event-stream")
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		reply, err := f.client.connection.whole(inside, response)
		if err != nil {
			return false, err
		}
		return false, refusal(reply.status, reply.headers, reply.body)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		start, _ := io.ReadAll(io.LimitReader(response.Body, 4*shownBytes))
		return false, f.client.connection.notSignoff(response.StatusCode, start)
	}
	if f.trouble != nil {
		f.client.log.InfoContext(ctx, "following the intent again", "intent_id", f.intentID)
		f.trouble = nil
	}
	return f.stream(inside, response.Body, emit, func() { watch.Reset(quiet) })
}

func (f *follower) stream(
	ctx context.Context, body io.Reader, emit func(Event) bool, alive func(),
) (bool, error) {
	var parser sseParser
	chunk := make([]byte, 16<<10)
	for {
		n, err := body.Read(chunk)
		frames, large := parser.feed(chunk[:n])
		for _, one := range frames {
			event, err := f.event(one)
			if err != nil {
				return false, err
			}
			if event == nil || event.Seq <= f.since {
				continue
			}
			f.progress(event)
			if !emit(*event) || event.Final() {
				return true, nil
			}
		}
		if large != nil {
			return false, notSignoff(http.StatusOK, []byte("an event without an end"))
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, f.client.connection.lost(ctx, err, false)
		}
		alive()
	}
}

// rest reports whether the intent was final when we began; it emits the events that are left.
func (f *follower) rest(ctx context.Context, emit func(Event) bool) (bool, error) {
	path, err := pathWith("/v1/intents/%s", f.intentID)
	if err != nil {
		return false, err
	}
	answer, err := f.fetch(ctx, get(path, nil))
	if err != nil {
		return false, err
	}
	if intent := read[Intent](map[string]any(inner(answer, "intent"))); !intent.Final() {
		return false, nil
	}
	answer, err = f.fetch(ctx, get(path+"/events", url.Values{"since": {strconv.Itoa(f.since)}}))
	if err != nil {
		return false, err
	}
	for _, event := range readList[Event](answer, "events") {
		f.progress(&event)
		if !emit(event) {
			break
		}
	}
	return true, nil
}

func (f *follower) fetch(ctx context.Context, one *call) (Object, error) {
	answer, err := f.client.persist(ctx, one, mayPass)
	if err != nil && ctx.Err() != nil {
		return nil, f.late(ctx)
	}
	return answer, err
}

// event returns the intent's event in a frame; nil for any other frame.
func (f *follower) event(one frame) (*Event, error) {
	if !strings.HasPrefix(one.event, "intent.") {
		return nil, nil
	}
	data, _ := parsed([]byte(one.data))
	event := read[Event](map[string]any(data))
	if event.Seq == 0 {
		return nil, f.client.connection.notSignoff(http.StatusOK, []byte(one.data))
	}
	if event.IntentID != "" && !sameSubject(event.IntentID, f.intentID) {
		f.client.connection.renew()
		return nil, &WrongResponseError{
			"Following intent " + f.intentID + ", received an event of " + event.IntentID + "."}
	}
	return &event, nil
}

func (f *follower) progress(event *Event) {
	f.pauses.reset()
	f.since = event.Seq
	if event.Status != "" {
		f.status = event.Status
	}
}

// rested returns how long to pause after a normal end of the stream: not at all, unless it ended immediately and
// without events.
func (f *follower) rested(before int, began time.Time) time.Duration {
	if f.since == before && time.Since(began) < shortestHold {
		return f.pauses.after(nil)
	}
	f.pauses.reset()
	return 0
}

func (f *follower) suffer(failure error) time.Duration {
	if f.trouble == nil {
		f.client.log.Warn("lost the intent's events, will resume", "intent_id", f.intentID, "error", failure)
	}
	f.trouble = failure
	return f.pauses.after(failure)
}

func (f *follower) late(ctx context.Context) error {
	return &WaitTimeoutError{
		IntentID: f.intentID, Status: f.status, Since: f.since, cause: ctx.Err(), trouble: f.trouble,
	}
}
