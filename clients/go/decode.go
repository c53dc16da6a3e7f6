package signoff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// Object is a JSON object.
type Object map[string]any

// Decode stores the object in the value that v points to, as json.Unmarshal does.
func (o Object) Decode(v any) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, v)
}

// parsed is a response's JSON object; ok is false for anything else.
func parsed(body []byte) (Object, bool) {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, false
	}
	object, ok := value.(map[string]any)
	return object, ok
}

// read stores JSON in a type of this package. It tolerates what a server of another release sends: a missing or malformed
// value is left empty, an unknown one is dropped.
func read[T any](value any) T {
	var into T
	fill(reflect.ValueOf(&into).Elem(), value)
	return into
}

// readList is the list under a name; empty if there is none.
func readList[T any](answer Object, name string) []T {
	items, _ := answer[name].([]any)
	found := make([]T, 0, len(items))
	for _, item := range items {
		found = append(found, read[T](item))
	}
	return found
}

// inner is the object under a name, or the answer itself.
func inner(answer Object, name string) Object {
	if found, ok := answer[name].(map[string]any); ok {
		return found
	}
	return answer
}

var timeType = reflect.TypeFor[time.Time]()

func fill(into reflect.Value, value any) {
	if value == nil {
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		if into.Type() == timeType {
			if text, ok := value.(string); ok {
				if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
					into.Set(reflect.ValueOf(at))
				}
			}
			return
		}
		fillStruct(into, value)
	case reflect.Pointer:
		if _, ok := value.(map[string]any); ok {
			into.Set(reflect.New(into.Type().Elem()))
			fill(into.Elem(), value)
		}
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			return
		}
		list := reflect.MakeSlice(into.Type(), 0, len(items))
		for _, item := range items {
			one := reflect.New(into.Type().Elem()).Elem()
			fill(one, item)
			list = reflect.Append(list, one)
		}
		into.Set(list)
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		found := reflect.MakeMapWithSize(into.Type(), len(object))
		for name, item := range object {
			one := reflect.New(into.Type().Elem()).Elem()
			fill(one, item)
			found.SetMapIndex(reflect.ValueOf(name), one)
		}
		into.Set(found)
	case reflect.Interface:
		into.Set(reflect.ValueOf(value))
	default:
		fillPlain(into, value)
	}
}

func fillPlain(into reflect.Value, value any) {
	switch into.Kind() {
	case reflect.String:
		if text, ok := textOf(value); ok {
			into.SetString(text)
		}
	case reflect.Bool:
		if truth, ok := value.(bool); ok {
			into.SetBool(truth)
		}
	case reflect.Int:
		if number, ok := value.(float64); ok && number == math.Trunc(number) && math.Abs(number) < 1<<53 {
			into.SetInt(int64(number))
		}
	case reflect.Float64:
		if number, ok := value.(float64); ok {
			into.SetFloat(number)
		}
	}
}

// textOf is text; of an actor that is given as an object, its display name.
func textOf(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case map[string]any:
		for _, name := range []string{"name", "email", "address", "id"} {
			if text := textOr(value[name], ""); text != "" {
				return text, true
			}
		}
		return "", false
	case float64, bool:
		content, err := json.Marshal(value)
		return string(content), err == nil
	}
	return "", false
}

var actorType = reflect.TypeFor[Actor]()

func fillStruct(into reflect.Value, value any) {
	if text, ok := value.(string); ok && into.Type() == actorType {
		value = map[string]any{"id": text}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	for place := range into.NumField() {
		field := into.Type().Field(place)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			fillStruct(into.Field(place), value)
		} else if name := jsonName(field); name != "" {
			fill(into.Field(place), object[name])
		}
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// given are the fields of a request that have a value; Payload, which may be anything, is kept as it is.
func given(request any) Object {
	value := reflect.ValueOf(request)
	fields := Object{}
	for place := range value.NumField() {
		if name := jsonName(value.Type().Field(place)); name != "" && !value.Field(place).IsZero() {
			fields[name] = value.Field(place).Interface()
		}
	}
	return fields
}

// encoded is a body as bytes, as other clients send it: nothing is escaped that JSON does not require.
func encoded(body any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, fmt.Errorf("signoff: the request cannot be encoded as JSON: %w", err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
