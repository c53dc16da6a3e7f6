package signoff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const intentID = "0198c0de-0000-7000-8000-000000000000"

// stepServer offers one delivery and keeps what is sent about it.
type stepServer struct {
	*httptest.Server
	mutex   sync.Mutex
	claimed bool
	most    int
	renew   http.HandlerFunc
	reports chan map[string]any
}

func newStepServer(t *testing.T) *stepServer {
	server := &stepServer{most: 1 << 16, reports: make(chan map[string]any, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/agents/worker/deliveries/claim", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the end of the connection ends the request's context
		server.mutex.Lock()
		first := !server.claimed
		server.claimed = true
		server.mutex.Unlock()
		if first {
			_, _ = fmt.Fprintf(w, `{"ok": true, "max_report_bytes": %d, "deliveries": [{"delivery_id": "%s", "intent_id": "%s",
				"intent_type": "t", "token": 7, "payload": {"n": 1}}]}`, server.most, intentID[:32]+"0003", intentID)
			return
		}
		<-r.Context().Done() // a long poll without work
	})
	mux.HandleFunc("POST /v1/deliveries/{id}/renew", func(w http.ResponseWriter, r *http.Request) {
		if server.renew != nil {
			server.renew(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"ok": true}`)
	})
	mux.HandleFunc("POST /v1/deliveries/{id}/report", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		server.reports <- body
		_, _ = io.WriteString(w, `{"ok": true}`)
	})
	server.Server = httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// work runs an agent with one handler until its report came; returns the report.
func (s *stepServer) work(t *testing.T, handler Handler, more ...func(*Agent)) map[string]any {
	t.Helper()
	agent := s.agent(t, handler)
	for _, change := range more {
		change(agent)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx) }()
	select {
	case report := <-s.reports:
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return report
	case err := <-done:
		t.Fatalf("the agent ended without a report: %v", err)
		return nil
	}
}

func (s *stepServer) agent(t *testing.T, handler Handler) *Agent {
	t.Helper()
	client, err := New(WithURL(s.URL), WithAPIKey("key"), WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if err != nil {
		t.Fatal(err)
	}
	agent, err := NewAgent("worker", WithClient(client), WithGrace(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	agent.Handle("*", handler)
	return agent
}

func failed(t *testing.T, report map[string]any) (code, message string, retryable bool) {
	t.Helper()
	found, ok := report["error"].(map[string]any)
	if !ok {
		t.Fatalf("expected a failure, got %v", report)
	}
	return found["code"].(string), found["message"].(string), found["retryable"].(bool)
}

type badText struct{}

func (badText) Error() string { panic("no text") }

func TestHandlerErrorsAreReported(t *testing.T) {
	for _, one := range []struct {
		name, code, message string
		retryable           bool
		handler             Handler
	}{
		{"an error", "agent_error", "disk full", true, func(context.Context, *Delivery) (any, error) {
			return nil, errors.New("disk full")
		}},
		{"a wrapped failure", "table_locked", "At night.", false, func(context.Context, *Delivery) (any, error) {
			return nil, fmt.Errorf("while migrating: %w", &StepFailedError{Code: "table_locked", Message: "At night."})
		}},
		{"a panic", "agent_error", "panic: boom", true, func(context.Context, *Delivery) (any, error) { panic("boom") }},
		{"a nil pointer", "agent_error", "nil pointer", true, func(_ context.Context, d *Delivery) (any, error) {
			var none *Task
			return none.Title, nil
		}},
		{"Goexit", "agent_error", "Goexit", true, func(context.Context, *Delivery) (any, error) {
			runtime.Goexit()
			return nil, nil
		}},
		{"an error without text", "agent_error", "cannot be read", true, func(context.Context, *Delivery) (any, error) {
			return nil, badText{}
		}},
		{"a long text", "agent_error", strings.Repeat("ö", 2000), true, func(context.Context, *Delivery) (any, error) {
			return nil, errors.New(strings.Repeat("ö", 3000))
		}},
		{"text that is not UTF-8", "agent_error", "a\uFFFDb", true, func(context.Context, *Delivery) (any, error) {
			return nil, errors.New("a\xffb")
		}},
	} {
		t.Run(one.name, func(t *testing.T) {
			code, message, retryable := failed(t, newStepServer(t).work(t, one.handler))
			if code != one.code || retryable != one.retryable || !strings.Contains(message, one.message) || len([]rune(message)) > 2000 {
				t.Errorf("%s %v: %s", code, retryable, message)
			}
		})
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("in MarshalJSON") }

func TestResultThatCannotBeStoredIsSavedAndNotRetried(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	itself := map[string]any{"rows": 3}
	itself["self"] = itself
	deep := any("bottom")
	for range 40 {
		deep = map[string]any{"in": deep}
	}
	for name, result := range map[string]any{
		"a number": 3, "text": "done", "a list": []int{1}, "NaN": map[string]any{"rate": math.NaN(), "rows": 3},
		"a large integer": map[string]any{"rows": int64(1) << 60}, "a channel": map[string]any{"c": make(chan int), "rows": 3},
		"not UTF-8": map[string]any{"text": "a\xff"}, "itself": itself, "deep": deep, "panics": panics{},
		"a function": map[string]any{"f": func() {}}, "an error": map[string]any{"why": errors.New("no")},
	} {
		t.Run(name, func(t *testing.T) {
			report := newStepServer(t).work(t, func(context.Context, *Delivery) (any, error) { return result, nil })
			code, message, retryable := failed(t, report)
			if code != "invalid_result" || retryable {
				t.Errorf("%s %v: %s", code, retryable, message)
			}
			path := regexp.MustCompile(`in (/\S+\.json)\.$`).FindStringSubmatch(message)
			if path == nil {
				t.Fatalf("no file is named: %s", message)
			}
			content, err := os.ReadFile(path[1])
			info, _ := os.Stat(path[1])
			if err != nil || len(content) == 0 || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v %s", err, info.Mode(), content)
			}
		})
	}
}

func TestResultMayBeAnyTypeThatEncodesAsAnObject(t *testing.T) {
	type risk struct {
		Level string `json:"risk"`
		Rows  int    `json:"rows"`
	}
	for _, result := range []any{risk{"low", 3}, &risk{"low", 3}, map[string]any{"risk": "low", "rows": 3}, Object{"risk": "low", "rows": 3}} {
		report := newStepServer(t).work(t, func(context.Context, *Delivery) (any, error) { return result, nil })
		if found := fmt.Sprint(report["result"]); found != "map[risk:low rows:3]" || report["token"] != 7.0 {
			t.Errorf("%T: %v", result, report)
		}
	}
	for _, nothing := range []any{nil, map[string]any(nil), (*risk)(nil)} {
		report := newStepServer(t).work(t, func(context.Context, *Delivery) (any, error) { return nothing, nil })
		if found := fmt.Sprint(report["result"]); found != "map[]" {
			t.Errorf("%T: %v", nothing, report)
		}
	}
}

func TestLargeResultIsReducedOrRefused(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	large := func(context.Context, *Delivery) (any, error) {
		return map[string]any{"text": strings.Repeat("x", 1<<16)}, nil
	}
	code, message, retryable := failed(t, newStepServer(t).work(t, large))
	if code != "result_too_large" || retryable || !strings.Contains(message, "65536") {
		t.Errorf("%s: %s", code, message)
	}
	report := newStepServer(t).work(t, large, func(agent *Agent) {
		agent.OnLargeResult(func(context.Context, *Delivery, any) (any, error) { return Object{"stored_at": "s3"}, nil })
	})
	if fmt.Sprint(report["result"]) != "map[stored_at:s3]" {
		t.Error(report)
	}
	code, _, _ = failed(t, newStepServer(t).work(t, large, func(agent *Agent) {
		agent.OnLargeResult(func(context.Context, *Delivery, any) (any, error) { panic("no storage") })
	}))
	if code != "result_too_large" {
		t.Error(code)
	}
	// The largest that fits: the envelope counts.
	server := newStepServer(t)
	server.most = len(`{"result":{"text":"xxxx"},"token":7}`)
	report = server.work(t, func(context.Context, *Delivery) (any, error) { return Object{"text": "xxxx"}, nil })
	if report["result"] == nil {
		t.Error(report)
	}
}

func TestLostLeaseCancelsTheHandlersContext(t *testing.T) {
	server := newStepServer(t)
	server.renew = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"ok": false, "error": {"code": "stale_token", "message": "Another has it."}}`)
	}
	lost := make(chan error, 1)
	server.work(t, func(ctx context.Context, d *Delivery) (any, error) {
		<-ctx.Done()
		if !d.LeaseLost() {
			return nil, errors.New("not marked")
		}
		lost <- context.Cause(ctx)
		return nil, nil
	}, func(agent *Agent) { agent.lease = 30 * time.Millisecond })
	if err := <-lost; !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
}

func TestLeaseThatCannotBeRenewedIsReportedAsPossiblyLost(t *testing.T) {
	server := newStepServer(t)
	var down atomic.Bool
	down.Store(true)
	server.renew = func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, `{"ok": true}`)
	}
	report := server.work(t, func(ctx context.Context, d *Delivery) (any, error) {
		for !d.LeaseLost() {
			time.Sleep(time.Millisecond) // polls what another goroutine sets
		}
		down.Store(false)
		for d.LeaseLost() {
			time.Sleep(time.Millisecond)
		}
		return nil, ctx.Err() // it was never canceled: nobody else got the step
	}, func(agent *Agent) { agent.lease = 30 * time.Millisecond })
	if report["result"] == nil {
		t.Error(report)
	}
}

