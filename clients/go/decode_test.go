package signoff

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestUnexpectedFieldsOfAnotherReleaseAreTolerated(t *testing.T) {
	answer, ok := parsed([]byte(`{"task_id": 7, "state": null, "stage": 2.5, "revision": 3.0, "votes": [{"person": "ann"}, 4],
		"due_at": "soon", "opened_at": "2026-03-02T09:00:00+01:00", "requester": "per_rita", "payload": [1],
		"result_revisions": {"check": 2}, "unknown": true, "reviewed_by": {"name": "Ann", "id": "per_1"}}`))
	if !ok {
		t.Fatal("not parsed")
	}
	task := read[Task](map[string]any(answer))
	if task.TaskID != "7" || task.Stage != 0 || task.Revision != 3 || !task.DueAt.IsZero() || task.Payload != nil {
		t.Errorf("%+v", task)
	}
	if !task.OpenedAt.Equal(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) || task.Requester.ID != "per_rita" {
		t.Errorf("%+v", task)
	}
	if len(task.Votes) != 2 || task.Votes[0].Person != "ann" || task.ReviewedBy != "Ann" {
		t.Errorf("%+v", task)
	}
	if !reflect.DeepEqual(task.ResultRevisions, map[string]int{"check": 2}) {
		t.Errorf("%+v", task.ResultRevisions)
	}
}

func TestAnObjectDecodesIntoAType(t *testing.T) {
	var change struct {
		Table string `json:"table"`
		Rows  int    `json:"rows"`
	}
	if err := (Object{"table": "users", "rows": 3.0}).Decode(&change); err != nil || change.Table != "users" || change.Rows != 3 {
		t.Errorf("%+v, %v", change, err)
	}
}

func TestIDsAreEscapedAsPathSegments(t *testing.T) {
	path, err := pathWith("/v1/tasks/%s/answer", "a/b c?")
	if err != nil || path != "/v1/tasks/a%2Fb%20c%3F/answer" {
		t.Errorf("%s, %v", path, err)
	}
	for _, id := range []string{"", " ", ".", "..", ". ."} {
		if _, err := pathWith("/v1/tasks/%s", id); err == nil {
			t.Errorf("%q was taken for an id", id)
		}
	}
	if path, _ := agentPath(" agent://my org/prod/a%b"); path != "my%20org/prod/a%25b" {
		t.Error(path)
	}
}

func TestEventsDoNotDependOnChunkBoundaries(t *testing.T) {
	const text = "\ufeffevent: intent.a\r\ndata: one\r\n:comment\rdata:two\n\nid: 4\ndata\n\nevent: intent.b\n\ndata: last"
	wanted := []frame{{"intent.a", "one\ntwo", ""}, {"", "", "4"}}
	for size := 1; size <= len(text); size++ {
		var parser sseParser
		var found []frame
		for start := 0; start < len(text); start += size {
			frames, err := parser.feed([]byte(text[start:min(start+size, len(text))]))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, frames...)
		}
		if !reflect.DeepEqual(found, wanted) {
			t.Fatalf("in chunks of %d: %q", size, found)
		}
	}
}

func TestEndlessEventIsRefused(t *testing.T) {
	for _, line := range []string{strings.Repeat("x", 1<<20), "data: " + strings.Repeat("x", 1<<20) + "\n"} {
		var parser sseParser
		var err error
		for range 6 {
			if _, err = parser.feed([]byte(line)); err != nil {
				break
			}
		}
		if err == nil {
			t.Errorf("6 MiB of %.6q were kept", line)
		}
	}
}
