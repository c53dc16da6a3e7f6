//go:build integration

package signoff_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	signoff "forge.example/signoff/signoff/clients/go"
)

// The vectors that all clients keep: clients/vectors/README.md describes them and the scripted server.

const guard = 2 * time.Minute // against hanging

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("SIGNOFF_TEST_PYTHON")
	if name == "" {
		name = "../../.venv/bin/python"
	}
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

type vector struct {
	Name   string `json:"name"`
	Client struct {
		Timeout  *float64 `json:"timeout"`
		RetryFor *float64 `json:"retry_for"`
		BasePath string   `json:"base_path"`
		URL      string   `json:"url"`
	} `json:"client"`
	Steps []step `json:"steps"`
}

type step struct {
	Call       string           `json:"call"`
	With       map[string]any   `json:"with"`
	Value      any              `json:"value"`
	Error      map[string]any   `json:"error"`
	Events     []map[string]any `json:"events"`
	StopAfter  int              `json:"stop_after"`
	AbortAfter string           `json:"abort_after"`
}

type scripted struct {
	url    string
	Key    string   `json:"api_key"`
	Closed string   `json:"closed_url"`
	All    []vector `json:"vectors"`
}

func startScripted(t *testing.T) *scripted {
	t.Helper()
	process := exec.Command(python(t), "../vectors/server.py", "--until-eof")
	input, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = input.Close(); _ = process.Wait() })
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	server := &scripted{url: strings.TrimSpace(strings.TrimPrefix(line, "listening on "))}
	fetch(t, server.url+"/_vectors", server)
	return server
}

func fetch(t *testing.T, address string, into any) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
}

func TestVectors(t *testing.T) {
	server := startScripted(t)
	if len(server.All) < 100 {
		t.Fatalf("only %d vectors", len(server.All))
	}
	t.Run("all", func(t *testing.T) {
		for _, one := range server.All {
			t.Run(one.Name, func(t *testing.T) {
				t.Parallel()
				play := &player{t: t, server: server, vector: one, base: server.url + "/v/go/" + one.Name}
				play.run()
			})
		}
	})
}

type player struct {
	t      *testing.T
	server *scripted
	vector vector
	base   string
	values []any
}

