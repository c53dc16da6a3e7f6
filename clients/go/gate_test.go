//go:build integration

package signoff_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	signoff "forge.example/signoff/signoff/clients/go"
)

// A gated function runs only after people have approved exactly this call, once for each approval.

const card = "4929-1234"

type refund struct {
	Order  string            `json:"order"`
	Amount int               `json:"amount"`
	Card   string            `json:"card,omitempty"`
	Terms  map[string]int    `json:"terms,omitempty"`
	Due    *time.Time        `json:"due,omitempty"`
	Till   *till             `json:"-"`
	secret map[string]string // not sent
}

// till is what was really paid.
type till struct {
	mutex sync.Mutex
	paid  []string
}

func (t *till) add(what string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.paid = append(t.paid, what)
}

func (t *till) pay(_ context.Context, args refund) (string, error) {
	t.add(fmt.Sprint(args.Order, args.Amount, args.Card, args.Terms))
	return fmt.Sprintf("paid %d", args.Amount), nil
}

// people answer whatever is asked, by a rule.
type people struct {
	t     *testing.T
	owner *signoff.Client
	mutex sync.Mutex
	rule  func(context.Context, signoff.Task) error
	asked map[string]signoff.Task
}

func working(t *testing.T, owner *signoff.Client) *people {
	p := &people{t: t, owner: owner, asked: map[string]signoff.Task{}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			tasks, err := owner.Tasks.List(ctx, signoff.TaskQuery{})
			for _, task := range tasks {
				p.mutex.Lock()
				p.asked[task.TaskID] = task
				rule := p.rule
				p.mutex.Unlock()
				if rule != nil {
					err = rule(ctx, task)
				}
				if err != nil && ctx.Err() == nil && !errors.Is(err, signoff.ErrConflict) {
					t.Error(err)
				}
			}
			time.Sleep(25 * time.Millisecond) // polls the server
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	return p
}

func (p *people) answer(rule func(context.Context, signoff.Task) error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.rule = rule
}

func (p *people) leave() { p.answer(nil) }

func (p *people) approve() {
	p.answer(func(ctx context.Context, task signoff.Task) error {
		_, err := p.owner.Approve(ctx, task, "")
		return err
	})
}

func (p *people) reject(comment string) {
	p.answer(func(ctx context.Context, task signoff.Task) error {
		_, err := p.owner.Reject(ctx, task, comment)
		return err
	})
}

// edit changes the arguments of what is asked, then approves it.
func (p *people) edit(changes signoff.Object) {
	p.answer(func(ctx context.Context, task signoff.Task) error {
		if task.Revision == 1 {
			payload := maps.Clone(task.Payload)
			maps.Copy(payload, changes)
			revised, err := p.owner.Tasks.Revise(ctx, task.TaskID, payload, "", task.Digest)
			if err != nil {
				return err
			}
			task = *revised
		}
		_, err := p.owner.Approve(ctx, task, "")
		return err
	})
}

// about are the tasks about an order.
func (p *people) about(order string) []signoff.Task {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var found []signoff.Task
	for _, task := range p.asked {
		if task.Payload["order"] == order {
			found = append(found, task)
		}
	}
	slices.SortFunc(found, func(a, b signoff.Task) int { return strings.Compare(a.TaskID, b.TaskID) })
	return found
}

// requests is about how many requests for an order people were asked.
func (p *people) requests(order string) int {
	ids := map[string]bool{}
	for _, task := range p.about(order) {
		ids[task.IntentID] = true
	}
	return len(ids)
}

func (p *people) untilAsked(order string, times int) signoff.Task {
	p.t.Helper()
	eventually(p.t, "people are asked about "+order, func() bool { return p.requests(order) >= times })
	tasks := p.about(order)
	return tasks[len(tasks)-1]
}

func (p *people) wasAsked(order string, times int) {
	p.t.Helper()
	if found := p.requests(order); found != times {
		p.t.Errorf("people were asked %d times about %s, not %d", found, order, times)
	}
}

func (t *till) has(test *testing.T, wanted ...string) {
	test.Helper()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !slices.Equal(t.paid, wanted) {
		test.Errorf("paid %q, not %q", t.paid, wanted)
	}
}

// is fails unless the error is of this type; returns it.
func is[E error](t *testing.T, err error, text string) E {
	t.Helper()
	var found E
	if !errors.As(err, &found) || !strings.Contains(err.Error(), text) {
		t.Errorf("expected %T with %q, got %T: %v", found, text, err, err)
	}
	return found
}

func TestGate(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*guard)
	defer cancel()
	server := startLive(t)
	owner := server.client(server.owner)
	client := server.client(server.key(signoff.NewKey{Service: "shop"}))
	p := working(t, owner)
	type options = signoff.GateOptions[refund]
	gated := func(t *testing.T, change ...func(*options)) (*till, *signoff.Gate[refund, string]) {
		t.Helper()
		var terms options
		for _, one := range change {
			one(&terms)
		}
		paid := &till{}
		return paid, must[*signoff.Gate[refund, string]](t)(signoff.NewGate(client, refundType, paid.pay, &terms))
	}
	value := func(t *testing.T) func(string, error) string { return must[string](t) }
	soon := func() context.Context {
		short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
		t.Cleanup(stop)
		return short
	}
	// neverAsked looks on the server: the people may not have looked yet.
	neverAsked := func(t *testing.T, order string) {
		t.Helper()
		for _, intent := range must[[]signoff.Intent](t)(owner.ListIntents(ctx, signoff.IntentQuery{Limit: 1000})) {
			if intent.Payload["order"] == order {
				t.Errorf("%s was submitted: %s", order, intent.IntentID)
			}
		}
	}
	test := func(name string, run func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { p.leave(); run(t) })
	}

	test("a call runs once it is approved", func(t *testing.T) {
		p.approve()
		paid, gate := gated(t, func(o *options) { o.Name, o.Description = "refund", "Pay the money back." })
		if got := value(t)(gate.Call(ctx, refund{Order: "run", Amount: 10, Card: card})); got != "paid 10" {
			t.Error(got)
		}
		paid.has(t, "run10"+card+"map[]")
		task := p.about("run")[0]
		payload := signoff.Object{"order": "run", "amount": 10.0, "card": card}
		if task.Title != "Run refund?" || task.Description != "Pay the money back." || !reflect.DeepEqual(task.Payload, payload) {
			t.Errorf("%+v", task)
		}
	})

	test("code that is not a function, arguments in a map", func(t *testing.T) {
		p.edit(signoff.Object{"amount": 5})
		given := map[string]any{"order": "block", "amount": 7}
		approved, err := signoff.RequireApproval(ctx, client, refundType, given, nil)
		if err != nil || !approved.Edited || !approved.Result.Approved() || fmt.Sprint(approved.Args) != "map[amount:5 order:block]" {
			t.Errorf("%v %+v", err, approved)
		}
		if given["amount"] != 7 {
			t.Error("the caller's own map was changed")
		}
		p.reject("No.")
		_, err = signoff.RequireApproval(ctx, client, refundType, map[string]string{"order": "block 2"}, nil)
		is[*signoff.RejectedError](t, err, "No.")
	})

	test("it runs with the edited arguments or not at all", func(t *testing.T) {
		paid, gate := gated(t)
		p.edit(signoff.Object{"amount": 3})
		if got := value(t)(gate.Call(ctx, refund{Order: "edit", Amount: 30})); got != "paid 3" {
			t.Error(got)
		}
		for _, wrong := range []struct {
			edit signoff.Object
			text string
		}{
			{signoff.Object{"amount": "much"}, "argument amount"},
			{signoff.Object{"amount": nil}, "null is not a int"},
			{signoff.Object{"amount": 1.5}, "argument amount"},
			{signoff.Object{"more": 1}, "adds or removes arguments: more"},
			{signoff.Object{"AMOUNT": 1}, "adds or removes arguments: AMOUNT"},
			{signoff.Object{"terms": signoff.Object{"days": "x"}}, "argument terms"},
			{signoff.Object{"terms": signoff.Object{"days": nil}}, "argument terms"},
		} {
			p.edit(wrong.edit)
			_, err := gate.Call(ctx, refund{Order: "edit", Amount: 31, Terms: map[string]int{"days": 1}})
			is[*signoff.InvalidEditError](t, err, wrong.text)
		}
		p.edit(signoff.Object{"due": "2026-12-24T10:00:00Z", "terms": signoff.Object{"weeks": 2}})
		due := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		terms := map[string]int{"days": 1}
		value(t)(gate.Call(ctx, refund{Order: "edit", Amount: 32, Due: &due, Terms: terms}))
		paid.has(t, "edit3map[]", "edit32map[weeks:2]")
		if due.Day() != 1 || len(terms) != 1 || terms["days"] != 1 {
			t.Error("the caller's own values were changed")
		}
	})

	test("a check says what an edit may be", func(t *testing.T) {
		broke := errors.New("too much")
		paid, gate := gated(t, func(o *options) {
			o.Check = func(args refund) error {
				if args.Amount > 2 {
					return broke
				}
				return nil
			}
		})
		p.edit(signoff.Object{"amount": 3})
		_, err := gate.Call(ctx, refund{Order: "check", Amount: 30})
		if is[*signoff.InvalidEditError](t, err, "too much"); !errors.Is(err, broke) {
			t.Error(err)
		}
		p.edit(signoff.Object{"amount": 2})
		value(t)(gate.Call(ctx, refund{Order: "check", Amount: 30}))
		p.approve()
		value(t)(gate.Call(ctx, refund{Order: "check", Amount: 30}))
		paid.has(t, "check2map[]", "check30map[]")
	})

	test("anything but a yes is an error with the reason, and nothing runs", func(t *testing.T) {
		paid, gate := gated(t)
		p.reject("Not our order.")
		_, err := gate.Call(ctx, refund{Order: "no", Amount: 1})
		rejected := is[*signoff.RejectedError](t, err, "The call was rejected: Not our order.")
		if failed := is[*signoff.FailedError](t, err, ""); rejected == nil || failed.Result.Comment != "Not our order." {
			t.Error(err)
		}
		p.leave()
		withdrawn := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "no", Amount: 2}))
		must[*signoff.Intent](t)(client.Tasks.Withdraw(ctx, p.untilAsked("no", 2).TaskID, ""))
		_, err = withdrawn.Wait(ctx)
		is[*signoff.WithdrawnError](t, err, "The request was withdrawn")
		canceled := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "no", Amount: 3}))
		must[*signoff.Intent](t)(canceled.Cancel(ctx, ""))
		_, err = canceled.Wait(ctx)
		is[*signoff.CanceledError](t, err, "The request was ")
		paid.has(t)
	})

	test("silence is not a yes, and neither is an ending that a route calls a success", func(t *testing.T) {
		human := signoff.Object{"title": "Pay?", "approvers": []any{"role:approver", "role:owner"}}
		route := signoff.Object{"goto": "tell", "as": "success"}
		must[*signoff.AppliedWorkflow](t)(owner.ApplyWorkflow(ctx, signoff.Object{
			"workflow": "slow", "intent_type": "intent.slow.v1",
			"steps": []any{signoff.Object{"id": "ask", "human": human, "deadline": "2s"}},
		}))
		must[*signoff.AppliedWorkflow](t)(owner.ApplyWorkflow(ctx, signoff.Object{
			"workflow": "declared", "intent_type": "intent.declared.v1", "steps": []any{
				signoff.Object{"id": "ask", "human": human, "deadline": "2s", "on_success": "end", "on_failure": route, "on_timeout": route},
				signoff.Object{"id": "tell", "notify": signoff.Object{"message": "Not paid.", "to": []any{"role:owner"}}, "on_success": "end"},
			},
		}))
		paid := &till{}
		slow := must[*signoff.Gate[refund, string]](t)(signoff.NewGate(client, "intent.slow.v1", paid.pay, nil))
		declared := must[*signoff.Gate[refund, string]](t)(signoff.NewGate(client, "intent.declared.v1", paid.pay, nil))
		first := must[*signoff.PendingCall[string]](t)(slow.Ask(ctx, refund{Order: "slow"}))
		second := must[*signoff.PendingCall[string]](t)(declared.Ask(ctx, refund{Order: "slow"}))
		_, err := first.Wait(soon())
		is[*signoff.WaitTimeoutError](t, err, "")
		_, err = first.Wait(ctx)
		is[*signoff.ExpiredError](t, err, "Nobody decided in time")
		_, err = second.Wait(ctx)
		is[*signoff.ExpiredError](t, err, "Nobody decided in time")
		if failed := is[*signoff.FailedError](t, err, ""); failed.Result.Status != "COMPLETED" {
			t.Errorf("%+v", failed.Result)
		}
		p.reject("not today")
		_, err = declared.Call(ctx, refund{Order: "rejected"})
		is[*signoff.RejectedError](t, err, "not today")
		paid.has(t)
	})

	test("an approval is good for one call", func(t *testing.T) {
		paid, gate := gated(t)
		p.approve()
		for range 3 {
			value(t)(gate.Call(ctx, refund{Order: "once", Amount: 1}))
		}
		p.wasAsked("once", 3)
		p.reject("")
		_, err := gate.Call(ctx, refund{Order: "once", Amount: 1})
		is[*signoff.RejectedError](t, err, "")
		p.approve() // a rejection does not apply to the next call
		value(t)(gate.Call(ctx, refund{Order: "once", Amount: 1}))
		one := "once1map[]"
		paid.has(t, one, one, one, one)
	})

	test("a changed call is asked again", func(t *testing.T) {
		key := func(o *options) { o.Key = func(args refund) string { return args.Order } }
		ask := func(args refund, change ...func(*options)) string {
			_, gate := gated(t, change...)
			return must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, args)).IntentID()
		}
		call := refund{Order: "changed", Amount: 1}
		ids := map[string]bool{
			ask(call, key): true,
			ask(refund{Order: "changed", Amount: 2}, key):            true,
			ask(refund{Order: "changed", Amount: 1, Card: "x"}, key): true,
			ask(call): true,
			ask(call, key, func(o *options) { o.Title = "Other?" }):             true,
			ask(call, key, func(o *options) { o.Name = "other" }):               true,
			ask(call, key, func(o *options) { o.Description = "Other." }):       true,
			ask(refund{Order: "changed", Amount: 1, Till: &till{}}, key):        true, // not sent: the same
			ask(refund{Order: "changed", Amount: 1, secret: nil}, key):          true,
			ask(refund{Order: "changed", Amount: 1, Terms: nil, Due: nil}, key): true,
		}
		if len(ids) != 7 {
			t.Errorf("%d requests", len(ids))
		}
	})

	test("identical calls at once need an approval each", func(t *testing.T) {
		paid, gate := gated(t)
		p.approve()
		var all sync.WaitGroup
		for range 4 {
			all.Add(1)
			go func() {
				defer all.Done()
				if got, err := gate.Call(ctx, refund{Order: "at once", Amount: 1}); got != "paid 1" || err != nil {
					t.Error(got, err)
				}
			}()
		}
		all.Wait()
		p.wasAsked("at once", 4)
		p.leave()
		_, other := gated(t)
		call := refund{Order: "both", Amount: 1}
		first := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, call))
		second := must[*signoff.PendingCall[string]](t)(other.Ask(ctx, call))
		if first.IntentID() != second.IntentID() {
			t.Error("two requests for one call")
		}
		p.approve()
		value(t)(first.Wait(ctx))
		value(t)(second.Wait(ctx))
		p.wasAsked("both", 2)
		if len(paid.paid) != 5 {
			t.Error(paid.paid)
		}
	})

	for _, one := range []struct {
		again       signoff.Again
		ran, asked  int
		refusesNext bool
	}{{signoff.AskAgain, 2, 2, false}, {signoff.RunAgain, 2, 1, false}, {signoff.RefuseAgain, 1, 1, true}} {
		test("what was approved before: "+string(one.again), func(t *testing.T) {
			paid, gate := gated(t, func(o *options) { o.Again = one.again })
			p.approve()
			call := refund{Order: "again " + string(one.again)}
			value(t)(gate.Call(ctx, call))
			if _, err := gate.Call(ctx, call); one.refusesNext != errors.Is(err, signoff.ErrAlreadyUsed) || !one.refusesNext && err != nil {
				t.Error(err)
			}
			p.wasAsked(call.Order, one.asked)
			if len(paid.paid) != one.ran {
				t.Error(paid.paid)
			}
		})
	}

	test("a handle runs its call once, whoever waits and whatever it returns", func(t *testing.T) {
		paid, gate := gated(t)
		pending := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "many", Amount: 1}))
		_, err := pending.Wait(soon())
		if late := is[*signoff.WaitTimeoutError](t, err, ""); late.IntentID != pending.IntentID() || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		unanswered := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "many", Amount: 2}))
		_, err = unanswered.Wait(soon())
		is[*signoff.WaitTimeoutError](t, err, "")
		p.approve()
		var all sync.WaitGroup
		for range 4 {
			all.Add(1)
			go func() {
				defer all.Done()
				if got, err := pending.Wait(ctx); got != "paid 1" || err != nil {
					t.Error(got, err)
				}
			}()
		}
		all.Wait()
		paid.has(t, "many1map[]")
		over, stop := context.WithCancel(ctx)
		stop()
		if got, err := pending.Wait(over); got != "paid 1" || err != nil {
			t.Error("with an ended context:", got, err)
		}

		started, finish := make(chan struct{}), make(chan struct{})
		lasting := must[*signoff.Gate[refund, int]](t)(signoff.NewGate(client, refundType, func(context.Context, refund) (int, error) {
			close(started)
			<-finish
			return 7, nil
		}, nil))
		runs := must[*signoff.PendingCall[int]](t)(lasting.Ask(ctx, refund{Order: "lasting"}))
		ended := make(chan error, 1)
		go func() { _, err := runs.Wait(ctx); ended <- err }()
		<-started
		if _, err := runs.Wait(over); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "is running") {
			t.Error("while it runs:", err)
		}
		close(finish)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got, err := runs.Wait(over); got != 7 || err != nil {
			t.Error(got, err)
		}

		closed, tried := errors.New("the bank is closed"), 0
		failing := must[*signoff.Gate[refund, string]](t)(signoff.NewGate(client, refundType,
			func(_ context.Context, args refund) (string, error) {
				if tried++; args.Amount > 0 {
					panic(closed)
				}
				return "", closed
			}, nil))
		handle := must[*signoff.PendingCall[string]](t)(failing.Ask(ctx, refund{Order: "fails"}))
		for range 2 {
			if _, err := handle.Wait(ctx); !errors.Is(err, closed) {
				t.Error(err)
			}
		}
		handle = must[*signoff.PendingCall[string]](t)(failing.Ask(ctx, refund{Order: "fails", Amount: 1}))
		func() {
			defer func() {
				if recovered := recover(); recovered != closed {
					t.Error(recovered)
				}
			}()
			_, _ = handle.Wait(ctx)
		}()
		if _, err := handle.Wait(ctx); err == nil || tried != 2 {
			t.Error(err, tried)
		}
	})

	test("arguments that cannot be sent are refused by name, and nobody is asked", func(t *testing.T) {
		for text, odd := range map[string]any{
			"NaN": math.NaN(), "chan": make(chan int), "func": func() {}, "beyond 2^53": 1 << 53,
			"not UTF-8": "\xff", "is reserved": "(hidden) 00", "deeper than 30": nested(32), "sky": sky{},
		} {
			_, err := signoff.RequireApproval(ctx, client, refundType, map[string]any{"order": "odd", "amount": odd}, nil)
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", text, err)
			}
		}
		neverAsked(t, "odd")
	})

	test("a hidden argument is nowhere but in the call", func(t *testing.T) {
		hide := func(o *options) { o.Hide = []string{"card"} }
		paid, gate := gated(t, hide)
		pending := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "hidden", Amount: 1, Card: card}))
		task := p.untilAsked("hidden", 1)
		intent, trail := must[*signoff.Intent](t)(owner.GetIntent(ctx, task.IntentID)), must[*signoff.AuditTrail](t)(owner.Audit(ctx, task.IntentID))
		seen, err := json.Marshal([]any{task, intent, trail})
		if err != nil || strings.Contains(string(seen), card) || !strings.HasPrefix(fmt.Sprint(task.Payload["card"]), "(hidden) ") {
			t.Errorf("%v %s", err, seen)
		}
		if other := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "hidden", Amount: 1, Card: "x"})); other.IntentID() == pending.IntentID() {
			t.Error("another value is the same call")
		}
		p.approve()
		value(t)(pending.Wait(ctx))
		paid.has(t, "hidden1"+card+"map[]")
		p.edit(signoff.Object{"card": "mine"})
		_, err = gate.Call(ctx, refund{Order: "hidden", Amount: 2, Card: card})
		is[*signoff.InvalidEditError](t, err, "card of "+refundType+" is hidden")
		_, err = signoff.RequireApproval(ctx, client, refundType, signoff.Object{"order": "hidden"}, &signoff.GateOptions[signoff.Object]{Hide: []string{"card"}})
		if err == nil || !strings.Contains(err.Error(), "to hide named card") {
			t.Error(err)
		}
	})

	for _, hidden := range [][]string{nil, {"terms"}} {
		test(fmt.Sprintf("a call runs with the values that were asked about, %v hidden", hidden), func(t *testing.T) {
			paid, gate := gated(t, func(o *options) { o.Hide = hidden })
			order := fmt.Sprint("meanwhile ", hidden)
			terms, empty := map[string]int{"days": 10}, map[string]int{}
			pending := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: order, Terms: terms}))
			second := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: order, Terms: empty}))
			terms["days"], empty["days"] = 9999, 9999
			p.approve()
			value(t)(pending.Wait(ctx))
			value(t)(second.Wait(ctx))
			paid.has(t, order+"0map[days:10]", order+"0map[]")
		})
	}

	test("what is not sent reaches the function as it is", func(t *testing.T) {
		p.approve()
		own := &till{}
		gate := must[*signoff.Gate[refund, bool]](t)(signoff.NewGate(client, refundType,
			func(_ context.Context, args refund) (bool, error) {
				return args.Till == own && args.secret["a"] == "b", nil
			}, nil))
		p.edit(signoff.Object{"amount": 4})
		if !must[bool](t)(gate.Call(ctx, refund{Order: "not sent", Till: own, secret: map[string]string{"a": "b"}})) {
			t.Error("it did not")
		}
		if payload := p.about("not sent")[0].Payload; len(payload) != 2 {
			t.Error(payload)
		}
	})

	test("what cannot work is refused when it is written", func(t *testing.T) {
		pay := (&till{}).pay
		for name, err := range map[string]error{
			"a client":     second(signoff.NewGate(nil, refundType, pay, nil)),
			"intent type":  second(signoff.NewGate(client, "", pay, nil)),
			"a function":   second(signoff.NewGate[refund, string](client, refundType, nil, nil)),
			"\"maybe\"":    second(signoff.NewGate(client, refundType, pay, &options{Again: "maybe"})),
			"named cord":   second(signoff.NewGate(client, refundType, pay, &options{Hide: []string{"cord"}})),
			"a struct, or": second(signoff.NewGate(client, refundType, func(context.Context, string) (int, error) { return 1, nil }, nil)),
			"two fields":   second(signoff.NewGate(client, refundType, func(context.Context, twice) (int, error) { return 1, nil }, nil)),
			"itself as":    second(signoff.NewGate(client, refundType, func(context.Context, time.Time) (int, error) { return 1, nil }, nil)),
			"embed":        second(signoff.NewGate(client, refundType, func(context.Context, embeds) (int, error) { return 1, nil }, nil)),
		} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})

	test("without a server nothing runs", func(t *testing.T) {
		nowhere := must[*signoff.Client](t)(signoff.New(signoff.WithURL("http://127.0.0.1:9"), signoff.WithAPIKey("k"), signoff.WithRetryFor(0)))
		paid := &till{}
		gate := must[*signoff.Gate[refund, string]](t)(signoff.NewGate(nowhere, refundType, paid.pay, nil))
		_, err := gate.Call(ctx, refund{Order: "down"})
		is[*signoff.ConnectionError](t, err, "")
		paid.has(t)
	})

	test("a canceled wait leaves the request to the next call", func(t *testing.T) {
		paid, gate := gated(t)
		short, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { _, err := gate.Call(short, refund{Order: "canceled"}); ended <- err }()
		p.untilAsked("canceled", 1)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		paid.has(t)
		p.approve()
		value(t)(gate.Call(ctx, refund{Order: "canceled"}))
		p.wasAsked("canceled", 1)
		if _, err := gate.Ask(short, refund{Order: "never asked"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		neverAsked(t, "never asked")
	})

	test("a context that ends when the approval was used runs nothing; the handle still can", func(t *testing.T) {
		p.approve()
		short, stop := context.WithCancel(ctx)
		transport := roundTrip(func(request *http.Request) (*http.Response, error) {
			response, err := http.DefaultTransport.RoundTrip(request.Clone(context.Background()))
			if strings.HasSuffix(request.URL.Path, "/use") {
				stop()
			}
			return response, err
		})
		key := server.key(signoff.NewKey{Service: "stopping"})
		stopping := must[*signoff.Client](t)(signoff.New(signoff.WithURL(server.url), signoff.WithAPIKey(key),
			signoff.WithHTTPClient(&http.Client{Transport: transport}), signoff.WithLogger(quiet)))
		paid := &till{}
		gate := must[*signoff.Gate[refund, string]](t)(signoff.NewGate(stopping, refundType, paid.pay, nil))
		pending := must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, refund{Order: "late"}))
		if _, err := pending.Wait(short); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "was used, and the call was not made") {
			t.Error(err)
		}
		paid.has(t)
		value(t)(pending.Wait(ctx))
		paid.has(t, "late0map[]")
		p.wasAsked("late", 1)
	})

	for _, ends := range []struct{ method, path, text, status string }{
		{"POST", "/v1/intents", "may have been submitted", ""},
		{"GET", "/v1/intents/", "It continues", ""},
		{"POST", "/use", "The approval may have been used", "COMPLETED"},
	} {
		test("a context that ends during "+ends.method+" "+ends.path+" is a wait that ended", func(t *testing.T) {
			short, stop := context.WithCancel(ctx)
			transport := roundTrip(func(request *http.Request) (*http.Response, error) {
				response, err := http.DefaultTransport.RoundTrip(request.Clone(context.Background()))
				path := request.URL.Path
				if err == nil && short.Err() == nil && request.Method == ends.method &&
					(strings.HasSuffix(path, ends.path) || ends.method == "GET" && strings.HasPrefix(path, ends.path)) {
					stop() // the server has done it, and its response is lost
					response.Body.Close()
					return nil, context.Canceled
				}
				return response, err
			})
			client := must[*signoff.Client](t)(signoff.New(signoff.WithURL(server.url), signoff.WithAPIKey(server.key(signoff.NewKey{Service: "lost"})),
				signoff.WithHTTPClient(&http.Client{Transport: transport}), signoff.WithLogger(quiet)))
			paid := &till{}
			gate := must[*signoff.Gate[refund, string]](t)(signoff.NewGate(client, refundType, paid.pay, nil))
			call := refund{Order: "lost in " + ends.path + ends.method}
			asking := short
			if ends.path == "/use" {
				asking = ctx
			}
			pending, err := gate.Ask(asking, call)
			p.approve()
			if err == nil {
				_, err = pending.Wait(short)
			}
			late := is[*signoff.WaitTimeoutError](t, err, ends.text)
			if late == nil || late.Status != ends.status || !errors.Is(err, context.Canceled) {
				t.Errorf("%+v", late)
			}
			paid.has(t)
			if pending == nil {
				pending = must[*signoff.PendingCall[string]](t)(gate.Ask(ctx, call))
			}
			value(t)(pending.Wait(ctx))
			paid.has(t, call.Order+"0map[]")
			p.wasAsked(call.Order, 1)
		})
	}

	program := func(order, again, crash string) *exec.Cmd {
		process := exec.Command(os.Args[0], "-test.run=TestGateProgram")
		process.Env = environment("SIGNOFF_URL="+server.url, "SIGNOFF_API_KEY="+server.key(signoff.NewKey{Service: "shop"}),
			"GATE_ORDER="+order, "GATE_AGAIN="+again, "GATE_CRASH="+crash)
		return process
	}
	ran := func(t *testing.T, order string, times int) {
		t.Helper()
		if text, err := os.ReadFile(order); string(text) != strings.Repeat("ran\n", times) {
			t.Errorf("%v %q, expected %d runs", err, text, times)
		}
	}

	test("after kill -9 while waiting nobody is asked again, though the server was killed as well", func(t *testing.T) {
		order := filepath.Join(t.TempDir(), "waiting")
		waiting := program(order, "ask", "")
		if err := waiting.Start(); err != nil {
			t.Fatal(err)
		}
		p.untilAsked(order, 1)
		_ = waiting.Process.Kill()
		_ = waiting.Wait()
		next := program(order, "ask", "")
		server.restart()
		if err := next.Start(); err != nil {
			t.Fatal(err)
		}
		p.approve()
		if err := next.Wait(); err != nil {
			t.Error(err)
		}
		ran(t, order, 1)
		p.wasAsked(order, 1)
	})

	test("after kill -9 in the function the approval is spent", func(t *testing.T) {
		p.approve()
		order := filepath.Join(t.TempDir(), "crashed")
		if err := program(order, "ask", "crash").Run(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Error(err)
		}
		for _, next := range []struct {
			again       string
			fails       bool
			runs, asked int
		}{{"refuse", true, 1, 1}, {"run", false, 2, 1}, {"ask", false, 3, 2}} {
			if err := program(order, next.again, "").Run(); next.fails != (err != nil) {
				t.Error(next.again, err)
			}
			ran(t, order, next.runs)
			p.wasAsked(order, next.asked)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func nested(depth int) any {
	var value any = 1
	for range depth {
		value = []any{value}
	}
	return value
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

type sky struct{}

func (sky) MarshalJSON() ([]byte, error) { return nil, errors.New("the sky has no JSON") }

type inner struct {
	Order string `json:"order"`
}

type twice struct {
	inner
	Other string `json:"order"`
}

type embeds struct {
	*inner
}

// TestGateProgram is a program with a gated function, to be killed.
func TestGateProgram(t *testing.T) {
	order := os.Getenv("GATE_ORDER")
	if order == "" {
		return
	}
	client := must[*signoff.Client](t)(signoff.New())
	gate := must[*signoff.Gate[refund, bool]](t)(signoff.NewGate(client, refundType, func(context.Context, refund) (bool, error) {
		file := must[*os.File](t)(os.OpenFile(order, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600))
		must[int](t)(file.WriteString("ran\n"))
		_ = file.Close()
		if os.Getenv("GATE_CRASH") != "" {
			self := must[*os.Process](t)(os.FindProcess(os.Getpid()))
			_ = self.Kill()
			select {}
		}
		return true, nil
	}, &signoff.GateOptions[refund]{Again: signoff.Again(os.Getenv("GATE_AGAIN"))}))
	must[bool](t)(gate.Call(context.Background(), refund{Order: order}))
}
