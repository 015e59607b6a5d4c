// Package handset puts one handset together: agent, trust, fetcher, boot loader
// and reports, from one configuration file. It is the only place that knows all
// of them.
//
// A simulated handset restarts by asking its boot loader which slot is next
// and starting the agent anew, as a real one does after power-on; nothing but
// files is carried over. A board is restarted by the program that is configured,
// and the agent ends.
package handset