func (p *player) run() {
	address := p.base
	if p.vector.Client.URL == "closed" {
		address = p.server.Closed
	}
	options := []signoff.Option{
		signoff.WithURL(address + p.vector.Client.BasePath), signoff.WithAPIKey(p.server.Key), signoff.WithLogger(quiet),
	}
	if seconds := p.vector.Client.Timeout; seconds != nil {
		options = append(options, signoff.WithTimeout(duration(*seconds)))
	}
	if seconds := p.vector.Client.RetryFor; seconds != nil {
		options = append(options, signoff.WithRetryFor(duration(*seconds)))
	}
	client, err := signoff.New(options...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	for number, one := range p.vector.Steps {
		ctx, cancel := context.WithTimeout(context.Background(), guard)
		value, err := p.step(ctx, client, one)
		cancel()
		p.judge(number, one, value, err)
		p.values = append(p.values, value)
	}
	if p.t.Failed() {
		return
	}
	var verdict struct {
		OK         bool     `json:"ok"`
		Mismatches []string `json:"mismatches"`
	}
	fetch(p.t, p.base+"/_verdict", &verdict)
	if !verdict.OK {
		p.t.Error(strings.Join(verdict.Mismatches, "\n"))
	}
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// came waits until the exchange of this id came (*: all).
func (p *player) came(id string) {
	var answer struct{ OK bool }
	fetch(p.t, p.base+"/_wait?for="+url.QueryEscape(id), &answer)
}

func (p *player) step(ctx context.Context, client *signoff.Client, one step) (any, error) {
	if one.AbortAfter != "" {
		aborted, abort := context.WithCancel(ctx)
		go func() { p.came(one.AbortAfter); abort() }()
		_, err := p.call(aborted, client, one)
		if !errors.Is(err, context.Canceled) {
			p.t.Errorf("an aborted call ended with %v", err)
		}
		return nil, nil
	}
	return p.call(ctx, client, one)
}

func (p *player) call(ctx context.Context, client *signoff.Client, one step) (any, error) {
	with := arguments{p, one.With}
	id := with.text("intent_id")
	switch one.Call {
	case "run_agent":
		return nil, p.runAgent(ctx, client, with)
	case "raise_for_status":
		result := p.values[len(p.values)-1].(*signoff.Result)
		return result, result.Err()
	case "observe":
		return p.observe(ctx, client, one, with)
	case "wait_for":
		if timeout, given := one.With["timeout"]; given {
			if _, number := timeout.(float64); !number {
				return nil, fmt.Errorf("impossible in Go: the timeout %v", timeout)
			}
		}
		if seconds, limited := one.With["timeout"].(float64); limited {
			if seconds == 0 {
				return client.Poll(ctx, id)
			}
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, duration(seconds))
			defer cancel()
		}
		return client.WaitFor(ctx, id)
	case "send_intent":
		intent := signoff.Object(with.object("intent"))
		var request signoff.IntentRequest
		if err := intent.Decode(&request); err != nil {
			p.t.Fatal(err)
		}
		return client.SendIntent(ctx, request, with.key()...)
	case "get_intent":
		return client.GetIntent(ctx, id)
	case "list_intents":
		return client.ListIntents(ctx, signoff.IntentQuery{
			Status: with.text("status"), IntentType: with.text("intent_type"),
			CorrelationID: with.text("correlation_id"), Search: with.text("search"), Limit: with.number("limit"),
		})
	case "events":
		return client.Events(ctx, id, with.number("since"))
	case "cancel":
		return client.Cancel(ctx, id, with.text("reason"))
	case "retry":
		return client.Retry(ctx, id, with.key()...)
	case "rerun":
		return client.Rerun(ctx, id)
	case "use":
		return nil, client.Use(ctx, id, with.text("use"))
	case "approve":
		return client.Approve(ctx, with.task("task"), with.text("comment"))
	case "reject":
		return client.Reject(ctx, with.task("task"), with.text("comment"))
	case "answer":
		return client.Answer(ctx, with.task("task"), signoff.Answer{
			Outcome: with.text("outcome"), Comment: with.text("comment"), Data: with.object("data"),
			Stage: with.number("stage"), Revision: with.number("revision"), Digest: with.text("digest"),
			Number: with.number("answer_number"),
		})
	case "gate":
		if seconds, limited := one.With["timeout"].(float64); limited {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, duration(seconds))
			defer cancel()
		}
		options := &signoff.GateOptions[signoff.Object]{
			Title: with.text("title"), Hide: with.texts("hide"), Again: signoff.Again(with.text("again")),
			OnBehalfOf: with.text("on_behalf_of"), Key: func(signoff.Object) string { return with.text("key") },
		}
		approved, err := signoff.RequireApproval(ctx, client, with.text("intent_type"), signoff.Object(with.object("arguments")), options)
		if err != nil {
			return nil, err
		}
		return map[string]any{"arguments": plain(approved.Args), "edited": approved.Edited}, nil
	case "kill_agent":
		return client.KillAgent(ctx, with.text("agent"))
	case "resume_agent":
		return client.ResumeAgent(ctx, with.text("agent"))
	case "me":
		return client.Me(ctx)
	case "health":
		return client.Health(ctx)
	case "create_key":
		return client.CreateKey(ctx, signoff.NewKey{
			Agent: with.text("agent"), Service: with.text("service"), Person: with.text("person"),
			Name: with.text("name"), ExpiresIn: duration(float64(with.number("expires_in"))),
		})
	case "apply_workflow":
		if dry, _ := one.With["dry_run"].(bool); dry {
			return client.CheckWorkflow(ctx, with.object("template"))
		}
		return client.ApplyWorkflow(ctx, with.object("template"))
	case "tasks.list":
		mine, _ := one.With["mine"].(bool)
		return client.Tasks.List(ctx, signoff.TaskQuery{
			Mine: mine, State: with.text("state"), Risk: with.text("risk"), Team: with.text("team"),
			Requester: with.text("requester"), Workflow: with.text("workflow"),
		})
	case "tasks.get":
		return client.Tasks.Get(ctx, with.text("task_id"))
	case "tasks.comment":
		return client.Tasks.Comment(ctx, with.text("task_id"), with.text("text"))
	case "tasks.delegate":
		return client.Tasks.Delegate(ctx, with.text("task_id"), with.text("to"), with.text("comment"))
	case "tasks.snooze":
		length, err := time.ParseDuration(with.text("duration"))
		if err != nil {
			p.t.Fatal(err)
		}
		return client.Tasks.Snooze(ctx, with.text("task_id"), length)
	case "tasks.revise":
		if outcome := with.text("outcome"); outcome != "" {
			shown := signoff.Task{TaskID: with.text("task_id"), Digest: with.text("digest")}
			return client.Tasks.ReviseAndAnswer(ctx, shown, with.object("payload"), outcome, with.text("comment"))
		}
		return client.Tasks.Revise(ctx, with.text("task_id"), with.object("payload"), with.text("comment"), with.text("digest"))
	case "tasks.withdraw":
		return client.Tasks.Withdraw(ctx, with.text("task_id"), with.text("reason"))
	case "directory.people":
		return client.Directory.People(ctx)
	case "directory.add_person":
		person, warnings, err := client.Directory.AddPerson(ctx, with.text("email"), with.rest("email"))
		return withWarnings(person, warnings), err
	case "directory.change_person":
		person, warnings, err := client.Directory.ChangePerson(ctx, with.text("who"), with.rest("who"))
		return withWarnings(person, warnings), err
	case "directory.set_team":
		team, warnings, err := client.Directory.SetTeam(ctx, with.text("name"), signoff.TeamRequest{
			Members: with.texts("members"), Rotation: with.object("rotation"), Channel: with.text("channel"), Mailbox: with.text("mailbox"),
		})
		return withWarnings(team, warnings), err
	case "directory.set_policy":
		return client.Directory.SetPolicy(ctx, with.text("name"), with.object("policy"))
	}
	p.t.Fatalf("the test does not know the call %s", one.Call)
	return nil, nil
}

