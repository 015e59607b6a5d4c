// Package observe is how the service is watched by the people who run it:
// figures for Prometheus, spans for OpenTelemetry, and the form of the log.
//
// Parties. Whoever reads figures, spans and logs is an operator, and an
// operator is curious (promise P3). So nothing here names a handset, a person,
// an address, a token or a query; labels and attributes are chosen from what
// the code and the operators named: operations, drivers, outcomes, routes.
//
// Promises. What a request says adds no series. What handsets ask for (polls,
// blobs, tokens, votes, enrolments) is never traced: spans of the stores are
// made only below the span of an operator's request, a publish or a look of the
// engine, and the routes of handsets begin none. Watching never fails what is
// watched: a collector that is down or slow loses spans, nothing else.
package observe
