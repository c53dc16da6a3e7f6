package signoff

import (
	"context"
	"fmt"
	"time"
)

// TaskRef names a task to answer: a Task, for exactly what it showed (its stage, revision and digest), or a TaskID.
type TaskRef interface {
	target() (id string, stage, revision int, digest string)
}

// TaskID names a task by its id alone: an answer counts only for what its person has already read.
type TaskID string

func (id TaskID) target() (string, int, int, string) { return string(id), 0, 0, "" }

func (t Task) target() (string, int, int, string) { return t.TaskID, t.Stage, t.Revision, t.Digest }

// Answer is one person's answer to a task.
type Answer struct {
	Outcome string `json:"outcome"`
	Comment string `json:"comment"`
	Data    Object `json:"data"`
	// Stage, Revision and Digest name what is answered, in place of the task's own values.
	Stage    int    `json:"stage"`
	Revision int    `json:"revision"`
	Digest   string `json:"digest"`
	// Number is the number of your answer at this stage; only needed to return to an earlier answer.
	Number int `json:"number"`
}

// Answer answers a task; returns the task after it. The error is ErrAlreadyDecided if the task has been decided,
// ErrStaleRevision if it has changed.
//
// Pass the Task that was shown: the answer then counts for exactly that or not at all, no matter how often it is sent.
func (c *Client) Answer(ctx context.Context, task TaskRef, answer Answer) (*Task, error) {
	id, stage, revision, digest := task.target()
	answer.Stage = orElse(answer.Stage, stage)
	answer.Revision = orElse(answer.Revision, revision)
	answer.Digest = orElse(answer.Digest, digest)
	return act(ctx, c, id, "answer", given(answer))
}

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// Approve approves a task. The comment may be empty.
func (c *Client) Approve(ctx context.Context, task TaskRef, comment string) (*Task, error) {
	return c.Answer(ctx, task, Answer{Outcome: "approved", Comment: comment})
}

// Reject rejects a task. The comment may be empty.
func (c *Client) Reject(ctx context.Context, task TaskRef, comment string) (*Task, error) {
	return c.Answer(ctx, task, Answer{Outcome: "rejected", Comment: comment})
}

// TaskQuery selects tasks.
type TaskQuery struct {
	// Mine selects only the tasks that this key's person may answer (or, if closed, has answered).
	Mine bool
	// State is open (oldest first), which is the default, or closed (of each request, the task that
	// was decided last; newest decision first).
	State         string
	IntentID      string
	IntentType    string
	CorrelationID string
	// Search is a list of words that must all occur in what is shown of a task.
	Search string
	// Risk, Team, Requester (address or id) and Workflow select open tasks.
	Risk      string
	Team      string
	Requester string
	Workflow  string
	// Limit is the maximum number of tasks; 0 means 200.
	Limit int
}

// List returns tasks.
func (t *Tasks) List(ctx context.Context, q TaskQuery) ([]Task, error) {
	query := queryOf("mine", truth(q.Mine), "state", orElse(q.State, "open"), "intent_id", q.IntentID,
		"intent_type", q.IntentType, "correlation_id", q.CorrelationID, "q", q.Search,
		"risk", q.Risk, "team", q.Team, "requester", q.Requester, "workflow", q.Workflow)
	return gather[Task](ctx, t.client, "tasks", "/v1/tasks", query, limitOr(q.Limit, 200))
}

// Get returns one task.
func (t *Tasks) Get(ctx context.Context, taskID string) (*Task, error) {
	return fetch[Task](ctx, t.client, "task", "/v1/tasks/%s", taskID)
}

// Explain returns who may decide, and the scheduled contacts.
func (t *Tasks) Explain(ctx context.Context, taskID string) (*Explanation, error) {
	return fetch[Explanation](ctx, t.client, "", "/v1/tasks/%s/explain", taskID)
}

// Messages returns the messages sent about a task, and their delivery status.
func (t *Tasks) Messages(ctx context.Context, taskID string) ([]Message, error) {
	return fetchList[Message](ctx, t.client, "messages", nil, "/v1/tasks/%s/messages", taskID)
}

// AnswerMany answers up to 500 similar low-risk tasks at once: those with the same BulkForm. Each is recorded
// separately, for the stage, revision and digest that it showed; Results has the result for each. The comment may be
// empty.
func (t *Tasks) AnswerMany(ctx context.Context, tasks []Task, outcome, comment string) (*BulkResponse, error) {
	named := make([]Object, 0, len(tasks))
	for _, task := range tasks {
		named = append(named, Object{
			"task_id": task.TaskID, "stage": task.Stage, "revision": task.Revision, "digest": task.Digest,
		})
	}
	one, err := keyed(with(Object{"outcome": outcome, "tasks": named}, "comment", comment), "/v1/tasks/answers")
	if err != nil {
		return nil, err
	}
	return send[BulkResponse](ctx, t.client, "", one)
}

