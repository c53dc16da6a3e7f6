package signoff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Targets for errors.Is with an *Error, by kind of refusal.
var (
	// ErrAuthenticationFailed (401): the key is missing, unknown, expired or revoked.
	ErrAuthenticationFailed = errors.New("signoff: authentication failed")
	// ErrPermissionDenied (403): this key may see it, but may not do this.
	ErrPermissionDenied = errors.New("signoff: permission denied")
	// ErrNotFound (404): unknown, or not visible to this key; the two are indistinguishable.
	ErrNotFound = errors.New("signoff: not found")
	// ErrConflict (409): the state has changed; the error's Code says how.
	ErrConflict = errors.New("signoff: conflict")
	// ErrAlreadyDecided is an ErrConflict: somebody else answered first; Details says what, who, when and where.
	ErrAlreadyDecided = errors.New("signoff: already decided")
	// ErrAlreadyUsed is an ErrConflict: the outcome has already been used; it can be used only once.
	ErrAlreadyUsed = errors.New("signoff: already used")
	// ErrStaleRevision is an ErrConflict: what is being decided is not what was shown. Read it again, then answer.
	ErrStaleRevision = errors.New("signoff: stale revision")
	// ErrInvalid (400, 413, 422): the request is malformed, too large, or asks for something impossible.
	ErrInvalid = errors.New("signoff: invalid request")
	// ErrRateLimited (429): too many requests.
	ErrRateLimited = errors.New("signoff: rate limited")
	// ErrServerFailed (5xx): the server, or something in front of it, failed.
	ErrServerFailed = errors.New("signoff: server failed")
	// ErrServerBusy (503) is an ErrServerFailed: temporarily unavailable; nothing was written.
	ErrServerBusy = errors.New("signoff: server busy")
)

// Error is an error that the server responded with.
type Error struct {
	// Code is a stable code for programs.
	Code string
	// Message is a sentence for people.
	Message string
	// Status is the HTTP status.
	Status int
	// Field is the offending field, if there is one.
	Field string
	// Hint is what to do next, if there is a hint.
	Hint string
	// Details has additional values for this code.
	Details Object
	// RequestID finds the request in the server's log.
	RequestID string
	// RetryAfter is how long the server asked to wait, or 0.
	RetryAfter time.Duration
	// Retryable says whether the same request may succeed shortly after.
	Retryable bool
	// Genuine is false if the response is not in Signoff's format, because it came from a proxy or another program.
	Genuine bool
}

// Error returns the message with its code, its hint and the id of the request.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s [%s]", e.Message, e.Code)
	if e.Hint != "" {
		text += " " + e.Hint
	}
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request %s)", e.RequestID)
	}
	return text
}

// Is reports whether the error is of the kind of the target, such as ErrNotFound.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrAuthenticationFailed:
		return e.Status == http.StatusUnauthorized
	case ErrPermissionDenied:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrAlreadyDecided:
		return e.Status == http.StatusConflict && e.Code == "already_decided"
	case ErrAlreadyUsed:
		return e.Status == http.StatusConflict && e.Code == "already_used"
	case ErrStaleRevision:
		return e.Status == http.StatusConflict &&
			(e.Code == "stale_revision" || e.Code == "stale_stage" || e.Code == "not_shown")
	case ErrInvalid:
		return e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge ||
			e.Status == http.StatusUnprocessableEntity
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrServerFailed:
		return e.Status >= 500 || e.Code == notSignoffCode
	case ErrServerBusy:
		return e.Status == http.StatusServiceUnavailable
	}
	return false
}

// ConnectionError means that the server did not respond.
type ConnectionError struct {
	// Unsent is true if the request certainly did not reach the server, so that any call may be repeated.
	Unsent  bool
	message string
	cause   error
}

func (e *ConnectionError) Error() string { return e.message }

// Unwrap returns the error of the transport.
func (e *ConnectionError) Unwrap() error { return e.cause }

