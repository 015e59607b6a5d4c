package api

// Codes of problems (the field "code" of RFC 9457 bodies). They are never
// renamed or reused.
const (
	CodeBadRequest          = "bad-request"          // the body or a parameter is not what the contract says
	CodeUnauthorized        = "unauthorized"         // no token, or not a valid one
	CodeForbidden           = "forbidden"            // the token's role or product does not allow it
	CodeNotFound            = "not-found"            // no such thing
	CodeConflict            = "conflict"             // the state does not allow it
	CodeStale               = "stale"                // If-Match names an older version
	CodeTooLarge            = "too-large"            // more bytes than this route takes
	CodeBusy                = "busy"                 // try again after Retry-After
	CodeInternal            = "internal"             // our fault; the log has the reason
	CodeNotVerified         = "not-verified"         // signatures, versions or hashes do not hold
	CodeMissingBlob         = "missing-blob"         // a release names a blob that was not uploaded
	CodeWrongHash           = "wrong-hash"           // uploaded bytes do not have the promised hash
	CodeWrongOffset         = "wrong-offset"         // an upload goes on at another offset
	CodeReasonNeeded        = "reason-needed"        // say why
	CodePace                = "pace"                 // the signed pace does not allow it yet
	CodeSoaking             = "soaking"              // the stage has not lasted long enough
	CodeVotesNeeded         = "votes-needed"         // too few votes to advance
	CodeBadCredential       = "bad-credential"       // factory credential or its proof does not hold
	CodeNotEnrolled         = "not-enrolled"         // unknown device key
	CodeTooYoung            = "too-young"            // the device key is too young for this stage
	CodeBatchFull           = "batch-full"           // the day's cap of the batch is reached
	CodeBatchRevoked        = "batch-revoked"        // the batch may not enrol or ask for tokens
	CodeAlreadyIssued       = "already-issued"       // another element was evaluated for this handset, release and class
	CodeBadElement          = "bad-element"          // identity, or not a canonical group element
	CodeBadToken            = "bad-token"            // the vote's mac does not hold
	CodeAlreadyVoted        = "already-voted"        // this token was redeemed with another vote
	CodeVotingClosed        = "voting-closed"        // the release counts no more votes
	CodeKeyRetired          = "key-retired"          // the key set of the token is no longer in use
	CodeScheduled           = "scheduled"            // the rollout begins later
	CodeUndecided           = "undecided"            // the votes prove nothing yet, or speak against it
	CodeManual              = "manual"               // a person has to take the step
	CodeApprovalNeeded      = "approval-needed"      // other people have to agree
	CodeOwnRequest          = "own-request"          // nobody approves their own request, nor twice
	CodeClock               = "clock"                // the server's clock stands before what is recorded
	CodeBreakGlass          = "break-glass"          // only an admin may go past the rules, and says why
	CodeNotConfigured       = "not-configured"       // the root of trust is not there yet
	CodeRateLimited         = "rate-limited"         // too many tries; again after Retry-After
	CodeNoGrant             = "no-grant"             // signed in at the provider, but no group of theirs has a grant here
	CodeSignInFailed        = "sign-in-failed"       // begin again
	CodeInProgress          = "in-progress"          // the same change is being made under this Idempotency-Key; again after Retry-After
	CodeIdempotencyMismatch = "idempotency-mismatch" // the Idempotency-Key belongs to another request
	CodeTooSlow             = "too-slow"             // the body did not arrive in time
	CodeHTTPVersion         = "http-version"         // a watch stream needs HTTP/1.1
	CodeEventSuperseded     = "event-superseded"     // what the signing event starts from has moved on; make it again
	CodeEventIncomplete     = "event-incomplete"     // too few people have signed
	CodeEventClosed         = "event-closed"         // the signing event is published, rejected or expired
	CodeForeignRequest      = "foreign-request"      // a cookie, but not from our own page: Origin or CSRF token
)
