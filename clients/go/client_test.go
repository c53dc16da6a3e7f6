package signoff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func clientOf(t *testing.T, handler http.HandlerFunc, opts ...Option) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	opts = append([]Option{
		WithURL(server.URL + "/base/"), WithAPIKey("key"), WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	}, opts...)
	client, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestCallReachesEndpointsWithoutAMethod(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/base/v1/controls" || string(body) != `{"a":"<"}` || r.Header.Get("Idempotency-Key") != "k" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, `{"ok": true, "applied": true}`)
	})
	var out struct{ Applied bool }
	err := client.Call(context.Background(), "POST", "/v1/controls", nil, Object{"a": "<"}, &out, WithIdempotencyKey("k"))
	if err != nil || !out.Applied {
		t.Error(err, out)
	}
	if err := client.Call(context.Background(), "POST", "/v1/controls", nil, make(chan int), nil); err == nil {
		t.Error("a channel was sent")
	}
	for _, path := range []string{"@evil.example/v1/me", ".evil.example/", "", "v1/me"} {
		if err := client.Call(context.Background(), "GET", path, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "slash") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	client := clientOf(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	type line struct {
		Text string `json:"text"`
	}
	for payload, where := range map[any]string{
		&line{"a\xff"}:                                "text in .payload.text is not UTF-8",
		&struct{ line }{line{"a\xff"}}:                "text in .payload",
		&map[string]any{"a\xff": 1}:                   "a key in .payload is not UTF-8",
		&map[string]any{"in": []any{1, line{"\xc3"}}}: "text in .payload.in[1].text is not UTF-8",
	} {
		_, err := client.SendIntent(context.Background(), IntentRequest{IntentType: "t", Payload: payload})
		if err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%v, expected %s", err, where)
		}
	}
	// Nor is what a value encodes by itself: encoding/json does not look at its text.
	for _, one := range []struct {
		payload any
		where   string
	}{
		{json.RawMessage("{\"text\": \"a\xff\"}"), "text in .payload.text is not UTF-8"},
		{json.RawMessage("{\"a\xff\": 1}"), "a key in .payload is not UTF-8"},
		{Object{"in": []any{1, ownJSON(`{"text": "\ud83d"}`)}}, `text in .payload.in[1].text has half a character: \ud83d`},
		{ownJSON(`{"in": {"\uDE00": 1}}`), `a key in .payload.in has half a character: \ude00`},
		{ownJSON(`["\\ud83d", "\ud83d\ude00", "\ud83dx\ude00"]`), `text in .payload[2] has half a character: \ud83d`},
		{ownJSON(`["\ud83d\u0041"]`), `text in .payload[0] has half a character: \ud83d`},
		{Object{"text": ownText("a\xff")}, "text in .payload.text is not UTF-8"},
		{Object{"why": errors.New("no money")}, "a value in .payload.why has no exported fields"},
		{&struct{ Log *log.Logger }{log.Default()}, "a value in .payload.Log has no exported fields"},
	} {
		_, err := client.SendIntent(context.Background(), IntentRequest{IntentType: "t", Payload: one.payload})
		if err == nil || !strings.Contains(err.Error(), one.where) {
			t.Errorf("%v, expected %s", err, one.where)
		}
	}
	for _, fine := range []any{
		ownJSON(`{"text": "\ud83d\ude00 \uD83D\uDE00 \\ud83d \\\\ \" \u0041 \ufffd é"}`), ownText("é"), (*ownText)(nil), Object{"none": (*ownText)(nil)},
		struct{ secret string }{"a"}, Object{"empty": struct{}{}, "number": big.NewInt(1), "nil": (*log.Logger)(nil)},
		&struct{ Number big.Int }{}, Object{"at": &struct{ At time.Time }{}},
	} {
		if _, err := encoded(fine); err != nil {
			t.Error(err)
		}
	}
	if content, err := encoded(Object{"at": time.Unix(0, 0).UTC(), "raw": []byte{0xff}, "json": json.RawMessage(`{}`)}); err != nil {
		t.Error(string(content), err)
	}
}

// ownJSON and ownText are values with an encoder of their own.
type (
	ownJSON string
	ownText string
)

func (o ownJSON) MarshalJSON() ([]byte, error) { return []byte(o), nil }

func (o ownText) MarshalText() ([]byte, error) { return []byte(o), nil }

