package signoff

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	crand "crypto/rand"
)

// Handler does the work of one step. It returns a value that encodes as a JSON object (the step's result; nil means an
// empty one) or an error, which fails the step. A *StepFailedError says whether the failure is retryable; any other
// error, and a panic, is.
//
// The context is canceled with ErrLeaseLost as its cause once another process has the step, and when the agent stops
// and the grace period has passed.
type Handler func(ctx context.Context, delivery *Delivery) (result any, err error)

// ResultReducer returns what to report instead of a result that is too large for the server, such as a link to
// where it stored the result.
type ResultReducer func(ctx context.Context, delivery *Delivery, result any) (any, error)

// Agent is a worker for the steps of one agent address. It survives restarts of the server.
type Agent struct {
	name        string
	client      *Client
	clientOpts  []Option
	concurrency int
	lease       time.Duration
	grace       time.Duration
	handlers    map[string]Handler
	reduce      ResultReducer
}

// AgentOption configures an agent.
type AgentOption func(*Agent)

// WithClient sets the client to use. By default, New creates one with the options of WithClientOptions.
func WithClient(client *Client) AgentOption { return func(a *Agent) { a.client = client } }

// WithClientOptions sets options for the agent's own client.
func WithClientOptions(opts ...Option) AgentOption {
	return func(a *Agent) { a.clientOpts = append(a.clientOpts, opts...) }
}

// WithConcurrency sets how many handlers run at a time (default 4).
func WithConcurrency(handlers int) AgentOption { return func(a *Agent) { a.concurrency = handlers } }

// WithLease sets how long a step is held without renewal (default 30 s), and so how long a crash can go unnoticed. The
// agent renews the lease while a handler runs.
func WithLease(lease time.Duration) AgentOption { return func(a *Agent) { a.lease = lease } }

// WithGrace sets how long running handlers get to finish when the agent stops (default 25 s).
func WithGrace(grace time.Duration) AgentOption { return func(a *Agent) { a.grace = grace } }

// NewAgent creates an agent. The name is the agent's name or its agent:// address.
func NewAgent(name string, opts ...AgentOption) (*Agent, error) {
	agent := &Agent{
		name: name, concurrency: 4, lease: 30 * time.Second, grace: 25 * time.Second, handlers: map[string]Handler{},
	}
	for _, option := range opts {
		option(agent)
	}
	if _, err := agentPath(name); err != nil {
		return nil, err
	}
	if agent.concurrency < 1 || agent.lease <= 0 || agent.grace < 0 {
		return nil, errors.New("signoff: an agent needs a concurrency of at least 1, a positive lease and a grace of 0 or more")
	}
	if agent.client == nil {
		client, err := New(agent.clientOpts...)
		if err != nil {
			return nil, err
		}
		agent.client = client
	}
	return agent, nil
}

// Handle sets the handler for intents of a type; "*" handles all types that have no handler. It must be called
// before Run. It panics if the type already has a handler, as http.ServeMux does for a pattern.
func (a *Agent) Handle(intentType string, handler Handler) {
	if handler == nil {
		panic("signoff: nil handler for " + intentType)
	}
	if _, there := a.handlers[intentType]; there {
		panic("signoff: the agent " + a.name + " already has a handler for " + intentType)
	}
	a.handlers[intentType] = handler
}

// OnLargeResult sets the function to call with a result that is too large for the server. Without it the step fails
// with result_too_large, and the result is saved in a file that the failure names.
func (a *Agent) OnLargeResult(reduce ResultReducer) { a.reduce = reduce }

const (
	longPoll     = 25 * time.Second
	largestClaim = 100 // the most that the server returns at once; the next claim gets more
	// How long a stopping agent waits for the current claim: if the response is dropped, its steps are blocked for a whole
	// lease.
	linger    = 500 * time.Millisecond
	reportFor = 10 * time.Minute
)

var errStopped = errors.New("signoff: the agent has stopped")

// Run claims steps, calls their handlers, renews the leases while they run and reports, until ctx is done. Then
// it claims no more steps, lets running handlers finish within the grace period, and returns nil. A handler that has
// not returned by then is abandoned, and its lease expires.
//
// Run returns an error only if the server permanently refuses this agent: ErrAuthenticationFailed, ErrPermissionDenied
// or ErrNotFound.
func (a *Agent) Run(ctx context.Context) error {
	host, _ := os.Hostname()
	var random [3]byte
	_, _ = crand.Read(random[:])
	// Running work must outlive ctx: when ctx ends, it is stopped only after the grace period.
	working, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	w := &worker{
		agent: a, client: a.client, log: a.client.log,
		holder:  fmt.Sprintf("%.200s:%d:%s", host, os.Getpid(), hex.EncodeToString(random[:])),
		free:    make(chan struct{}, a.concurrency),
		working: working,
	}
	for range a.concurrency {
		w.free <- struct{}{}
	}
	err := w.take(ctx)
	w.finish(a.grace)
	cut(errStopped)
	w.cutOff()
	return err
}

// worker is a running agent.
type worker struct {
	agent   *Agent
	client  *Client
	log     *slog.Logger
	holder  string
	free    chan struct{} // one for each handler that may start
	working context.Context
	running sync.WaitGroup
}

