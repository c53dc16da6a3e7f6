package signoff

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

const (
	longestCode    = 128
	longestMessage = 2000
)

// lease records whether another process may have the step by now.
type lease struct{ lost atomic.Bool }

// LeaseLost reports whether another process may have the step too, for example after this machine was suspended, so
// that later work may be done twice. Check it before an irreversible action.
func (d *Delivery) LeaseLost() bool { return d.lease != nil && d.lease.lost.Load() }

func (d *Delivery) name() string {
	step := d.StepID
	if step == "" {
		step = "-"
	}
	return fmt.Sprintf("step %s of intent %s (attempt %d)", step, d.IntentID, d.Attempt)
}

// do works on one delivery: it calls the handler, renews the lease while it runs, and reports.
func (w *worker) do(delivery *Delivery) {
	delivery.lease = &lease{}
	ctx, cancel := context.WithCancelCause(w.working)
	keeping := make(chan struct{})
	renewing, stop := context.WithCancel(w.working)
	go func() {
		defer close(keeping)
		w.keep(renewing, delivery, cancel)
	}()
	defer func() {
		stop()
		<-keeping
		cancel(nil)
	}()
	report := w.outcome(ctx, delivery)
	if report == nil || w.working.Err() != nil {
		w.log.Warn(delivery.name() + " was cut off; its lease will expire")
		return
	}
	w.report(delivery, report)
}

// keep renews the lease each time a third of it has passed; it tells the handler when the lease may be lost.
func (w *worker) keep(ctx context.Context, delivery *Delivery, cancel context.CancelCauseFunc) {
	length := w.agent.lease
	renewed := time.Now()
	for sleep(ctx, length/3) == nil {
		began := time.Now()
		// By both clocks: the monotonic one may stand still while the machine is suspended.
		passed := max(began.Sub(renewed), began.Round(0).Sub(renewed.Round(0)))
		if passed >= length {
			delivery.lease.lost.Store(true) // another worker may have the step by now
		}
		limit, end := context.WithTimeout(ctx, max(length-passed, length/3))
		one, err := ofDelivery(delivery, "renew", Object{"lease_seconds": length.Seconds()})
		if err == nil {
			_, err = w.client.persist(limit, one, passes)
		}
		end()
		switch {
		case err == nil:
			// Renewed under the same token: no other worker got it in the meantime.
			delivery.lease.lost.Store(false)
			renewed = began
		case ctx.Err() != nil:
			return
		default:
			refused, definite := err.(*Error)
			definite = definite && !passes(refused)
			if definite || !delivery.LeaseLost() {
				w.log.Warn("the lease of "+delivery.name()+" is lost", "error", err)
			}
			delivery.lease.lost.Store(true)
			if definite {
				cancel(ErrLeaseLost)
				return
			}
		}
	}
}

// ofDelivery is a call about a delivery. Its token makes it repeatable: a second one finds the step closed and
// changes nothing.
func ofDelivery(delivery *Delivery, verb string, body Object) (*call, error) {
	body["token"] = delivery.Token
	one, err := keyed(body, "/v1/deliveries/%s/"+verb, delivery.DeliveryID)
	if err != nil {
		return nil, err
	}
	one.key, one.repeatable = "", true
	return one, nil
}

func (w *worker) release(delivery *Delivery) {
	ctx, cancel := context.WithTimeout(w.working, time.Second)
	defer cancel()
	one, err := ofDelivery(delivery, "release", Object{})
	if err == nil {
		_, err = w.client.persist(ctx, one, mayPass)
	}
	if err != nil {
		w.log.Warn("could not release "+delivery.name()+", its lease will expire", "error", err)
	}
}

// report is the body of a report, with the result that it contains.
type report struct {
	body   Object
	result any
}

func failure(code, message string, retryable bool) *report {
	return &report{body: Object{"error": Object{
		"code":      cutTo(orElse(code, "agent_error"), longestCode),
		"message":   cutTo(message, longestMessage),
		"retryable": retryable,
	}}}
}

// cutTo cuts text to what the server accepts; if the report were refused, the failure would be lost.
func cutTo(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	for place := range text {
		if most == 0 {
			return text[:place]
		}
		most--
	}
	return text
}

// outcome calls the handler; it returns nil if the work was cut off.
func (w *worker) outcome(ctx context.Context, delivery *Delivery) *report {
	handler := w.agent.handlers[delivery.IntentType]
	if handler == nil {
		handler = w.agent.handlers["*"]
	}
	if handler == nil {
		w.log.Error("the agent has no handler for "+delivery.IntentType, "agent", w.agent.name)
		return failure("unknown_intent_type", "This agent has no handler for "+delivery.IntentType+".", true)
	}
	result, err, returned := w.call(ctx, func() (any, error) { return handler(ctx, delivery) })
	if !returned {
		return nil
	}
	var failed *StepFailedError
	var panicked *panicError
	switch {
	case err == nil:
		return w.fitting(ctx, delivery, result)
	case errors.As(err, &failed):
		w.log.Info(delivery.name()+" failed", "code", failed.Code)
		return failure(failed.Code, failed.Message, failed.Retryable)
	case w.working.Err() != nil:
		return nil // the handler stopped because it was told to
	case errors.As(err, &panicked):
		w.log.Error("the handler of "+delivery.name()+" panicked", "panic", panicked.value, "stack", panicked.stack)
	default:
		w.log.Warn("the handler of "+delivery.name()+" failed", "error", err)
	}
	return failure("agent_error", textOfError(err), true)
}

