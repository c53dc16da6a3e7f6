package signoff

import "fmt"

// final reports whether no further events can follow a status.
func final(status string) bool {
	switch status {
	case "COMPLETED", "FAILED", "CANCELED", "TIMED_OUT":
		return true
	}
	return false
}

// Final reports whether no further events can follow.
func (e *Event) Final() bool { return final(e.Status) }

// Final reports whether the intent has ended, in any way.
func (i *Intent) Final() bool { return final(i.Status) }

// Completed reports whether the intent achieved its purpose: the last decision on its path was an approval, or no one
// was asked and nothing failed, or its workflow declares the path taken a success. Continue only if it is true.
func (i *Intent) Completed() bool { return i.Status == "COMPLETED" }

// Approved reports whether the intent completed and the last decision was a person's approval. An expired task is not
// an approval, and neither is an agent's result that calls itself approved.
func (i *Intent) Approved() bool { return i.Completed() && i.Ending == "approved" }

// Open reports whether the task can still be answered.
func (t *Task) Open() bool { return t.State == "open" }

// Result is a final intent, returned by WaitFor for every ending. The result of the work is in Intent.Result.
type Result struct{ Intent }

// Err returns nil only if the intent is COMPLETED; otherwise its error says how the intent ended: a *RejectedError,
// *ExpiredError, *WithdrawnError, *SupersededError, *UndeliverableError, *CanceledError, *TimedOutError or
// *FailedError.
//
// A person's decision counts if it ended the intent; an agent's error may have any code.
func (r *Result) Err() error {
	if r.Completed() {
		return nil
	}
	message := fmt.Sprintf("Intent %s ended %s.", r.IntentID, r.Status)
	if r.Error != nil && r.Error.Message != "" {
		message = fmt.Sprintf("Intent %s ended %s: %s", r.IntentID, r.Status, r.Error.Message)
	}
	return r.failed(message)
}

// failed returns the error of an intent that is not COMPLETED.
func (r *Result) failed(message string) error {
	failed := &FailedError{Result: r, message: message}
	code := r.Ending
	if r.Error != nil {
		code = r.Error.Code
	}
	switch {
	case r.Status == "CANCELED" && r.Ending == "withdrawn":
		return &WithdrawnError{&CanceledError{failed}}
	case r.Status == "CANCELED":
		return &CanceledError{failed}
	case r.Status == "TIMED_OUT" && r.Ending == "expired":
		return &ExpiredError{&TimedOutError{failed}}
	case r.Status == "TIMED_OUT":
		return &TimedOutError{failed}
	}
	switch {
	case r.Ending == "rejected" && (code == "human_rejected" || code == "rejected"):
		return &RejectedError{failed}
	case r.Ending == "expired" && (code == "expired" || code == "step_timeout"):
		return &ExpiredError{&TimedOutError{failed}}
	case r.Ending == "superseded" && (code == "changes_requested" || code == "superseded"):
		return &SupersededError{failed}
	case r.Ending == "undeliverable" && code == "undeliverable":
		return &UndeliverableError{failed}
	case code == "step_timeout":
		return &TimedOutError{failed}
	}
	return failed
}
