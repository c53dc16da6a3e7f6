package signoff

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

const (
	connectTimeout = 10 * time.Second
	markHeader     = "X-Client-Request-Id"
)

// connection sends requests to one server. It is safe for concurrent use.
type connection struct {
	settings settings
	program  string
	http     *http.Client
	trace    func(context.Context, http.Header) // or nil
}

// reply is the server's whole response.
type reply struct {
	status  int
	headers http.Header
	body    []byte
}

func newConnection(found settings, program string, given *http.Client, trace func(context.Context, http.Header)) *connection {
	ours := http.Client{}
	if given != nil {
		ours = *given
	} else {
		ours.Transport = newTransport(found)
	}
	// The key must not follow a redirect to another server.
	ours.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &connection{settings: found, program: program, http: &ours, trace: trace}
}

func newTransport(found settings) *http.Transport {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          20,
		MaxIdleConnsPerHost:   20,
		IdleConnTimeout:       3 * time.Second, // dropped before a server would close them during a request
		TLSHandshakeTimeout:   connectTimeout,
		ExpectContinueTimeout: time.Second,
	}
	if found.loopback() {
		transport.Proxy = nil // a proxy cannot reach this machine's loopback
	}
	return transport
}

// renew makes the next requests use new connections.
func (c *connection) renew() { c.http.CloseIdleConnections() }

// notSignoff is the error for a success that no Signoff server would send, because another program listens there.
func (c *connection) notSignoff(status int, body []byte) *Error {
	return notSignoff(status, []byte(c.settings.masked(string(body))))
}

// exchange sends a request and reads its whole response.
func (c *connection) exchange(ctx context.Context, one *call) (*reply, error) {
	response, err := c.send(ctx, one, "application/json")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return c.whole(ctx, response)
}

func (c *connection) whole(ctx context.Context, response *http.Response) (*reply, error) {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, c.lost(ctx, err, false)
	}
	if response.StatusCode < 200 || response.StatusCode >= 300 {
		// It becomes an error, which is shown and logged, so a key that the server repeats must not get into it.
		body = []byte(c.settings.masked(string(body)))
		for _, values := range response.Header {
			for place, value := range values {
				values[place] = c.settings.masked(value)
			}
		}
	}
	return &reply{response.StatusCode, response.Header, body}, nil
}

// send sends a request; the caller closes the response's body. A response that belongs to another request is an error:
// the server echoes each request's mark.
func (c *connection) send(ctx context.Context, one *call, accept string) (*http.Response, error) {
	connected := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	})
	address := c.settings.url + one.path
	if len(one.query) > 0 {
		address += "?" + one.query.Encode()
	}
	var body io.Reader
	if one.body != nil {
		body = bytes.NewReader(one.body)
	}
	request, err := http.NewRequestWithContext(ctx, one.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("signoff: %w", err)
	}
	if c.trace != nil {
		c.trace(ctx, request.Header) // first, so that it cannot replace our own headers
	}
	mark := strings.ReplaceAll(freshKey(), "-", "")
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", c.program+"/"+Version)
	request.Header.Set("X-Api-Key", c.settings.key())
	request.Header.Set(markHeader, mark)
	if one.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if one.key != "" {
		request.Header.Set("Idempotency-Key", one.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.lost(ctx, err, !connected)
	}
	if echoed := response.Header.Get(markHeader); echoed != "" && echoed != mark {
		response.Body.Close()
		c.renew()
		return nil, &WrongResponseError{fmt.Sprintf("The response to %s %s belongs to another request "+
			"and was discarded: a proxy, or this program, mixes up connections.", one.method, one.path)}
	}
	return response, nil
}

// lost is the error for a response that did not arrive, or not in full.
func (c *connection) lost(ctx context.Context, err error, unsent bool) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text would contain the whole address
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = cause
	}
	if text := err.Error(); c.settings.masked(text) != text {
		err = errors.New(c.settings.masked(text))
	}
	message := fmt.Sprintf("No response from %s (%v).", c.settings.url, err)
	var authority x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority) || errors.As(err, &certificate):
		message += " Its certificate is not trusted here; set SSL_CERT_FILE to a certificate authority to trust."
	case unsent && c.settings.loopback():
		message += " Is it running? Start it with `signoff up`."
	}
	return &ConnectionError{Unsent: unsent, message: message, cause: err}
}
