package signoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// GateOptions are the options of a gate in addition to its intent type. A is the type of the arguments.
type GateOptions[A any] struct {
	// Name is the name of the call. People see it, and it is part of what makes two calls the same; "" means the intent
	// type.
	Name string
	// Title is the question, if the type has no workflow; {name} stands for the name. "" means "Run {name}?".
	Title string
	// Description says what the call does; it is shown with the question.
	Description string
	// Key distinguishes calls with the same arguments.
	Key func(args A) string
	// Hide lists the JSON names of arguments that people do not see. The decision is still for exactly their values.
	Hide []string
	// Again is what happens if an approval of this same call has already been used; "" means AskAgain.
	Again Again
	// OnBehalfOf is the person it is for (address or id), who then cannot approve it.
	OnBehalfOf string
	// Check returns an error to refuse arguments that people have edited; the call is then not made.
	Check func(args A) error
}

// Gate is a function that runs only after people have approved exactly this call; [NewGate] creates one. It is safe for
// concurrent use.
type Gate[A, R any] struct {
	terms *gateTerms[A]
	fn    func(context.Context, A) (R, error)
}

// NewGate gates a function. The intent type chooses the workflow, and so who decides; the options may be nil.
//
// A is a struct, or a map by the arguments' names. Its members as JSON are the arguments that people see and decide
// about. A field that is not part of the JSON, such as one with the tag json:"-", is not sent, is not part of the
// decision, and reaches the function unchanged: connections, clients.
//
// A variable that the function uses but does not get as an argument is not part of the decision either.
func NewGate[A, R any](
	client *Client, intentType string, fn func(ctx context.Context, args A) (R, error), options *GateOptions[A],
) (*Gate[A, R], error) {
	if fn == nil {
		return nil, errors.New("signoff: a gate needs a function; for other code there is RequireApproval")
	}
	terms, err := newGateTerms(client, intentType, options)
	if err != nil {
		return nil, err
	}
	return &Gate[A, R]{terms, fn}, nil
}

// Call asks people, waits for days if necessary, and runs the function with the approved arguments. Its context is
// passed to the function; if it ends before the decision, the error is a *WaitTimeoutError, and the same call made
// later continues to wait. If it ends just after the decision, the approval may have been used, and the error says so:
// a handle from [Gate.Ask] can still make that call, but a new call counts as another use (see [Again]).
//
// Unless people approve, the error is a *RejectedError, *ExpiredError or another *FailedError with their reason, or an
// *InvalidEditError if what they approved does not fit the arguments. In these cases the function has not run.
func (g *Gate[A, R]) Call(ctx context.Context, args A) (R, error) {
	pending, err := g.Ask(ctx, args)
	if err != nil {
		var none R
		return none, err
	}
	return pending.Wait(ctx)
}

// Ask submits the call and returns a handle immediately; the function runs when you wait on the handle. If the context
// ends while the call is being submitted, the error is a *WaitTimeoutError, and the same call made later finds the
// request or submits it.
func (g *Gate[A, R]) Ask(ctx context.Context, args A) (*PendingCall[R], error) {
	call, err := g.terms.ask(ctx, args)
	if err != nil {
		return nil, err
	}
	run := func(ctx context.Context, result *Result) (R, error) {
		approved, err := g.terms.approved(call, args, result)
		if err != nil {
			var none R
			return none, err
		}
		return g.fn(ctx, approved.Args)
	}
	return &PendingCall[R]{call: call, run: run}, nil
}

// Approved holds the approved arguments of code that is about to run.
type Approved[A any] struct {
	Args A
	// Edited says whether people changed the arguments.
	Edited bool
	Result *Result
}

