// Package ceremony holds no code, only the test of a whole ceremony with the
// real programs: people whose keys lie in files, in ssh-agents and in a PKCS#11
// token, one of them on a computer without a network, sign the first root, a
// product and a release, which a handset then installs; that of a ceremony in
// which every command is killed again and again; that of the tours which the
// READMEs lead newcomers through; and that of every command which a text shows.
// It needs ssh-agent, SoftHSM and a C compiler, and is the suite `ceremony` of
// scripts/test.
package ceremony
