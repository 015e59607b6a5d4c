// Package storybook builds the dashboard and its storybook with Node, and serves
// the storybook: each page in each of its states, without a server behind it.
//
// Parties: server/dashboard/web, which has the pages, their stories and what
// pretends to be the server; the command scripts/dashboard, for people; and the
// browser tests, which look at every story.
//
// Promises: what it builds for a storybook stays in the directory that it is
// given. Pages are served with the headers of the real server, so that a page
// which its content security policy forbids fails here as well. Packages are
// installed as package-lock.json has them, and only if they are not there yet;
// several may ask for that at once. Only loopback is listened on.
//
// Failure: each error says which program failed, and ends with what it said.
package storybook