// Delegate delegates your vote to another person.
func (t *Tasks) Delegate(ctx context.Context, taskID, to, comment string) (*Task, error) {
	return act(ctx, t.client, taskID, "delegate", with(Object{"to": to}, "comment", comment))
}

// Reassign asks other people, teams or roles instead (for owners and admins).
func (t *Tasks) Reassign(ctx context.Context, taskID string, to []string, comment string) (*Task, error) {
	return act(ctx, t.client, taskID, "reassign", with(Object{"to": to}, "comment", comment))
}

// MarkReviewing marks a task as being reviewed by you. It does not lock the task.
func (t *Tasks) MarkReviewing(ctx context.Context, taskID string) (*Task, error) {
	return act(ctx, t.client, taskID, "mark-reviewing", Object{})
}

// UnmarkReviewing removes the mark of MarkReviewing.
func (t *Tasks) UnmarkReviewing(ctx context.Context, taskID string) (*Task, error) {
	return act(ctx, t.client, taskID, "unmark-reviewing", Object{})
}

// Snooze suppresses reminders to you about a task for a duration, which is rounded up to seconds.
func (t *Tasks) Snooze(ctx context.Context, taskID string, duration time.Duration) (*Task, error) {
	return act(ctx, t.client, taskID, "snooze", Object{"for": durationText(duration)})
}

// durationText returns a duration as the server reads it: 2h, 90m, 45s.
func durationText(duration time.Duration) string {
	switch {
	case duration > 0 && duration%time.Hour == 0:
		return fmt.Sprintf("%dh", duration/time.Hour)
	case duration > 0 && duration%time.Minute == 0:
		return fmt.Sprintf("%dm", duration/time.Minute)
	}
	return fmt.Sprintf("%ds", (duration+time.Second-1)/time.Second)
}

// SnoozeUntil suppresses reminders to you about a task until a time.
func (t *Tasks) SnoozeUntil(ctx context.Context, taskID string, until time.Time) (*Task, error) {
	return act(ctx, t.client, taskID, "snooze", Object{"until": until})
}

// Unsnooze cancels a snooze.
func (t *Tasks) Unsnooze(ctx context.Context, taskID string) (*Task, error) {
	return act(ctx, t.client, taskID, "unsnooze", Object{})
}

// Comment comments on a task without answering it. It notifies the requester and earlier commenters.
func (t *Tasks) Comment(ctx context.Context, taskID, text string) (*Task, error) {
	return act(ctx, t.client, taskID, "comment", Object{"comment": text})
}

// Revise changes what is decided; earlier votes are void. The digest is the one that was shown, or "".
func (t *Tasks) Revise(ctx context.Context, taskID string, payload any, comment, digest string) (*Task, error) {
	body := with(with(Object{"payload": payload}, "comment", comment), "digest", digest)
	return act(ctx, t.client, taskID, "revise", body)
}

// ReviseAndAnswer changes what is decided and answers the changed task in the same call, if the task's Edits are
// "approve". The outcome is "approved", or another of the task's approving outcomes; the comment may be empty.
func (t *Tasks) ReviseAndAnswer(ctx context.Context, task Task, payload any, outcome, comment string) (*Task, error) {
	body := with(Object{"payload": payload, "outcome": outcome, "digest": task.Digest}, "comment", comment)
	return act(ctx, t.client, task.TaskID, "revise", body)
}

// Withdraw withdraws the request; returns the intent after it. The reason may be empty.
func (t *Tasks) Withdraw(ctx context.Context, taskID, reason string) (*Intent, error) {
	one, err := keyed(with(Object{}, "comment", reason), "/v1/tasks/%s/withdraw", taskID)
	if err != nil {
		return nil, err
	}
	return send[Intent](ctx, t.client, "intent", one)
}

func act(ctx context.Context, c *Client, taskID, verb string, body Object) (*Task, error) {
	one, err := keyed(body, "/v1/tasks/%s/"+verb, taskID)
	if err != nil {
		return nil, err
	}
	return send[Task](ctx, c, "task", one)
}

// with returns the object with one more member, unless that is empty.
func with(object Object, name, value string) Object {
	if value != "" {
		object[name] = value
	}
	return object
}
