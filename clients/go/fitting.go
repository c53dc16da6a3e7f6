package signoff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
)

const (
	largestInteger = 1<<53 - 1
	deepest        = 30
)

// resultOf returns a handler's result as a JSON object, or else why the server cannot store it.
func resultOf(result any) (content json.RawMessage, why string) {
	if result == nil {
		return json.RawMessage("{}"), ""
	}
	defer func() {
		if recovered := recover(); recovered != nil { // by a method of the value
			content, why = nil, fmt.Sprintf("a value that cannot be read: panic: %v", recovered)
		}
	}()
	content, err := marshaled(result)
	if err != nil {
		return nil, fmt.Sprintf("a value that is not valid JSON: %v", err)
	}
	if bytes.Equal(content, []byte("null")) { // a nil map or pointer
		return json.RawMessage("{}"), ""
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Sprintf("a value that is not valid JSON: %v", err)
	}
	if _, ok := value.(map[string]any); !ok {
		return nil, fmt.Sprintf("%T, which is not a JSON object", result)
	}
	if fault := faultIn(value, "result", 0); fault != "" {
		return nil, "a value that is not valid JSON: " + fault
	}
	if fault := textFault(result, content); fault != "" {
		return nil, "a value that is not valid JSON: " + fault
	}
	return content, ""
}

// faultIn describes the part of this JSON value that the server cannot store, with its path.
func faultIn(value any, where string, depth int) string {
	if depth > deepest {
		return fmt.Sprintf("it is nested deeper than %d levels", deepest)
	}
	switch value := value.(type) {
	case json.Number:
		if whole, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
			if whole > largestInteger || whole < -largestInteger {
				return where + " is an integer beyond 2^53 - 1 (send it as text)"
			}
		} else if number, err := value.Float64(); err != nil || math.IsInf(number, 0) {
			return where + " is a number that does not fit"
		} else if !strings.ContainsAny(value.String(), ".eE") {
			return where + " is an integer beyond 2^53 - 1 (send it as text)"
		}
	case map[string]any:
		for name, item := range value {
			if fault := faultIn(item, fmt.Sprintf("%s.%.40s", where, name), depth+1); fault != "" {
				return fault
			}
		}
	case []any:
		for place, item := range value {
			if fault := faultIn(item, fmt.Sprintf("%s[%d]", where, place), depth+1); fault != "" {
				return fault
			}
		}
	}
	return ""
}

// kept saves a result in a file that only this user can read; returns a sentence that says where. It never panics, even
// if the value's own methods do, because the work is already done.
func kept(delivery *Delivery, result any) (says string) {
	text := written(result)
	name := strings.Map(func(letter rune) rune {
		if letter == '-' || letter == '_' || ('0' <= letter && letter <= '9') ||
			('a' <= letter && letter <= 'z') || ('A' <= letter && letter <= 'Z') {
			return letter
		}
		return -1
	}, delivery.IntentID+"-"+delivery.StepID)
	file, err := os.CreateTemp("", fmt.Sprintf("signoff-result-%.80s-*.json", name))
	if err != nil {
		return fmt.Sprintf("It could not be saved: %v.", reason(err))
	}
	_, err = file.WriteString(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Sprintf("It could not be saved: %v.", reason(err))
	}
	host, _ := os.Hostname()
	return fmt.Sprintf("It is saved on %s in %s.", host, file.Name())
}

// written returns a value as JSON, with text in place of what JSON cannot express.
func written(value any) (text string) {
	defer func() {
		if recovered := recover(); recovered != nil {
			text = fmt.Sprintf("%T, which panicked when it was read", value)
		}
	}()
	if content, err := json.MarshalIndent(value, "", " "); err == nil {
		return string(content)
	}
	w := writer{within: map[uintptr]bool{}}
	content, err := json.MarshalIndent(w.plain(reflect.ValueOf(value)), "", " ")
	if err != nil {
		return fmt.Sprintf("%T: %v", value, err)
	}
	return string(content)
}

// writer makes plain JSON of any value. A value that contains itself, or is too large to be written, becomes a note.
type writer struct {
	within map[uintptr]bool
	values int
}

const mostValues = 1_000_000

func (w *writer) plain(value reflect.Value) any {
	w.values++
	if !value.IsValid() {
		return nil
	}
	if w.values > mostValues {
		return "<not written: the result has too many values>"
	}
	switch value.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer:
		if value.IsNil() {
			return nil
		}
		at := value.Pointer()
		if w.within[at] && (value.Kind() != reflect.Slice || value.Len() > 0) {
			return fmt.Sprintf("<%v that contains itself>", value.Type())
		}
		w.within[at] = true
		defer delete(w.within, at)
	}
	switch value.Kind() {
	case reflect.Interface, reflect.Pointer:
		return w.plain(value.Elem())
	case reflect.Map:
		object := map[string]any{}
		for pairs := value.MapRange(); pairs.Next(); {
			object[fmt.Sprint(pairs.Key())] = w.plain(pairs.Value())
		}
		return object
	case reflect.Slice, reflect.Array:
		list := []any{}
		for place := range value.Len() {
			list = append(list, w.plain(value.Index(place)))
		}
		return list
	case reflect.Struct:
		if value.CanInterface() {
			if content, err := json.Marshal(value.Interface()); err == nil {
				return json.RawMessage(content)
			}
		}
		object := map[string]any{}
		for place := range value.NumField() {
			if field := value.Type().Field(place); field.IsExported() {
				object[orElse(jsonName(field), field.Name)] = w.plain(value.Field(place))
			}
		}
		return object
	case reflect.Float32, reflect.Float64:
		if number := value.Float(); math.IsNaN(number) || math.IsInf(number, 0) {
			return fmt.Sprint(number)
		}
		return value.Float()
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return value.Interface()
	}
	return fmt.Sprintf("<%v>", value.Type())
}
