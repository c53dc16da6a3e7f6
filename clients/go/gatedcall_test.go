package signoff

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func testCall(t *testing.T, client *Client, order string) *gatedCall {
	t.Helper()
	asked, err := askedArguments("call", map[string]string{"order": order})
	if err != nil {
		t.Fatal(err)
	}
	request := newCallRequest("call", asked, "", nil, client.connection.settings.key())
	return newGatedCall(client, request, Object{"intent_type": "t"}, AskAgain)
}

func TestUsedRequestsAreRememberedPerCaller(t *testing.T) {
	client := func(key string) *Client {
		made, err := New(WithURL("http://127.0.0.1:9"), WithAPIKey(key))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	first := testCall(t, client("key-of-the-first"), "memory")
	usedBefore.remember(first.identity(), 2)
	if again := testCall(t, client("key-of-the-first"), "memory"); again.askedBefore != 2 {
		t.Error("forgotten:", again.askedBefore)
	}
	if other := testCall(t, client("key-of-the-second"), "memory"); other.askedBefore != 0 {
		t.Error("of another caller:", other.askedBefore)
	}
	if strings.Contains(first.identity(), "key-of-the-first") {
		t.Error("the key is kept")
	}
}

func TestSlowWaiterDoesNotReturnAUsedRequest(t *testing.T) {
	var call *gatedCall
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		// Meanwhile another waiter for the same call finds that this request was used.
		call.mutex.Lock()
		call.askedBefore++
		call.mutex.Unlock()
		_ = json.NewEncoder(w).Encode(Object{"intent_id": "0190a0b0-0000-7000-8000-000000000000"})
	})
	call = testCall(t, client, "slow")
	if err := call.send(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if id, _, askedBefore := call.state(); id != "" || askedBefore != 1 {
		t.Errorf("%q after %d", id, askedBefore)
	}
}

func TestCancelReportsThatThereIsNoRequest(t *testing.T) {
	client := clientOf(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	pending := &PendingCall[int]{call: testCall(t, client, "cancel")}
	if _, err := pending.Cancel(context.Background(), ""); err == nil || !strings.Contains(err.Error(), "call has no request to cancel now") {
		t.Error(err)
	}
}
