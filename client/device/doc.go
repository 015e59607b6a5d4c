// Package device is what the agent learns about its hardware: battery and
// charger, whether the network costs money, the clock, the time since power-on,
// the room that is free.
//
// Board asks the kernel, and for the network a program of the integrator. File
// reads a file that stands in for all of it, for simulated handsets and for
// boards that know better.
//
// Failure. What cannot be told is taken for the worse: an unreadable battery is
// an error that holds the update, and a network of which nothing is known costs
// money.
package device