func withWarnings(record any, warnings []string) any {
	found, _ := plain(record).(map[string]any)
	if found != nil {
		found["warnings"] = plain(warnings)
	}
	return found
}

func (p *player) observe(ctx context.Context, client *signoff.Client, one step, with arguments) (any, error) {
	found := []any{}
	for event, err := range client.Observe(ctx, with.text("intent_id"), with.number("since")) {
		if err != nil {
			return found, err
		}
		found = append(found, plain(event))
		if len(found) == one.StopAfter {
			break
		}
	}
	if one.Events != nil {
		p.like(found, plain(one.Events), "events")
	}
	return found, nil
}

// arguments are those of a step, in the words of the Python SDK.
type arguments struct {
	player *player
	given  map[string]any
}

func (a arguments) text(name string) string {
	switch value := a.given[name].(type) {
	case string:
		return value
	case map[string]any:
		if number, ok := value["$step"].(float64); ok {
			text, _ := a.player.values[int(number)].(string)
			return text
		}
	}
	return ""
}

func (a arguments) number(name string) int {
	number, _ := a.given[name].(float64)
	return int(number)
}

func (a arguments) object(name string) map[string]any {
	object, _ := a.given[name].(map[string]any)
	return object
}

func (a arguments) texts(name string) []string {
	var found []string
	items, _ := a.given[name].([]any)
	for _, item := range items {
		found = append(found, item.(string))
	}
	return found
}

func (a arguments) rest(without string) signoff.Object {
	fields := signoff.Object{}
	for name, value := range a.given {
		if name != without {
			fields[name] = value
		}
	}
	return fields
}

func (a arguments) key() []signoff.CallOption {
	if key, ok := a.given["idempotency_key"].(string); ok {
		return []signoff.CallOption{signoff.WithIdempotencyKey(key)}
	}
	return nil
}

func (a arguments) task(name string) signoff.TaskRef {
	if reference, ok := a.given[name].(map[string]any); ok {
		return *a.player.values[int(reference["$step"].(float64))].(*signoff.Task)
	}
	return signoff.TaskID(a.text(name))
}

