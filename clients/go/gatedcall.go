package signoff

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Again says what the next call does if an approval of the same call has already been used, because the call ran or the
// program died during it.
type Again string

const (
	// AskAgain asks people again: at most one run for each approval. "" means the same.
	AskAgain Again = "ask"
	// RefuseAgain returns ErrAlreadyUsed: such a call runs at most once.
	RefuseAgain Again = "refuse"
	// RunAgain runs under the same approval: at least once, for functions that are idempotent themselves.
	RunAgain Again = "run"
)

// gatedCall is one call and its request: it submits the request, waits for the outcome and uses it. The server knows
// the request by the call's idempotency key, and whether its outcome was used.
type gatedCall struct {
	client  *Client
	request *callRequest
	intent  Object // the request's body without its payload
	again   Again
	use     string // names this call's use of the outcome: another call, even in another process, has another name

	mutex       sync.Mutex
	intentID    string // "" before it was submitted; another one if people are asked again
	result      *Result
	askedBefore int
}

func newGatedCall(client *Client, request *callRequest, intent Object, again Again) *gatedCall {
	call := &gatedCall{client: client, request: request, intent: intent, again: again, use: freshKey()}
	if again == AskAgain {
		call.askedBefore = usedBefore.count(call.identity())
	}
	return call
}

// identity is the key of the call in usedBefore. Each caller has separate requests on the server: a hash of the
// API key identifies the caller, so that the secret is not stored in another place.
func (g *gatedCall) identity() string {
	caller := sha256.Sum256([]byte(g.client.connection.settings.key()))
	return fmt.Sprintf("%s %x %s", g.client.URL(), caller, g.request.identity)
}

// state returns the request's id, its outcome if that was used, and how many requests were used before it.
func (g *gatedCall) state() (string, *Result, int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.intentID, g.result, g.askedBefore
}

// submit submits the request, or finds the one that was submitted before; if that has an outcome, uses it.
func (g *gatedCall) submit(ctx context.Context) error {
	for {
		id, used, askedBefore := g.state()
		if used != nil {
			return nil
		}
		if id == "" {
			if err := g.send(ctx, askedBefore); err != nil {
				return err
			}
			continue
		}
		intent, err := g.client.GetIntent(ctx, id)
		if err != nil {
			return g.late(ctx, err, &WaitTimeoutError{IntentID: id}, "It continues; the same call made later waits for it.")
		}
		if !intent.Final() {
			return nil
		}
		if err := g.settle(ctx, id, &Result{*intent}); err != nil {
			return err
		}
	}
}

