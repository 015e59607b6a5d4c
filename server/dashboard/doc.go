// Package dashboard serves the dashboard: pages for people who look at rollouts
// and act on them. The pages themselves are in web (TypeScript and Svelte), are
// built into dist, and come embedded in the server: building it takes no Node.
//
// Parties: a person's browser, which runs what is served here and asks the API
// with the session of whoever signed in; and package api, which gives this
// package only what is not published, so that no page can hide a file that
// handsets ask for.
//
// Promises: what is served is public and the same for everybody, so nothing
// here knows who asks. Every answer carries the headers that confine a page to
// this server's own scripts, styles and answers (see Secure); no script or style
// stands in a page itself. Files under /assets/ have the hash of their content
// in their names and are kept for ever; the page is asked for again each time.
// Both are compressed once, not for each request.
//
// Failure: New fails if dist is not a complete build. At run time nothing here
// can fail: all of it is in memory. A page that was loaded before the server
// was renewed may ask for an asset that is no more; it is told so (404) and
// loads itself anew.
package dashboard
