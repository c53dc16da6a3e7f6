//go:build integration

package signoff_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	signoff "forge.example/signoff/signoff/clients/go"
)

// live is a real server, which is killed and started again on the same port and data.
type live struct {
	t       *testing.T
	port    string
	url     string
	folder  string // its data are in .signoff below
	owner   string
	process *exec.Cmd
}

func startLive(t *testing.T) *live {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	server := &live{t: t, port: port, url: "http://127.0.0.1:" + port, folder: t.TempDir()}
	t.Cleanup(server.kill)
	server.start()
	content, err := os.ReadFile(filepath.Join(server.folder, ".signoff", "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		APIKey string `json:"api_key"`
	}
	if err := json.Unmarshal(content, &found); err != nil {
		t.Fatal(err)
	}
	server.owner = found.APIKey
	return server
}

func (s *live) start() {
	s.t.Helper()
	s.process = exec.Command(python(s.t), "-m", "signoff.cli", "up", "--port", s.port, "--data", filepath.Join(s.folder, ".signoff"))
	s.process.Env = environment()
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "the server answers", func() bool {
		response, err := http.Get(s.url + "/ready")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// kill is kill -9: nothing is finished, nothing is said.
func (s *live) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

func (s *live) restart() { s.kill(); s.start() }

func (s *live) client(key string) *signoff.Client {
	s.t.Helper()
	client, err := signoff.New(signoff.WithURL(s.url), signoff.WithAPIKey(key), signoff.WithLogger(quiet))
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

func (s *live) key(key signoff.NewKey) string {
	s.t.Helper()
	made, err := s.client(s.owner).CreateKey(context.Background(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	return made.APIKey
}

// environment is ours without another server.
func environment(more ...string) []string {
	var kept []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "SIGNOFF_") {
			kept = append(kept, pair)
		}
	}
	return append(kept, more...)
}

func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	for end := time.Now().Add(guard); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // polls a process
		if look() {
			return
		}
	}
	t.Fatalf("it did not happen in time: %s", what)
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

const refundType = "intent.payments.refund.v1"

func askPeople(t *testing.T, owner *signoff.Client) {
	t.Helper()
	must[*signoff.AppliedWorkflow](t)(owner.ApplyWorkflow(context.Background(), signoff.Object{
		"workflow": "refund", "intent_type": refundType,
		"steps": []any{signoff.Object{"id": "approve", "human": signoff.Object{"title": "Pay?"}, "deadline": "2d"}},
	}))
}

func taskOf(t *testing.T, person *signoff.Client, id string) signoff.Task {
	t.Helper()
	var found []signoff.Task
	eventually(t, "a task is open", func() bool {
		found = must[[]signoff.Task](t)(person.Tasks.List(context.Background(), signoff.TaskQuery{Mine: true, IntentID: id}))
		return len(found) == 1
	})
	return found[0]
}

func TestLivePersonDecides(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*guard)
	defer cancel()
	server := startLive(t)
	owner, service := server.client(server.owner), server.client(server.key(signoff.NewKey{Service: "ci"}))
	askPeople(t, owner)
	request := signoff.IntentRequest{
		IntentType: refundType, Payload: struct {
			Order  string `json:"order"`
			Amount int    `json:"amount"`
		}{"A-1", 420}, CorrelationID: "A-1", DeadlineAt: time.Now().Add(time.Hour),
	}
	id := must[string](t)(service.SendIntent(ctx, request, signoff.WithIdempotencyKey("A-1")))
	if again := must[string](t)(service.SendIntent(ctx, request, signoff.WithIdempotencyKey("A-1"))); again != id {
		t.Error("one key made two intents")
	}
	task := taskOf(t, owner, id)
	if task.Payload["amount"] != 420.0 || !task.Open() || task.Requester.Name == "" || task.OpenedAt.IsZero() {
		t.Errorf("%+v", task)
	}
	if _, err := service.Approve(ctx, task, ""); !errors.Is(err, signoff.ErrPermissionDenied) {
		t.Errorf("a service decided: %v", err)
	}
	decided := must[*signoff.Task](t)(owner.Approve(ctx, task, "Checked."))
	if decided.Open() || decided.Outcome != "approved" {
		t.Errorf("%+v", decided)
	}
	result := must[*signoff.Result](t)(service.WaitFor(ctx, id))
	if err := result.Err(); err != nil || !result.Approved() || result.Comment != "Checked." || result.DecidedAt.IsZero() {
		t.Errorf("%v %+v", err, result)
	}
	if trail := must[*signoff.AuditTrail](t)(owner.Audit(ctx, id)); !trail.Verified || len(trail.Events) < 3 {
		t.Errorf("%+v", trail)
	}
	if listed := must[[]signoff.Intent](t)(service.ListIntents(ctx, signoff.IntentQuery{CorrelationID: "A-1"})); len(listed) != 1 {
		t.Errorf("%+v", listed)
	}

	second := must[string](t)(service.SendIntent(ctx, request))
	must[*signoff.Task](t)(owner.Reject(ctx, taskOf(t, owner, second), "Not on a Friday."))
	var rejected *signoff.RejectedError
	var failed *signoff.FailedError
	err := must[*signoff.Result](t)(service.WaitFor(ctx, second)).Err()
	if !errors.As(err, &rejected) || !errors.As(err, &failed) || failed.Result.Comment != "Not on a Friday." {
		t.Error(err)
	}
	if third := must[string](t)(service.Retry(ctx, second)); third == second || taskOf(t, owner, third).IntentID != third {
		t.Error("a retry is a new intent")
	}
	_, err = service.Cancel(ctx, second, "")
	var refused *signoff.Error
	if !errors.Is(err, signoff.ErrConflict) || !errors.As(err, &refused) || refused.RequestID == "" {
		t.Error(err)
	}
	_, err = service.SendIntent(ctx, signoff.IntentRequest{IntentType: "?"})
	if !errors.Is(err, signoff.ErrInvalid) || !errors.As(err, &refused) || refused.Field != "intent_type" {
		t.Error(err)
	}
}

func TestLiveWaitSurvivesAKilledServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*guard)
	defer cancel()
	server := startLive(t)
	owner := server.client(server.owner)
	askPeople(t, owner)
	id := must[string](t)(owner.SendIntent(ctx, signoff.IntentRequest{IntentType: refundType, Payload: signoff.Object{"n": 1}}))

	seen := make(chan signoff.Event, 100)
	ended := make(chan error, 1)
	go func() {
		for event, err := range owner.Observe(ctx, id, 0) {
			if err != nil {
				ended <- err
				return
			}
			seen <- event
		}
		ended <- nil
	}()
	waited := make(chan *signoff.Result, 1)
	go func() {
		result, err := owner.WaitFor(ctx, id)
		if err != nil {
			t.Error(err)
		}
		waited <- result
	}()
	first := <-seen // the stream is open
	server.restart()
	server.restart()
	must[*signoff.Task](t)(owner.Approve(ctx, taskOf(t, owner, id), ""))
	if result := <-waited; result == nil || result.Err() != nil {
		t.Errorf("%+v", result)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(seen)
	last := first.Seq
	final := false
	for event := range seen {
		if event.Seq <= last {
			t.Errorf("event %d came after %d", event.Seq, last)
		}
		last, final = event.Seq, event.Final()
	}
	if !final {
		t.Error("the last event is not the final one")
	}
}

func TestLiveAgentKeepsItsStepOverAKilledServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*guard)
	defer cancel()
	server := startLive(t)
	owner := server.client(server.owner)
	must[*signoff.AppliedWorkflow](t)(owner.ApplyWorkflow(ctx, signoff.Object{
		"workflow": "check", "intent_type": refundType, "steps": []any{signoff.Object{"id": "check", "agent": "checker"}},
	}))
	agent, err := signoff.NewAgent("checker", signoff.WithLease(20*time.Second),
		signoff.WithClient(server.client(server.key(signoff.NewKey{Agent: "checker"}))))
	if err != nil {
		t.Fatal(err)
	}
	began, finish := make(chan struct{}, 10), make(chan struct{})
	agent.Handle(refundType, func(ctx context.Context, d *signoff.Delivery) (any, error) {
		began <- struct{}{}
		<-finish
		return map[string]any{"attempt": d.Attempt, "lost": d.LeaseLost(), "order": d.Payload["order"]}, ctx.Err()
	})
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(working) }()

	first := must[string](t)(owner.SendIntent(ctx, signoff.IntentRequest{IntentType: refundType, Payload: signoff.Object{"order": "A"}}))
	<-began
	server.kill() // the handler goes on; its report and the renewals meet a dead server
	close(finish)
	server.start()
	result := must[*signoff.Result](t)(owner.WaitFor(ctx, first))
	if result.Err() != nil || result.Result["attempt"] != 1.0 || result.Result["lost"] != false {
		t.Errorf("%v: %v", result.Err(), result.Result)
	}
	second := must[string](t)(owner.SendIntent(ctx, signoff.IntentRequest{IntentType: refundType, Payload: signoff.Object{"order": "B"}}))
	if result := must[*signoff.Result](t)(owner.WaitFor(ctx, second)); result.Result["order"] != "B" {
		t.Errorf("%v", result.Result)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