// judge compares how a step ended with what the vector says.
func (p *player) judge(number int, one step, value any, err error) {
	p.t.Helper()
	where := fmt.Sprintf("step %d (%s)", number, one.Call)
	if one.Error == nil {
		if err != nil {
			p.t.Fatalf("%s: %v", where, err)
		}
		if one.Value != nil {
			p.like(plain(value), one.Value, where)
		}
		return
	}
	if err == nil {
		p.t.Fatalf("%s: expected %v, got %v", where, one.Error, value)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		if strings.Contains(fmt.Sprintf(verb, err), p.server.Key) {
			p.t.Errorf("%s: the key stands in %s of the error", where, verb)
		}
	}
	if content, _ := json.Marshal(err); strings.Contains(string(content), p.server.Key) {
		p.t.Errorf("%s: the key stands in the error's members", where)
	}
	if class := classOf(err); class != one.Error["class"] {
		p.t.Errorf("%s: expected %v, got %s: %v", where, one.Error["class"], class, err)
	}
	p.members(where, one.Error, err)
}

func (p *player) members(where string, expected map[string]any, err error) {
	var refused *signoff.Error
	errors.As(err, &refused)
	var late *signoff.WaitTimeoutError
	errors.As(err, &late)
	var failed *signoff.FailedError
	errors.As(err, &failed)
	for name, wanted := range expected {
		var found any
		switch name {
		case "class":
			continue
		case "message_contains":
			if !strings.Contains(err.Error(), wanted.(string)) {
				p.t.Errorf("%s: the message %q does not contain %q", where, err, wanted)
			}
			continue
		case "code":
			found = refused.Code
		case "status":
			found = float64(refused.Status)
		case "message":
			found = refused.Message
		case "field":
			found = refused.Field
		case "hint":
			found = refused.Hint
		case "details":
			found = plain(refused.Details)
		case "request_id":
			found = refused.RequestID
		case "retry_after":
			found = refused.RetryAfter.Seconds()
		case "retryable":
			found = signoff.Retryable(err)
		case "since":
			found = float64(late.Since)
		case "intent_id":
			found = late.IntentID
		case "last_status":
			found = late.Status
		case "status_of_result":
			found = failed.Result.Status
		default:
			p.t.Errorf("the test does not know the member %s of an error", name)
		}
		p.like(found, wanted, where+"."+name)
	}
}

func classOf(err error) string {
	switch err := err.(type) {
	case *signoff.Error:
		for _, kind := range []struct {
			is   error
			name string
		}{
			{signoff.ErrAlreadyDecided, "AlreadyDecided"}, {signoff.ErrStaleRevision, "StaleRevision"}, {signoff.ErrAlreadyUsed, "AlreadyUsed"},
			{signoff.ErrConflict, "Conflict"}, {signoff.ErrAuthenticationFailed, "AuthenticationFailed"},
			{signoff.ErrPermissionDenied, "PermissionDenied"}, {signoff.ErrNotFound, "NotFound"},
			{signoff.ErrInvalid, "Invalid"}, {signoff.ErrRateLimited, "RateLimited"},
			{signoff.ErrServerBusy, "ServerBusy"}, {signoff.ErrServerFailed, "ServerFailed"},
		} {
			if errors.Is(err, kind.is) {
				return kind.name
			}
		}
		return "RequestRefused"
	case *signoff.ConnectionError:
		return "ConnectionFailed"
	case *signoff.WrongResponseError:
		return "WrongResponse"
	case *signoff.WaitTimeoutError:
		return "WaitTimeout"
	case *signoff.RejectedError:
		return "IntentRejected"
	case *signoff.SupersededError:
		return "IntentSuperseded"
	case *signoff.UndeliverableError:
		return "IntentUndeliverable"
	case *signoff.CanceledError:
		return "IntentCanceled"
	case *signoff.WithdrawnError:
		return "IntentWithdrawn"
	case *signoff.TimedOutError:
		return "IntentTimedOut"
	case *signoff.ExpiredError:
		return "IntentExpired"
	case *signoff.FailedError:
		return "IntentFailed"
	case *signoff.InvalidEditError:
		return "InvalidEdit"
	}
	return "InvalidArgument"
}