// settled waits for the outcome, uses it once, and returns it, whatever it is.
func (g *gatedCall) settled(ctx context.Context) (*Result, error) {
	for {
		id, used, _ := g.state()
		if used != nil {
			return used, nil
		}
		if id == "" {
			if err := g.submit(ctx); err != nil {
				return nil, err
			}
			continue
		}
		result, err := g.client.WaitFor(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := g.settle(ctx, id, result); err != nil {
			return nil, err
		}
	}
}

// send submits the request that comes after askedBefore others.
func (g *gatedCall) send(ctx context.Context, askedBefore int) error {
	body := Object{"payload": g.request.payload}
	for name, value := range g.intent {
		body[name] = value
	}
	one, err := post("/v1/intents", body)
	if err != nil {
		return err
	}
	one.key = g.request.key(askedBefore)
	id, warnings, err := g.client.submission(ctx, one)
	if err != nil {
		return g.late(ctx, err, &WaitTimeoutError{},
			"The request may have been submitted; the same call made later finds it, or submits it.")
	}
	for _, warning := range warnings {
		// Not worth a warning, because the task is meant for types without a workflow.
		if !strings.HasPrefix(warning, "human_task is ignored") {
			g.client.log.WarnContext(ctx, warning, "intent_id", id)
		}
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.askedBefore == askedBefore { // else another waiter has found this request already used
		g.intentID = id
	}
	return nil
}

// late is the error of a request to the server that failed: this *WaitTimeoutError if the context has ended. next is
// a sentence about the current state.
func (g *gatedCall) late(ctx context.Context, err error, as *WaitTimeoutError, next string) error {
	if ctx.Err() == nil {
		return err
	}
	about := "the request of " + g.request.name
	if as.IntentID != "" {
		about = fmt.Sprintf("intent %s of %s", as.IntentID, g.request.name)
	}
	as.cause, as.trouble = ctx.Err(), err
	as.message = fmt.Sprintf("No result of %s in time (%v). %s", about, as.cause, next)
	if _, lost := err.(*ConnectionError); !lost { // it says only that there was no response
		as.message += " The last failure: " + strings.ReplaceAll(err.Error(), "\n", ": ")
	}
	return as
}

// settle uses the outcome. If it has already been used, it still holds or people are asked again, depending on again.
func (g *gatedCall) settle(ctx context.Context, id string, result *Result) error {
	err := g.client.Use(ctx, result.IntentID, g.use)
	if err != nil && !errors.Is(err, ErrAlreadyUsed) {
		used := "The outcome"
		if notApproved(result) == nil {
			used = "The approval"
		}
		return g.late(ctx, err, &WaitTimeoutError{IntentID: id, Status: result.Status}, used+" may have been used, and the call was "+
			"not made: Wait on the same handle settles it; a new call counts as another use.")
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if err != nil {
		if g.again == AskAgain {
			if g.intentID == id { // another waiter for this call may have been here first
				g.askedBefore++
				g.intentID = ""
				usedBefore.remember(g.identity(), g.askedBefore)
			}
			return nil
		}
		if g.again == RefuseAgain && notApproved(result) == nil {
			return err
		}
	}
	g.result = result
	return nil
}

// notApproved returns the error of a call with this outcome; nil if it may run, because it was approved, or completed
// without asking anybody.
//
// A workflow may declare the route after a rejection or an expiry a success. The intent is then COMPLETED, although
// nobody has approved this call.
func notApproved(result *Result) error {
	message := notApprovedBecause(result)
	if !result.Completed() {
		return result.failed(message)
	}
	failed := &FailedError{Result: result, message: message}
	switch result.Ending {
	case "", "approved":
		return nil
	case "rejected":
		return &RejectedError{failed}
	case "expired":
		return &ExpiredError{&TimedOutError{failed}}
	case "withdrawn":
		return &WithdrawnError{&CanceledError{failed}}
	case "superseded":
		return &SupersededError{failed}
	case "undeliverable":
		return &UndeliverableError{failed}
	}
	return failed
}

// notApprovedBecause returns a sentence that says why a call was not approved.
func notApprovedBecause(result *Result) string {
	words, said := map[string]string{
		"rejected":      "The call was rejected",
		"expired":       "Nobody decided in time; the call was not approved",
		"withdrawn":     "The request was withdrawn",
		"superseded":    "Changes were requested, and the call was not approved",
		"undeliverable": "No eligible approver could be reached; the call was not approved",
	}[result.Ending]
	if !said {
		words = map[string]string{
			"CANCELED":  "The request was canceled",
			"TIMED_OUT": "The request timed out; the call was not approved",
		}[result.Status]
		words = orElse(words, "It failed")
	}
	switch {
	case result.Comment != "":
		return words + ": " + result.Comment
	case !said && result.Error != nil && result.Error.Message != "":
		return words + ": " + result.Error.Message
	}
	return words + "."
}

// usedBefore holds how many requests for the same call have been used, as far as this process knows, so that it does
// not try their keys again.
var usedBefore = memory{counts: map[string]*list.Element{}, order: list.New()}

const mostRemembered = 10_000

type memory struct {
	mutex  sync.Mutex
	counts map[string]*list.Element
	order  *list.List // of *remembered, the latest last
}

type remembered struct {
	identity string
	count    int
}

func (m *memory) count(identity string) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if found := m.counts[identity]; found != nil {
		return found.Value.(*remembered).count
	}
	return 0
}

func (m *memory) remember(identity string, count int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if found := m.counts[identity]; found != nil {
		one := found.Value.(*remembered)
		one.count = max(one.count, count)
		m.order.MoveToBack(found)
		return
	}
	m.counts[identity] = m.order.PushBack(&remembered{identity, count})
	if m.order.Len() > mostRemembered {
		oldest := m.order.Remove(m.order.Front()).(*remembered)
		delete(m.counts, oldest.identity)
	}
}