// finish waits for running work until it is done or the grace period is over.
func (w *worker) finish(grace time.Duration) {
	done := make(chan struct{})
	go func() { w.running.Wait(); close(done) }()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// cutOff gives canceled work a moment to report.
func (w *worker) cutOff() { w.finish(linger) }

func (w *worker) take(ctx context.Context) error {
	var pauses backoff
	trouble, connected := false, false
	for ctx.Err() == nil {
		slots := w.slots(ctx)
		if slots == 0 {
			return nil
		}
		// The first response is requested without waiting, to report the connection soon.
		first := trouble || !connected
		wait := longPoll
		if first {
			wait = 0
		}
		began := time.Now()
		claimed, err := w.claim(ctx, slots, wait)
		if err != nil {
			if !passes(err) {
				return err
			}
			if !trouble && ctx.Err() == nil {
				w.log.Warn("the agent cannot get work, still trying", "agent", w.agent.name, "error", err)
			}
			trouble = true
			_ = sleep(ctx, pauses.after(err))
			continue
		}
		if claimed == nil { // stopped
			continue
		}
		if first {
			w.say(claimed, connected)
			connected = true
		}
		trouble = false
		pauses.reset()
		if wait > 0 && len(claimed.deliveries) == 0 && time.Since(began) < time.Second {
			// An empty response before the long poll is due comes from a server that is about to stop. Do not hammer it.
			_ = sleep(ctx, time.Duration(rand.Float64()*float64(time.Second)))
		}
	}
	return nil
}

// slots takes all free slots, waiting for at least one; 0 if the context ends first.
func (w *worker) slots(ctx context.Context) int {
	select {
	case <-w.free:
	case <-ctx.Done():
		return 0
	}
	slots := 1
	for {
		select {
		case <-w.free:
			slots++
		default:
			return slots
		}
	}
}

// claimed holds deliveries, the requested address, and a warning for the person who started the agent.
type claimed struct {
	deliveries    []*Delivery
	agent, notice string
}

// claim claims up to this many deliveries and starts their work; unused slots become free again. Nil if the
// agent was stopped first.
func (w *worker) claim(ctx context.Context, slots int, wait time.Duration) (*claimed, error) {
	started := 0
	defer func() {
		for range slots - started {
			w.free <- struct{}{}
		}
	}()
	got, err := w.ask(ctx, slots, wait)
	if err != nil || got == nil {
		return nil, err
	}
	for place, delivery := range got.deliveries {
		if ctx.Err() != nil || place >= slots {
			w.release(delivery)
			continue
		}
		started++
		w.running.Add(1)
		go func() {
			defer func() { w.free <- struct{}{}; w.running.Done() }()
			w.do(delivery)
		}()
	}
	return got, nil
}

// ask sends the claim. When the agent is stopped it waits a little longer for the response; otherwise its deliveries
// would be blocked until their leases end.
func (w *worker) ask(ctx context.Context, slots int, wait time.Duration) (*claimed, error) {
	path, err := agentPath(w.agent.name)
	if err != nil {
		return nil, err
	}
	one, err := post("/v1/agents/"+path+"/deliveries/claim", Object{
		"limit": min(slots, largestClaim), "lease_seconds": w.agent.lease.Seconds(), "holder": w.holder, "wait_seconds": wait.Seconds(),
	})
	if err != nil {
		return nil, err
	}
	one.wait = wait
	asking, cancel := context.WithCancelCause(w.working)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(linger, func() { cancel(errStopped) }) })
	defer stop()
	answer, err := w.client.connection.perform(asking, one, retries{w.client.retries.timeout, 0}, mayRepeat)
	if err != nil {
		if asking.Err() != nil { // the claim was abandoned
			return nil, nil
		}
		return nil, err
	}
	got := &claimed{agent: textOr(answer["agent"], w.agent.name), notice: textOr(answer["notice"], "")}
	items, _ := answer["deliveries"].([]any)
	for _, item := range items {
		delivery := read[Delivery](item)
		if delivery.MaxReportBytes == 0 {
			delivery.MaxReportBytes = read[int](answer["max_report_bytes"])
		}
		delivery.Attempt = max(delivery.Attempt, 1)
		got.deliveries = append(got.deliveries, &delivery)
	}
	return got, nil
}

func (w *worker) say(got *claimed, again bool) {
	verb := "connected"
	if again {
		verb = "reconnected"
	}
	var types []string
	for name := range w.agent.handlers {
		types = append(types, name)
	}
	sort.Strings(types)
	work := strings.Join(types, ", ")
	if work == "" {
		work = "no types: it has no handlers"
	}
	text := fmt.Sprintf("%s to %s as %s, waiting for work (%s)", verb, w.client.URL(), got.agent, work)
	if got.notice != "" {
		text += ". " + got.notice
	}
	w.log.Info(text)
}

// passes reports whether an agent continues after this error; after a mismatched response it uses new connections.
func passes(err error) bool {
	_, mismatched := err.(*WrongResponseError)
	return mismatched || mayPass(err)
}