// plain is a value as JSON has it, with what an intent's methods say.
func plain(value any) any {
	content, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	var found any
	if err := json.Unmarshal(content, &found); err != nil {
		panic(err)
	}
	var intent *signoff.Intent
	switch value := value.(type) {
	case *signoff.Intent:
		intent = value
	case *signoff.Result:
		if value != nil {
			intent = &value.Intent
		}
	}
	if object, ok := found.(map[string]any); ok && intent != nil {
		object["completed"], object["approved"] = intent.Completed(), intent.Approved()
	}
	return found
}

// like reports where the value lacks what is expected of it.
func (p *player) like(value, expected any, where string) {
	p.t.Helper()
	switch expected := expected.(type) {
	case map[string]any:
		object, _ := value.(map[string]any)
		for name, wanted := range expected {
			p.like(object[name], wanted, where+"."+name)
		}
	case []any:
		list, _ := value.([]any)
		if len(list) != len(expected) {
			p.t.Errorf("%s: expected %v, got %v", where, expected, value)
			return
		}
		for place, wanted := range expected {
			p.like(list[place], wanted, fmt.Sprintf("%s[%d]", where, place))
		}
	default:
		if number, ok := value.(float64); ok && expected == math.Trunc(number) {
			return
		}
		empty := value == nil || value == "" || value == false || value == 0.0 || value == "0001-01-01T00:00:00Z"
		nothing := expected == nil || expected == "" || expected == false || expected == 0.0
		if !reflect.DeepEqual(value, expected) && !(empty && nothing) {
			p.t.Errorf("%s: expected %v, got %v", where, expected, value)
		}
	}
}

func (p *player) runAgent(ctx context.Context, client *signoff.Client, with arguments) error {
	agent, err := signoff.NewAgent(with.text("address"), signoff.WithClient(client),
		signoff.WithConcurrency(with.number("concurrency")),
		signoff.WithLease(duration(with.given["lease"].(float64))),
		signoff.WithGrace(duration(with.given["grace"].(float64))))
	if err != nil {
		return err
	}
	began, stopped, others := make(chan struct{}, 100), make(chan struct{}), sync.WaitGroup{}
	handlers := with.object("handlers")
	for _, does := range handlers {
		if count, ok := does.(map[string]any)["waits_for_others"].(float64); ok {
			others.Add(int(count))
		}
	}
	for intentType, does := range handlers {
		agent.Handle(intentType, p.handler(does.(map[string]any), began, stopped, &others))
	}
	if reduce := with.object("on_large_result"); reduce != nil {
		agent.OnLargeResult(func(context.Context, *signoff.Delivery, any) (any, error) { return reduce["returns"], nil })
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		if in, _ := with.given["stops_in_handler"].(bool); in {
			<-began
		} else if after := with.text("stop_after"); after != "" {
			p.came(after)
		} else {
			p.came("*")
		}
		stop()
		close(stopped)
	}()
	return agent.Run(working)
}

func (p *player) handler(does map[string]any, began, stopped chan struct{}, others *sync.WaitGroup) signoff.Handler {
	return func(ctx context.Context, delivery *signoff.Delivery) (any, error) {
		began <- struct{}{}
		if sees, ok := does["sees"].(map[string]any); ok {
			p.like(plain(delivery), sees, "delivery")
		}
		if id, ok := does["waits_for_exchange"].(string); ok {
			p.came(id)
		}
		if does["waits_for_lost_lease"] == true {
			for !delivery.LeaseLost() {
				time.Sleep(5 * time.Millisecond) // polls what another goroutine sets
			}
		}
		if does["waits_for_stop"] == true {
			<-stopped
		}
		if does["waits_for_ever"] == true {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if does["waits_for_others"] != nil {
			others.Done()
			others.Wait()
		}
		if text, ok := does["throws"].(string); ok {
			return nil, errors.New(text)
		}
		if fails, ok := does["fails"].(map[string]any); ok {
			retryable, _ := fails["retryable"].(bool)
			return nil, &signoff.StepFailedError{
				Code: fails["code"].(string), Message: fails["message"].(string), Retryable: retryable,
			}
		}
		if letters, ok := does["returns_text_of"].(float64); ok {
			return map[string]any{"text": strings.Repeat("x", int(letters))}, nil
		}
		return does["returns"], nil
	}
}