// textOfError returns an error's text, or a note if reading it panics.
func textOfError(err error) (text string) {
	defer func() {
		if recovered := recover(); recovered != nil {
			text = fmt.Sprintf("%T, whose text cannot be read", err)
		}
	}()
	return err.Error()
}

type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

type outcome struct {
	result any
	err    error
}

// call calls a user's function in a separate goroutine. returned is false if the function was cut off; its goroutine
// is then abandoned.
func (w *worker) call(ctx context.Context, function func() (any, error)) (result any, err error, returned bool) {
	done := make(chan outcome, 1)
	go func() {
		// This runs however the goroutine ends: a return, a panic, or runtime.Goexit.
		end := outcome{err: errors.New("the handler ended its goroutine (runtime.Goexit)")}
		defer func() { done <- end }()
		defer func() {
			if recovered := recover(); recovered != nil {
				end = outcome{err: &panicError{recovered, string(debug.Stack())}}
			}
		}()
		result, err := function()
		end = outcome{result, err}
	}()
	select {
	case end := <-done:
		return end.result, end.err, true
	case <-w.working.Done():
	}
	// The handler was told to stop; its result still counts if it comes soon.
	timer := time.NewTimer(linger / 2)
	defer timer.Stop()
	select {
	case end := <-done:
		return end.result, end.err, true
	case <-timer.C:
		return nil, nil, false
	}
}

// fitting returns the report of a handler's result. If the result cannot be reported, the report says why, and the
// result is saved here. The work is done and must not be repeated, whatever its result.
func (w *worker) fitting(ctx context.Context, delivery *Delivery, result any) *report {
	content, why := resultOf(result)
	if why == "" && w.agent.reduce != nil && tooLarge(delivery, content) {
		reduced, err, returned := w.call(ctx, func() (any, error) { return w.agent.reduce(ctx, delivery, result) })
		if !returned {
			return nil
		}
		if err != nil {
			w.log.Warn("the function for large results failed for "+delivery.name(), "error", textOfError(err))
		} else {
			result = reduced
			content, why = resultOf(reduced)
		}
	}
	if why != "" {
		why = fmt.Sprintf("The handler of %s returned %s.", delivery.IntentType, why)
		return w.unstored(delivery, "invalid_result", why, result)
	}
	if tooLarge(delivery, content) {
		why = fmt.Sprintf("The result of the handler of %s is %d bytes; this server accepts reports of at most %d.",
			delivery.IntentType, len(content), delivery.MaxReportBytes)
		return w.unstored(delivery, "result_too_large", why, result)
	}
	return &report{body: Object{"result": content}, result: result}
}

// unstored is the failure of a step whose work is done but whose result cannot be reported. It is not retried, because
// a retry would repeat the work.
func (w *worker) unstored(delivery *Delivery, code, why string, result any) *report {
	where := kept(delivery, result)
	w.log.Error(delivery.name()+": "+why, "saved", where)
	return failure(code, why+" "+where, false)
}

func (w *worker) report(delivery *Delivery, what *report) {
	ctx, cancel := context.WithTimeout(w.working, reportFor)
	defer cancel()
	one, err := ofDelivery(delivery, "report", what.body)
	if err == nil {
		_, err = w.client.persist(ctx, one, passes)
	}
	var refused *Error
	switch {
	case err == nil:
	case errors.Is(err, ErrInvalid):
		w.log.Error("the report of "+delivery.name()+" was refused", "error", err)
		if _, had := what.body["result"]; had {
			why := fmt.Sprintf("The server refused the result of the handler of %s: %v", delivery.IntentType, err)
			w.report(delivery, w.unstored(delivery, "invalid_result", why, what.result))
		}
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound):
		delivery.lease.lost.Store(true)
		w.log.Warn("the report of "+delivery.name()+" was too late and was dropped", "error", err)
	case errors.As(err, &refused) && refused.Status != http.StatusOK:
		w.log.Error(delivery.name()+" could not be reported; its lease will expire", "error", err)
	default:
		w.log.Warn(delivery.name()+" could not be reported; its lease will expire", "error", err)
	}
}

// tooLarge reports whether a report with this result is larger than the server accepts.
func tooLarge(delivery *Delivery, content []byte) bool {
	envelope, err := encoded(Object{"result": Object{}, "token": delivery.Token})
	return err == nil && delivery.MaxReportBytes > 0 &&
		len(envelope)-len("{}")+len(content) > delivery.MaxReportBytes
}