// WrongResponseError means that the response is for another request, or about another intent. It was discarded; the
// request may or may not have taken effect.
type WrongResponseError struct{ message string }

func (e *WrongResponseError) Error() string { return e.message }

// NotConfiguredError means that no server, or no key for it, was found. Its text lists the places that were searched
// and the next step.
type NotConfiguredError struct{ message string }

func (e *NotConfiguredError) Error() string { return e.message }

// WaitTimeoutError means that the context ended before the intent did, or, for a gated call, before its outcome was
// used. The intent continues; waiting again is safe. It wraps the context's error, so that errors.Is(err,
// context.DeadlineExceeded) distinguishes a deadline from a cancelation.
type WaitTimeoutError struct {
	// IntentID is "" if the context ended while a gated call was being submitted.
	IntentID string
	// Status is the last status seen, or "" if none was received. If it is a final one, the outcome of a gated call may
	// have been used; the text says so.
	Status string
	// Since is the sequence number of the last event that was received.
	Since   int
	cause   error
	trouble error
	message string // "" for the usual one
}

func (e *WaitTimeoutError) Error() string {
	if e.message != "" {
		return e.message
	}
	seen := "no event was received"
	if e.Status != "" {
		seen = "it was " + e.Status + " when last seen"
	}
	text := fmt.Sprintf("No result of intent %s in time (%v): %s. It is still running; wait for it again.", e.IntentID, e.cause, seen)
	if e.trouble != nil {
		text += fmt.Sprintf(" The event stream failed: %v", e.trouble)
	}
	return text
}

// Unwrap returns the context's error, and what kept the events from arriving, if anything did.
func (e *WaitTimeoutError) Unwrap() []error {
	if e.trouble == nil {
		return []error{e.cause}
	}
	return []error{e.cause, e.trouble}
}

// Timeout returns true, as for other errors of this kind.
func (e *WaitTimeoutError) Timeout() bool { return true }

// FailedError means that an intent ended without being completed. Every error that [Result.Err] returns is one, for
// errors.As.
type FailedError struct {
	Result  *Result
	message string
}

func (e *FailedError) Error() string { return e.message }

// RejectedError means that a person rejected the intent.
type RejectedError struct{ *FailedError }

// SupersededError means that changes were requested, and no revision followed.
type SupersededError struct{ *FailedError }

// UndeliverableError means that no eligible approver could be reached.
type UndeliverableError struct{ *FailedError }

// CanceledError means that the intent was canceled.
type CanceledError struct{ *FailedError }

// WithdrawnError is a CanceledError: the request was withdrawn while a task was open.
type WithdrawnError struct{ *CanceledError }

// TimedOutError means that the intent's deadline passed.
type TimedOutError struct{ *FailedError }

// ExpiredError is a TimedOutError: nobody decided before the deadline. Silence is never consent, and it is not a
// rejection either.
type ExpiredError struct{ *TimedOutError }

// Unwrap returns the error as a FailedError.
func (e *RejectedError) Unwrap() error { return e.FailedError }

// Unwrap returns the error as a FailedError.
func (e *SupersededError) Unwrap() error { return e.FailedError }

// Unwrap returns the error as a FailedError.
func (e *UndeliverableError) Unwrap() error { return e.FailedError }

// Unwrap returns the error as a FailedError.
func (e *CanceledError) Unwrap() error { return e.FailedError }

// Unwrap returns the error as a CanceledError.
func (e *WithdrawnError) Unwrap() error { return e.CanceledError }

// Unwrap returns the error as a FailedError.
func (e *TimedOutError) Unwrap() error { return e.FailedError }

// Unwrap returns the error as a TimedOutError.
func (e *ExpiredError) Unwrap() error { return e.TimedOutError }

// InvalidEditError means that people approved a gated call with edited arguments that do not fit it. It was not made.
type InvalidEditError struct {
	message string
	cause   error
}

func (e *InvalidEditError) Error() string { return e.message }