func TestAWriteWithoutAKeyIsNotRepeated(t *testing.T) {
	var asked atomic.Int32
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := client.CreateKey(context.Background(), NewKey{Service: "ci"})
	if !errors.Is(err, ErrServerBusy) || !errors.Is(err, ErrServerFailed) || errors.Is(err, ErrConflict) || asked.Load() != 1 {
		t.Error(err, asked.Load())
	}
	if _, err := client.CreateKey(context.Background(), NewKey{Service: "ci", Agent: "a"}); err == nil || asked.Load() != 1 {
		t.Error("two holders were sent")
	}
}

func TestEndedContextEndsEveryCall(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stream") {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "event: intent.created\ndata: {\"seq\": 3, \"status\": \"WAITING\"}\n\n")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := client.WaitFor(ctx, intentID)
	var late *WaitTimeoutError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) || late.Status != "WAITING" || late.Since != 3 {
		t.Error(err)
	}
	if _, err := client.Me(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	canceled, stop := context.WithCancel(context.Background())
	defer stop()
	seen := 0
	for _, err := range client.Observe(canceled, intentID, 0) {
		if seen++; seen == 1 {
			stop()
		} else if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if seen != 2 {
		t.Error(seen)
	}
}

func TestRequestTimeoutIsAConnectionError(t *testing.T) {
	client := clientOf(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		WithTimeout(20*time.Millisecond), WithRetryFor(0))
	_, err := client.Me(context.Background())
	var lost *ConnectionError
	if !errors.As(err, &lost) || lost.Unsent || !Retryable(err) || !strings.Contains(err.Error(), "none within 20ms") {
		t.Error(err)
	}
}

func TestDurationsAreWrittenInTheServersFormat(t *testing.T) {
	for duration, text := range map[time.Duration]string{
		2 * time.Hour: "2h", 90 * time.Minute: "90m", 45 * time.Second: "45s", 1500 * time.Millisecond: "2s",
	} {
		if found := durationText(duration); found != text {
			t.Errorf("%v: %s", duration, found)
		}
	}
}

func TestUntrustedCertificateErrorNamesTheCause(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok": true, "version": "1"}`)
	}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	client, err := New(WithURL(server.URL), WithAPIKey("key"), WithRetryFor(0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Health(context.Background())
	var lost *ConnectionError
	if !errors.As(err, &lost) || !lost.Unsent || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Error(err)
	}
	trusting, err := New(WithURL(server.URL), WithAPIKey("key"), WithHTTPClient(server.Client()))
	if err != nil {
		t.Fatal(err)
	}
	if health, err := trusting.Health(context.Background()); err != nil || health.Version != "1" {
		t.Error(health, err)
	}
}

func TestErrorAboutABrokenResponseHidesTheKey(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			one, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = one.Read(make([]byte, 4096))
			_, _ = io.WriteString(one, "HTTP/1.1 sgn_service_hunter2 What\r\n\r\n")
			_ = one.Close()
		}
	}()
	client, err := New(WithURL("http://"+listener.Addr().String()), WithAPIKey("sgn_service_hunter2"), WithRetryFor(0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Me(context.Background())
	var lost *ConnectionError
	if !errors.As(err, &lost) || lost.Unsent {
		t.Error(err)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", cause, cause, cause), "hunter2") {
			t.Errorf("the key stands in %#v", cause)
		}
	}
}

func TestTraceHeadersAreSentAndReplaceNoneOfOurs(t *testing.T) {
	type trace struct{}
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := json.Marshal(Object{"traceparent": r.Header.Get("Traceparent"), "key": r.Header["X-Api-Key"]})
		_, _ = w.Write(body)
	}, WithTracing(func(ctx context.Context, header http.Header) {
		if parent, ok := ctx.Value(trace{}).(string); ok {
			header.Set("traceparent", parent)
		}
		header.Set("X-Api-Key", "another")
	}))
	for _, parent := range []string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		ctx := context.Background()
		if parent != "" {
			ctx = context.WithValue(ctx, trace{}, parent)
		}
		var out struct {
			Traceparent string
			Key         []string
		}
		if err := client.Call(ctx, "GET", "/v1/me", nil, nil, &out); err != nil || out.Traceparent != parent || len(out.Key) != 1 || out.Key[0] != "key" {
			t.Error(err, out)
		}
	}
}
