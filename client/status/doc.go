// Package status lets the owner of a handset talk to the agent that runs on it:
// a user interface, or the commands of candor-client. It is a socket in the file
// system; the agent listens on no network.
//
// Who may speak. The socket has mode 0600, and the kernel says who is at the
// other end: the user as which the agent runs, or root. Anybody else is hung up
// on unheard.
//
// The protocol is one JSON object a line, both ways. A line to the agent is a
// Request, of at most MaxLine bytes, read as strictly as everything from outside;
// a line that is none is answered, and the connection goes on, but for one that
// is too long. Each request has one Reply, in order; after the reply to "watch"
// come Events until the connection ends. There are at most a few connections,
// and one that is silent, or does not read what it asked to watch, is ended.
//
// What a request does. "status" is answered at once, from a copy. Everything else
// is carried out by the agent between two of its steps: a download, a read-back
// or a look for news ends early for it and is taken up again after, with the
// owner's word known; arming and the trial of a new build are never disturbed.
// The reply says that it is on the medium. A request opens no way that the
// owner's word has not: policy decides at each step anew.
package status
