package signoff

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type base struct {
	Most int `json:"most"`
}

type capped struct {
	Amount int
	Off    bool
}

func (c capped) IsZero() bool { return c.Off }

func TestFieldsThatJSONIgnoresOrRenamesAreRefused(t *testing.T) {
	type ignored struct {
		Sum int `json:"sum_€"`
	}
	type named struct {
		base `json:"base"`
	}
	_, first := shapeOf[ignored]("call")
	_, second := shapeOf[named]("call")
	if first == nil || second == nil {
		t.Errorf("%v, %v", first, second)
	}
}

func TestEveryMemberOfTheJSONIsAField(t *testing.T) {
	type args struct {
		base
		Plain string
		//lint:ignore SA5008 encoding/json documents it as the name "-"
		Dashed  int `json:"-,"`
		Odd     int `json:"größe (in %)"`
		Empty   int `json:",omitempty"`
		Skipped int `json:"-"`
		private int
	}
	found, err := shapeOf[args]("call")
	if err != nil {
		t.Fatal(err)
	}
	asked, err := askedArguments("call", args{Empty: 1, private: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name := range asked {
		if found.fields[name] == nil {
			t.Errorf("no field for %s", name)
		}
	}
	if len(asked) != len(found.fields) {
		t.Errorf("%v, %v", asked, found.fields)
	}
}

func TestLossyOrDuplicateArgumentsAreRefused(t *testing.T) {
	for text, why := range map[string]string{
		`{"sum": 1.00000000000000000001}`:               "the argument sum has more digits than a number keeps",
		`{"sum": [0.1000000000000000055]}`:              "the argument sum[0] has more digits than a number keeps",
		`{"sum": 9007199254740991.4}`:                   "the argument sum has more digits than a number keeps",
		`{"sum": 1e-400}`:                               "the argument sum has more digits than a number keeps",
		`{"sum": 1e-99999999999999999999}`:              "the argument sum has more digits than a number keeps",
		`{"sum": 1e999}`:                                "beyond 2^53",
		`{"sum": 1, "sum": 2}`:                          "the argument sum is there twice",
		`{"to": {"a": {"x": 1}, "a": {"y": 2}}}`:        "the argument to.a is there twice",
		`{"to": {"a": 1, "\u0061": 1}}`:                 "the argument to.a is there twice",
		`{"to": [{"a": 1}, {"b": [{"c": 1, "c": 1}]}]}`: "the argument to[1].b[0].c is there twice",
	} {
		if _, err := askedArguments("call", json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNumbersAreAcceptedInAnyNotation(t *testing.T) {
	for text, canonical := range map[string]string{
		"0": "0", "-0": "0", "-0.0e7": "0", "0e99999999999999999999": "0", "1.0": "1", "1.50": "1.5", "12e-1": "1.2",
		"0.00012E2": "0.012", "1e-05": "1e-05", "9007199254740991": "9007199254740991", "-900e2": "-90000",
		"0.1": "0.1", "1e15": "1000000000000000", "5e-324": "5e-324", "2.2250738585072014e-308": "2.2250738585072014e-308",
		"1234567.123456789": "1234567.123456789",
	} {
		asked, err := askedArguments("call", map[string]json.Number{"sum": json.Number(text)})
		if err != nil || canonicalJSON(asked["sum"]) != canonical {
			t.Errorf("%s: %v, %v", text, asked, err)
		}
	}
	for _, number := range []any{float32(0.1), float32(16777216), float32(1.17549435e-38), 1.0 / 3, uint8(7), -12345678901234} {
		if _, err := askedArguments("call", map[string]any{"sum": number}); err != nil {
			t.Error(err)
		}
	}
}

func TestOmittedArgumentsAreNotPassedOn(t *testing.T) {
	type args struct {
		Cap   capped         `json:"cap,omitzero"`
		Terms map[string]int `json:"terms,omitempty"`
		Conn  *int           `json:"-"`
	}
	found, err := shapeOf[args]("call")
	if err != nil {
		t.Fatal(err)
	}
	given := args{capped{500, true}, map[string]int{}, new(int)}
	asked, err := askedArguments("call", given)
	if err != nil || len(asked) != 0 {
		t.Fatal(asked, err)
	}
	restored, err := restored(found, given, newCallRequest("call", asked, "", nil, "key"), nil)
	if err != nil || !reflect.DeepEqual(restored, args{Terms: given.Terms, Conn: given.Conn}) || restored.Terms == nil {
		t.Errorf("%+v, %v", restored, err)
	}
}
