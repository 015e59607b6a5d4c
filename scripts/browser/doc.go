// Package browser drives Debian's Chromium as a person would, for the tests of
// the dashboard and for the pictures of it.
//
// Parties. Chromium is one process. A Page is a tab; pages that Fresh gives
// share nothing with each other, as the browsers of two people, and pages that
// Beside gives share cookies and storage, as two tabs of one person.
//
// Promises. What is clicked or filled in is found by its role and its
// accessible name, as a screen reader finds it, and reached with mouse and keys
// where it stands: what is covered, hidden or has no name cannot be used. Find,
// Says and their like wait until it is so, for Patience at most. Whatever goes
// wrong in a page without anybody looking is kept in its Problems: errors on
// the console, exceptions, requests that fail, violations of the content
// security policy, dialogs that a script opens.
//
// Failure. Each error says what was looked for and what was there instead.
package browser
