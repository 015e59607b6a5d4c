// The OpenID Connect provider that the tests sign in at: oidc-provider (certified),
// on loopback, in memory. Its only argument is JSON:
//
//   {"issuer": URL, "registrationToken": SECRET, "idTokenSeconds": N,
//    "clients": [{client_id, client_secret, redirect_uris}],
//    "people": {LOGIN: {"name", "email", "email_verified", "groups"}}}
//
// It listens on a free port, prints the port on one line, and expects a proxy
// in front of it that speaks for the issuer. Other clients register
// themselves (RFC 7591) with the token. Any password is right.
import Provider from 'oidc-provider';

console.warn = console.info = () => {}; // that this is for tests only, we know

const given = JSON.parse(process.argv[2]);

const provider = new Provider(given.issuer, {
  clients: given.clients,
  claims: { openid: ['sub', 'groups'], profile: ['name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['only for tests'] },
  features: { devInteractions: { enabled: true }, registration: { enabled: true, initialAccessToken: given.registrationToken } },
  pkce: { required: () => true },
  ttl: { IdToken: given.idTokenSeconds, AccessToken: 600, Interaction: 600, Session: 600, Grant: 600 },
  findAccount: (ctx, login) => given.people[login] && {
    accountId: login,
    claims: () => ({ sub: login, ...given.people[login] }),
  },
});
provider.proxy = true;

const server = provider.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume(); // whoever started it has gone