func TestStoppedAgentWaitsForItsHandlers(t *testing.T) {
	server := newStepServer(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	agent := server.agent(t, func(inside context.Context, _ *Delivery) (any, error) {
		stop()
		select {
		case <-inside.Done():
			return nil, errors.New("was canceled with the agent")
		case <-time.After(50 * time.Millisecond):
			return Object{"finished": true}, nil
		}
	})
	if err := agent.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if report := <-server.reports; fmt.Sprint(report["result"]) != "map[finished:true]" {
		t.Error(report)
	}
}

func TestHandlerThatOutlivesTheGracePeriodIsLeftToItsLease(t *testing.T) {
	for _, obedient := range []bool{true, false} {
		server := newStepServer(t)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		forever := make(chan struct{})
		defer close(forever)
		agent := server.agent(t, func(inside context.Context, _ *Delivery) (any, error) {
			stop()
			if obedient {
				<-inside.Done()
				return nil, inside.Err()
			}
			<-forever
			return nil, nil
		})
		agent.grace = 10 * time.Millisecond
		if err := agent.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(server.reports) != 0 {
			t.Error("cut-off work was reported")
		}
	}
}

func TestAgentEndsIfItsKeyIsRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"ok": false, "error": {"code": "agent_required", "message": "No."}}`)
	}))
	defer server.Close()
	client, err := New(WithURL(server.URL), WithAPIKey("key"))
	if err != nil {
		t.Fatal(err)
	}
	agent, err := NewAgent("worker", WithClient(client))
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Run(context.Background()); !errors.Is(err, ErrPermissionDenied) {
		t.Error(err)
	}
}

func TestInvalidOptionsOfAnAgentAreRefused(t *testing.T) {
	client, err := New(WithURL("http://127.0.0.1:1"), WithAPIKey("key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []AgentOption{WithConcurrency(0), WithLease(0), WithGrace(-1)} {
		if _, err := NewAgent("a", WithClient(client), option); err == nil {
			t.Error("it was accepted")
		}
	}
	if _, err := NewAgent("agent://", WithClient(client)); err == nil {
		t.Error("an empty name was accepted")
	}
	agent, _ := NewAgent("a", WithClient(client))
	none := func(context.Context, *Delivery) (any, error) { return nil, nil }
	agent.Handle("t", none)
	defer func() {
		if recover() == nil {
			t.Error("a second handler replaced the first")
		}
	}()
	agent.Handle("t", none)
}
