package signoff

import (
	"bytes"
	"errors"
	"strings"
)

const largestEvent = 4 << 20

var errEventTooLarge = errors.New("an event in the stream is too large")

// frame is one server-sent event.
type frame struct{ event, data, id string }

// sseParser turns bytes into frames (WHATWG server-sent events): any chunking, any line ending, comments dropped.
type sseParser struct {
	rest    []byte
	afterCR bool
	size    int
	open    frame
	data    []string
}

// feed returns the frames that this chunk completes; an error if one exceeds 4 MiB.
func (p *sseParser) feed(chunk []byte) ([]frame, error) {
	var found []frame
	for len(chunk) > 0 {
		if p.afterCR && chunk[0] == '\n' { // a CR LF split between two chunks: its CR has already ended the line
			chunk, p.afterCR = chunk[1:], false
			continue
		}
		p.afterCR = false
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			p.rest = append(p.rest, chunk...)
			chunk = nil
		} else {
			line := append(p.rest, chunk[:end]...)
			p.afterCR = chunk[end] == '\r'
			chunk = chunk[end+1:]
			if one, whole := p.line(string(line)); whole {
				found = append(found, one)
			}
			p.rest = p.rest[:0]
		}
		if p.size+len(p.rest) > largestEvent {
			return found, errEventTooLarge
		}
	}
	return found, nil
}

func (p *sseParser) line(line string) (frame, bool) {
	if line == "" {
		one, whole := p.open, len(p.data) > 0
		one.data = strings.Join(p.data, "\n")
		p.open, p.data, p.size = frame{}, nil, 0
		return one, whole
	}
	name, value, _ := strings.Cut(strings.TrimPrefix(line, "\ufeff"), ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "data":
		p.data = append(p.data, value)
		p.size += len(value)
	case "event":
		p.open.event = value
	case "id":
		p.open.id = value
	}
	return frame{}, false
}