// RequireApproval is a gate for code that is not in a function: it returns once people have approved
// these arguments, on which the code after it should act. That uses up the approval, which is good for one use. The
// errors are those of [Gate.Call].
func RequireApproval[A any](
	ctx context.Context, client *Client, intentType string, args A, options *GateOptions[A],
) (*Approved[A], error) {
	terms, err := newGateTerms(client, intentType, options)
	if err != nil {
		return nil, err
	}
	call, err := terms.ask(ctx, args)
	if err != nil {
		return nil, err
	}
	result, err := call.settled(ctx)
	if err == nil && ctx.Err() != nil {
		err = notMade(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	return terms.approved(call, args, result)
}

// PendingCall is a call that has been submitted. It is safe for concurrent use.
type PendingCall[R any] struct {
	call *gatedCall
	run  func(context.Context, *Result) (R, error)

	mutex sync.Mutex
	done  chan struct{} // nil before the function has started
	value R
	err   error
}

// IntentID returns the id of its request, which changes if people have to be asked again. When the approval of a
// request turns out to have been used, it is "" until Wait submits the next request.
func (p *PendingCall[R]) IntentID() string {
	id, _, _ := p.call.state()
	return id
}

// Wait waits for the decision, runs the function once, with this context, and returns what it returns. Every call
// returns the same, even if the context has ended. The error is a *WaitTimeoutError if the context ends while it waits
// for people or the server, and wraps the context's error if the context ends later; unless the function has started,
// another Wait continues.
func (p *PendingCall[R]) Wait(ctx context.Context) (R, error) {
	var none R
	p.mutex.Lock()
	done := p.done
	p.mutex.Unlock()
	if done != nil {
		return p.finished(ctx, done)
	}
	result, err := p.call.settled(ctx)
	p.mutex.Lock()
	done = p.done
	first := done == nil && err == nil && ctx.Err() == nil
	if first {
		p.done = make(chan struct{})
	}
	p.mutex.Unlock()
	switch {
	case done != nil: // another waiter was first
		return p.finished(ctx, done)
	case err != nil:
		return none, err
	case !first:
		return none, notMade(ctx, p.call)
	}
	defer close(p.done) // even if the function panics
	p.err = errPanicked
	p.value, p.err = p.run(ctx, result)
	return p.value, p.err
}

// finished returns what the function returned; the context's error if that ends while the function runs.
func (p *PendingCall[R]) finished(ctx context.Context, done <-chan struct{}) (R, error) {
	select {
	case <-done:
		return p.value, p.err
	default:
	}
	select {
	case <-done:
		return p.value, p.err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("signoff: the call of %s is running, for another waiter: %w", p.call.request.name, ctx.Err())
	}
}

var errPanicked = errors.New("signoff: the gated function panicked; it is not run again")

// Cancel cancels the request; it returns ErrConflict if the request has ended. An empty reason is "canceled". If people
// have to be asked again and the next request has not been submitted yet, IntentID is "", there is nothing to cancel,
// and the error says so.
func (p *PendingCall[R]) Cancel(ctx context.Context, reason string) (*Intent, error) {
	id := p.IntentID()
	if id == "" {
		return nil, fmt.Errorf("signoff: %s has no request to cancel now: the approval of the last one has already been used, and the "+
			"next one is not submitted yet; end the context of Wait, or cancel once IntentID is not empty", p.call.request.name)
	}
	return p.call.client.Cancel(ctx, id, reason)
}

// notMade is the error if the context ended after the approval was used and before the function started.
func notMade(ctx context.Context, call *gatedCall) error {
	return fmt.Errorf("signoff: the approval of %s was used, and the call was not made: %w", call.request.name, ctx.Err())
}

// gateTerms says how people are asked about the calls of a gate.
type gateTerms[A any] struct {
	client  *Client
	intent  Object
	name    string
	options GateOptions[A]
	shape   *shape
}

func newGateTerms[A any](client *Client, intentType string, given *GateOptions[A]) (*gateTerms[A], error) {
	var options GateOptions[A]
	if given != nil {
		options = *given
	}
	options.Again = orElse(options.Again, AskAgain)
	switch {
	case client == nil:
		return nil, errors.New("signoff: a gate needs a client")
	case intentType == "":
		return nil, errors.New(`signoff: a gate needs an intent type: "intent.area.name.v1"`)
	case !slices.Contains([]Again{AskAgain, RefuseAgain, RunAgain}, options.Again):
		return nil, fmt.Errorf("signoff: Again is %q; it is AskAgain, RefuseAgain or RunAgain", options.Again)
	}
	name := orElse(options.Name, intentType)
	found, err := shapeOf[A](name)
	if err != nil {
		return nil, err
	}
	for _, hidden := range options.Hide {
		if found.fields != nil && found.fields[hidden] == nil {
			return nil, noSuchHidden(name, hidden)
		}
	}
	title := strings.ReplaceAll(orElse(options.Title, "Run {name}?"), "{name}", name)
	task := map[string]any{"title": cutText(title, 200)}
	if options.Description != "" {
		task["description"] = options.Description
	}
	intent := Object{"intent_type": intentType, "human_task": task}
	if options.OnBehalfOf != "" {
		intent["on_behalf_of"] = options.OnBehalfOf
	}
	return &gateTerms[A]{client, intent, name, options, found}, nil
}

func noSuchHidden(name, hidden string) error {
	return fmt.Errorf("signoff: %s has no argument to hide named %s", name, hidden)
}

// ask submits a call; later changes to its arguments have no effect.
func (t *gateTerms[A]) ask(ctx context.Context, args A) (*gatedCall, error) {
	asked, err := askedArguments(t.name, args)
	if err != nil {
		return nil, err
	}
	for _, hidden := range t.options.Hide {
		if _, there := asked[hidden]; !there && t.shape.fields == nil {
			return nil, noSuchHidden(t.name, hidden)
		}
	}
	key := ""
	if t.options.Key != nil {
		key = t.options.Key(args)
	}
	// What would be sent is part of the key, so a program that now asks something else makes a new request.
	whole := canonicalJSON([]any{key, t.intent})
	request := newCallRequest(t.name, asked, whole, t.options.Hide, t.client.connection.settings.key())
	call := newGatedCall(t.client, request, t.intent, t.options.Again)
	return call, call.submit(ctx)
}

// approved returns the arguments to call with, given the outcome of a call, or why the call is not made.
func (t *gateTerms[A]) approved(call *gatedCall, args A, result *Result) (*Approved[A], error) {
	if err := notApproved(result); err != nil {
		return nil, err
	}
	if result.PayloadDeleted {
		return nil, invalidEdit("The request of %s was deleted before its call was made.", t.name)
	}
	edited, err := call.request.approved(result.Payload)
	if err != nil {
		return nil, err
	}
	approved := &Approved[A]{Edited: len(edited) > 0, Result: result}
	if approved.Args, err = restored(t.shape, args, call.request, edited); err != nil {
		return nil, err
	}
	if approved.Edited && t.options.Check != nil {
		if err := t.options.Check(approved.Args); err != nil {
			return nil, &InvalidEditError{fmt.Sprintf("The edit does not fit %s: %v", t.name, err), err}
		}
	}
	return approved, nil
}