// Unwrap returns the error of the gate's Check, if that refused the edit.
func (e *InvalidEditError) Unwrap() error { return e.cause }

func invalidEdit(format string, args ...any) error {
	return &InvalidEditError{message: fmt.Sprintf(format, args...)}
}

// StepFailedError is returned by an agent's handler to fail the step on purpose. Any other error counts as retryable.
type StepFailedError struct {
	// Code is a stable code for programs, such as table_locked.
	Code    string
	Message string
	// Retryable says whether the plan's retries apply.
	Retryable bool
}

func (e *StepFailedError) Error() string { return e.Message }

// ErrLeaseLost is the cause (context.Cause) of a handler's context once the server has given the step to another
// process.
var ErrLeaseLost = errors.New("signoff: the lease is lost")

const (
	shownBytes     = 200
	notSignoffCode = "not_signoff"
)

// refusal is the error for a response outside 2xx.
func refusal(status int, headers http.Header, body []byte) *Error {
	e := &Error{
		Code:       fmt.Sprintf("http_%d", status),
		Status:     status,
		RequestID:  headers.Get("X-Request-Id"),
		RetryAfter: retryAfter(headers.Get("Retry-After")),
		Retryable:  status == 429 || status == 502 || status == 503 || status == 504,
	}
	var answer struct {
		Error map[string]any `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err == nil && answer.Error != nil {
		e.Genuine = true
		e.Code = textOr(answer.Error["code"], e.Code)
		e.Message = textOr(answer.Error["message"], fmt.Sprintf("The server responded with HTTP %d.", status))
		e.Hint = textOr(answer.Error["hint"], "")
		e.Field = textOr(answer.Error["field"], "")
		e.Details, _ = answer.Error["details"].(map[string]any)
		return e
	}
	e.Message = fmt.Sprintf("A server that is not Signoff responded with HTTP %d", status)
	if status >= 300 && status < 400 {
		where := headers.Get("Location")
		if where == "" {
			where = "nowhere"
		}
		e.Message += fmt.Sprintf(" and points to %q; use that address", where)
	}
	if shown := shownText(body); shown != "" {
		e.Message += fmt.Sprintf(": %q", shown)
	}
	e.Message += "."
	return e
}

// notSignoff is the error for a success that no Signoff server would send, because another program listens there.
func notSignoff(status int, body []byte) *Error {
	return &Error{
		Code:    notSignoffCode,
		Status:  status,
		Message: fmt.Sprintf("The response is not from a Signoff server: %q.", shownText(body)),
	}
}

func shownText(body []byte) string {
	return strings.TrimSpace(string(bytes.ToValidUTF8(body[:min(len(body), shownBytes)], []byte("\uFFFD"))))
}

func textOr(value any, other string) string {
	if text, ok := value.(string); ok && text != "" {
		return text
	}
	return other
}

// retryAfter returns Retry-After in seconds; the other form, a date, is ignored, because it would require a trusted
// clock.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(seconds) || math.IsInf(seconds, 0) || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, 1e9) * float64(time.Second))
}

// Retryable reports whether the same request may succeed shortly after: an *Error that says so, or no response.
// The client has already retried what is safe to repeat.
func Retryable(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Retryable
	}
	var lost *ConnectionError
	return errors.As(err, &lost)
}

// mayRepeat reports whether the same request may succeed shortly after: no response, 429, 502, 503, 504.
func mayRepeat(err error) bool {
	switch e := err.(type) {
	case *Error:
		return e.Retryable
	case *ConnectionError:
		return true
	}
	return false
}

// mayPass is mayRepeat for a caller that can wait for days: also true for any 5xx, and for the errors of a proxy whose
// server is down.
func mayPass(err error) bool {
	if e, ok := err.(*Error); ok {
		stray := !e.Genuine && (e.Status == 200 || e.Status == 404 || e.Status == 408)
		return e.Retryable || e.Status >= 500 || stray
	}
	return mayRepeat(err)
}
